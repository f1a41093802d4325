// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Measurement

/// Writes eth-drop's records as they come out of the event buffer.
final class DropPrinter {
    /// Set when the probes are in; records wait in the buffer until then.
    var places: DropPlaces?
    /// Drops printed.
    private(set) var printed: UInt64 = 0
    /// Records of frees that are no drops, printed or not.
    private(set) var expectedRecords: UInt64 = 0
    private var expectedPrinted: UInt64 = 0
    private(set) var expected = ExpectedTally()
    /// Records read after the last one that was asked for.
    private(set) var beyondLimit: UInt64 = 0

    private let report: Report
    private let verbose: Bool
    private let stack: Bool
    private let includeExpected: Bool
    private let limit: UInt64
    private let expectedMap: BPFMap<drop_expected_place, UInt64>

    init(
        report: Report, verbose: Bool, stack: Bool, includeExpected: Bool, limit: UInt64,
        expectedMap: BPFMap<drop_expected_place, UInt64>
    ) {
        self.report = report
        self.verbose = verbose
        self.stack = stack
        self.includeExpected = includeExpected
        self.limit = limit
        self.expectedMap = expectedMap
    }

    /// All records that were asked for are printed.
    var isDone: Bool { printed + expectedPrinted >= limit }

    func place(_ location: UInt64, _ reason: UInt32) -> DropPlace {
        places?.place(location, reason)
            ?? DropPlace(location: location, reasonNumber: reason, symbol: nil, kernelReason: nil)
    }

    /// The line of column names.
    func columns() {
        if report.format == .text {
            report.comment("TIME          CPU TASK:PID                INTERFACE         LEN REASON                    LOCATION                            PACKET")
            report.output.flush()
        } else {
            report.columns { fields in
                var event = eth_drop_event()
                withUnsafeBytes(of: &event) { bytes in
                    let packet = CapturedPacket(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<0]), source: packet_source())
                    if let base = bytes.baseAddress { writeFields(&fields, base, packet, .unknown) }
                }
            }
        }
    }

    /// One record, in place in the buffer.
    func print(_ record: UnsafeRawPointer, _ size: Int) {
        guard size >= Self.shortSize else { return }
        guard !isDone else {
            beyondLimit += 1
            return
        }
        let event = record.assumingMemoryBound(to: eth_drop_event.self)
        let location = event.pointee.location
        let reason = event.pointee.reason
        let place = place(location, reason)
        if place.expected != nil {
            expected.add(place)
            expectedRecords += 1
        }
        if place.expected != nil && !includeExpected {
            // From now on the program only counts here. Without room for it, records go on coming; so be it.
            let key = drop_expected_place(location: location, reason: reason, reserved: 0)
            if expectedMap.lookup(key) == nil { try? expectedMap.update(key, 0) }
            return
        }
        let captured = Int(event.pointee.captured)
        var source = packet_source()
        source.protocol = event.pointee.protocol
        source.vlan_type = event.pointee.vlan_type
        source.vlan_tci = event.pointee.vlan_tci
        source.has_link = event.pointee.has_link
        source.has_vlan = event.pointee.has_vlan
        let packet = CapturedPacket(
            bytes: UnsafeRawBufferPointer(
                start: record + Self.bytesOffset, count: min(captured, Int(ETH_DROP_BYTES))), source: source)
        let time = event.pointee.time_ns
        if report.format == .text {
            writeLine(record, packet, place, time)
        } else {
            report.record(.event, time: time) { writeFields(&$0, record, packet, place) }
        }
        if place.expected == nil { printed += 1 } else { expectedPrinted += 1 }
        report.output.flushIfFull()
    }

    // Where the arrays of a record are; the other fields are read through the imported struct.
    private static let taskOffset = MemoryLayout<eth_drop_event>.offset(of: \.task) ?? 0
    private static let interfaceOffset = MemoryLayout<eth_drop_event>.offset(of: \.interface) ?? 0
    private static let bytesOffset = MemoryLayout<eth_drop_event>.offset(of: \.bytes) ?? 0
    private static let stackOffset = MemoryLayout<eth_drop_event>.offset(of: \.stack) ?? 0
    /// Size of a record without stack.
    private static let shortSize = MemoryLayout<eth_drop_event>.offset(of: \.stack_size) ?? 0

    /// The stack of a record as text; empty when it has none.
    private func frames(_ record: UnsafeRawPointer) -> [String] {
        guard stack, places != nil else { return [] }
        let event = record.assumingMemoryBound(to: eth_drop_event.self)
        let count = max(0, min(Int(event.pointee.stack_size) / 8, Int(ETH_DROP_FRAMES)))
        let addresses = UnsafeBufferPointer(
            start: (record + Self.stackOffset).assumingMemoryBound(to: UInt64.self), count: count
        ).prefix { $0 != 0 }
        return DropPlaces.trimmed(Array(addresses), location: event.pointee.location).compactMap { places?.frame($0) }
    }

    private func writeLine(_ record: UnsafeRawPointer, _ packet: CapturedPacket, _ place: DropPlace, _ time: UInt64) {
        let output = report.output
        let event = record.assumingMemoryBound(to: eth_drop_event.self)
        report.clock.writeLocal(time, to: output)
        output.space()
        output.decimal(UInt64(event.pointee.cpu), width: 3)
        output.space()
        var start = output.count
        output.cString(record + Self.taskOffset, limit: 16)
        output.byte(0x3a)
        output.decimal(UInt64(event.pointee.process))
        output.pad(from: start, to: 23)
        output.space()
        start = output.count
        if UInt64(event.pointee.interface_index) == 0 {
            output.byte(0x2d)
        } else {
            output.cString(record + Self.interfaceOffset, limit: Int(DROP_NAME_LENGTH))
        }
        output.pad(from: start, to: 15)
        output.space()
        output.decimal(UInt64(event.pointee.length), width: 5)
        output.space()
        start = output.count
        output.string(place.reasonText)
        output.pad(from: start, to: 25)
        output.space()
        start = output.count
        output.string(place.locationText)
        if place.expected != nil { output.text(" (no drop)") }
        output.pad(from: start, to: 35)
        output.space()
        packet.write(to: output)
        if verbose {
            output.text(" | skb 0x")
            output.hex(event.pointee.skb)
            output.text(" netns ")
            output.decimal(UInt64(event.pointee.network_namespace))
            output.text(" ifindex ")
            output.decimal(UInt64(event.pointee.interface_index))
            output.text(" iif ")
            output.decimal(UInt64(event.pointee.ingress_index))
            output.text(" queue ")
            output.decimal(UInt64(event.pointee.queue))
            output.text(" linear ")
            output.decimal(UInt64(event.pointee.linear))
            output.text(" thread ")
            output.decimal(UInt64(event.pointee.thread))
            if !place.alternatives.isEmpty {
                output.text(" or ")
                output.string(place.alternatives.joined(separator: " or "))
            }
        }
        output.newline()
        for frame in frames(record) {
            output.text("    ")
            output.string(frame)
            output.newline()
        }
    }

    /// The record's own fields, the same in JSON and CSV; docs/output.md lists them.
    private func writeFields(
        _ fields: inout FieldWriter, _ record: UnsafeRawPointer, _ packet: CapturedPacket, _ place: DropPlace
    ) {
        let event = record.assumingMemoryBound(to: eth_drop_event.self)
        fields.field("cpu", UInt64(event.pointee.cpu))
        fields.field("task", cString: record + Self.taskOffset, limit: 16)
        fields.field("pid", UInt64(event.pointee.process))
        fields.field("tid", UInt64(event.pointee.thread))
        if event.pointee.interface_index != 0 {
            fields.field("interface", cString: record + Self.interfaceOffset, limit: Int(DROP_NAME_LENGTH))
            fields.field("ifindex", UInt64(event.pointee.interface_index))
            fields.field("netns", UInt64(event.pointee.network_namespace))
        } else {
            fields.absent("interface")
            fields.absent("ifindex")
            fields.absent("netns")
        }
        if event.pointee.ingress_index != 0 {
            fields.field("ingress_ifindex", UInt64(event.pointee.ingress_index))
        } else {
            fields.absent("ingress_ifindex")
        }
        fields.field("queue", UInt64(event.pointee.queue))
        fields.field("length", UInt64(event.pointee.length))
        fields.field("linear", UInt64(event.pointee.linear))
        place.writeReason(&fields)
        place.writeLocation(&fields)
        fields.field("is_drop", place.expected == nil)
        let skb = event.pointee.skb
        fields.field("skb") { output in
            output.text("0x")
            output.hex(skb)
        }
        packet.writeFields(&fields)
        if stack { fields.field("stack", frames(record)) }
    }
}
