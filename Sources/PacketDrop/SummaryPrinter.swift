// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Measurement

/// Writes drop-summary's rows.
struct SummaryPrinter {
    let report: Report
    let grouping: DropGrouping
    let top: Int

    private static let nanosecond: UInt64 = 1_000_000_000

    /// The line of column names, for CSV.
    func columns(_ reader: DropReader) {
        report.columns { fields in
            intervalFields(&fields, from: 0, to: 1, partial: false)
            groupFields(&fields, DropGroup(), DropTally(), nanoseconds: 1, total: 0, reader)
        }
    }

    /// One interval: its own counts, and beside each group's the total since the start.
    ///
    /// - Parameter partial: the run ended before the interval did.
    func interval(_ table: DropTable, _ reader: DropReader, from: UInt64, to: UInt64, partial: Bool = false) {
        let rows = table.top(top)
        let length = max(to - from, 1)
        switch report.format {
        case .json:
            report.record(.interval, time: to) { fields in
                intervalFields(&fields, from: from, to: to, partial: partial)
                fields.field("drops", table.total.packets)
                fields.field("bytes", table.total.bytes)
                fields.field("total_drops", reader.totals.total.packets)
                fields.field("groups_seen", UInt64(table.groups.count))
                fields.field("drops_ungrouped", table.other.packets)
                fields.array("groups", rows) { fields, row in
                    groupFields(
                        &fields, row.group, row.tally, nanoseconds: length, total: reader.totals.groups[row.group]?.packets,
                        reader)
                }
            }
        case .csv:
            for row in rows {
                report.record(.interval, time: to) { fields in
                    intervalFields(&fields, from: from, to: to, partial: partial)
                    groupFields(
                        &fields, row.group, row.tally, nanoseconds: length, total: reader.totals.groups[row.group]?.packets,
                        reader)
                }
            }
        case .text:
            let output = report.output
            output.newline()
            report.clock.writeLocal(to, to: output)
            output.string(
                "  \(partial ? "partial " : "")interval \(decimal(length, Self.nanosecond, 3)) s: \(table.total.packets) drops, \(rate(table.total.packets, length))/s, \(table.total.bytes) bytes; total \(reader.totals.total.packets) drops"
            )
            output.newline()
            lines(rows, table, length, reader, title: "TOTAL") { reader.totals.groups[$0]?.packets ?? 0 }
        }
        report.output.flush()
    }

    /// The totals since the start.
    func total(_ reader: DropReader) {
        guard report.format == .text else { return }
        let table = reader.totals
        let output = report.output
        output.newline()
        output.string("total: \(table.total.packets) drops, \(table.total.bytes) bytes, \(table.groups.count) groups")
        output.newline()
        lines(table.top(top), table, nil, reader, title: "SHARE%") { group in
            // In hundredths of a percent.
            Self.share(table.groups[group]?.packets ?? 0, table.total.packets)
        }
        let expected = reader.expectedTotals
        if expected.total.packets > 0 {
            output.newline()
            output.string("no drops: \(expected.total.packets) frees, \(expected.groups.count) groups")
            output.newline()
            lines(expected.top(top), expected, nil, reader, title: "SHARE%") { group in
                Self.share(expected.groups[group]?.packets ?? 0, expected.total.packets)
            }
        }
        output.flush()
    }

    /// In hundredths of a percent, rounded.
    private static func share(_ part: UInt64, _ whole: UInt64) -> UInt64 {
        whole == 0 ? 0 : UInt64((Double(part) * 10_000 / Double(whole)).rounded())
    }

    /// The totals as members of the summary record.
    func totalFields(_ fields: inout FieldWriter, _ reader: DropReader) {
        let table = reader.totals
        fields.field("drops", table.total.packets)
        fields.field("bytes", table.total.bytes)
        fields.field("groups_seen", UInt64(table.groups.count))
        fields.field("drops_ungrouped", table.other.packets)
        fields.array("groups", table.top(top)) { fields, row in
            groupFields(&fields, row.group, row.tally, nanoseconds: nil, total: nil, reader)
        }
        // Only --include-expected fills it.
        fields.array("expected_groups", reader.expectedTotals.top(top)) { fields, row in
            groupFields(&fields, row.group, row.tally, nanoseconds: nil, total: nil, reader)
        }
    }

    private func rate(_ packets: UInt64, _ nanoseconds: UInt64) -> String {
        decimal(perSecond(packets, nanoseconds), 10, 1)
    }

    private func intervalFields(_ fields: inout FieldWriter, from: UInt64, to: UInt64, partial: Bool) {
        fields.field("interval_ns", to - from)
        fields.field("partial", partial)
    }

    /// A group's members; docs/output.md lists them.
    private func groupFields(
        _ fields: inout FieldWriter, _ group: DropGroup, _ tally: DropTally, nanoseconds: UInt64?, total: UInt64?,
        _ reader: DropReader
    ) {
        fields.field("drops", tally.packets)
        fields.field("bytes", tally.bytes)
        if let nanoseconds {
            fields.field("drops_per_second", fixed: perSecond(tally.packets, nanoseconds), places: 1)
        }
        if let total { fields.field("total_drops", total) } else { fields.absent("total_drops") }
        let place = tally.place ?? .unknown
        if grouping.contains(.location) { place.writeLocation(&fields) }
        if grouping.contains(.reason) { place.writeReason(&fields) }
        if grouping.contains(.interface) {
            if group.interfaceIndex != 0 {
                fields.field("interface", tally.interface)
                fields.field("ifindex", UInt64(group.interfaceIndex))
                fields.field("netns", UInt64(group.namespace))
            } else {
                fields.absent("interface")
                fields.absent("ifindex")
                fields.absent("netns")
            }
        }
        if grouping.contains(.flow) { flowFields(&fields, group.flow.value) }
        if grouping.contains(.stack) { fields.field("stack", frames(group, reader)) }
    }

    private func frames(_ group: DropGroup, _ reader: DropReader) -> [String] {
        group.stack < 0 ? [] : reader.stacks.stacks[group.stack].map { reader.places?.frame($0) ?? "" }
    }

    /// In tenths.
    private func perSecond(_ packets: UInt64, _ nanoseconds: UInt64) -> UInt64 {
        UInt64((Double(packets) * 1e10 / Double(max(nanoseconds, 1))).rounded())
    }

    private func flowFields(_ fields: inout FieldWriter, _ flow: drop_flow) {
        let found = UInt32(flow.found)
        func has(_ what: packet_found) -> Bool { found & UInt32(what.rawValue) != 0 }
        if has(PACKET_HAS_TYPE) {
            fields.field("eth_type") { output in
                output.text("0x")
                output.hex(UInt64(flow.ether_type), width: 4)
            }
        } else {
            fields.absent("eth_type")
        }
        if flow.vlan_id == 0xffff { fields.absent("vlan") } else { fields.field("vlan", "\(flow.vlan_id)") }
        if has(PACKET_HAS_IPV4) || has(PACKET_HAS_IPV6) {
            fields.field("src") { $0.address(flow.src, found: found) }
            fields.field("dst") { $0.address(flow.dst, found: found) }
        } else {
            fields.absent("src")
            fields.absent("dst")
        }
        func optional(_ name: StaticString, _ what: packet_found, _ value: UInt64) {
            if has(what) { fields.field(name, value) } else { fields.absent(name) }
        }
        fields.field("fragment", has(PACKET_IS_FRAGMENT))
        optional("protocol", PACKET_HAS_PROTOCOL, UInt64(flow.protocol))
        optional("src_port", PACKET_HAS_PORTS, UInt64(flow.src_port))
        optional("dst_port", PACKET_HAS_PORTS, UInt64(flow.dst_port))
        optional("icmp_type", PACKET_HAS_ICMP, UInt64(flow.src_port))
        optional("icmp_code", PACKET_HAS_ICMP, UInt64(flow.dst_port))
    }

    /// A table of text rows. `last` gives the number in the last numeric column.
    private func lines(
        _ rows: [(group: DropGroup, tally: DropTally)], _ table: DropTable, _ nanoseconds: UInt64?, _ reader: DropReader,
        title: StaticString, last: (DropGroup) -> UInt64
    ) {
        guard !rows.isEmpty else { return }
        let output = report.output
        output.text("       DROPS ")
        if nanoseconds != nil { output.text("      RATE/s ") }
        output.text("       BYTES ")
        output.pad(from: output.count, to: 12 - title.utf8CodeUnitCount)
        output.text(title)
        if grouping.contains(.reason) { output.text("  REASON                   ") }
        if grouping.contains(.location) { output.text("  LOCATION                           ") }
        if grouping.contains(.interface) { output.text("  INTERFACE             ") }
        if grouping.contains(.flow) { output.text("  FLOW") }
        output.newline()
        for row in rows {
            output.decimal(row.tally.packets, width: 12)
            output.space()
            if let nanoseconds {
                let start = output.count
                let tenths = perSecond(row.tally.packets, nanoseconds)
                output.pad(from: start, to: 12 - "\(tenths / 10).0".utf8.count)
                output.fixed(tenths, places: 1)
                output.space()
            }
            output.decimal(row.tally.bytes, width: 12)
            output.space()
            if nanoseconds == nil {
                let share = last(row.group)
                output.pad(from: output.count, to: 12 - "\(share / 100).00".utf8.count)
                output.fixed(share, places: 2)
            } else {
                output.decimal(last(row.group), width: 12)
            }
            writeGroup(row.group, row.tally, reader)
            output.newline()
            for frame in grouping.contains(.stack) ? frames(row.group, reader) : [] {
                output.text("                    ")
                output.string(frame)
                output.newline()
            }
            output.flushIfFull()
        }
        if table.groups.count > rows.count {
            output.string("             and \(table.groups.count - rows.count) more groups (--top)")
            output.newline()
        }
        if table.other.packets > 0 {
            output.decimal(table.other.packets, width: 12)
            output.text(" drops in groups beyond the table's room")
            output.newline()
        }
    }

    private func writeGroup(_ group: DropGroup, _ tally: DropTally, _ reader: DropReader) {
        let output = report.output
        if grouping.contains(.reason) {
            output.text("  ")
            let start = output.count
            output.string(tally.place?.reasonText ?? "-")
            output.pad(from: start, to: 25)
        }
        if grouping.contains(.location) {
            output.text("  ")
            let start = output.count
            output.string(tally.place?.locationText ?? "-")
            output.pad(from: start, to: 35)
        }
        if grouping.contains(.interface) {
            output.text("  ")
            let start = output.count
            output.string(tally.interface.isEmpty ? "-" : tally.interface)
            if group.namespace != 0 { output.string("@\(group.namespace)") }
            output.pad(from: start, to: 22)
        }
        if grouping.contains(.flow) {
            output.text("  ")
            writeFlow(group.flow.value)
        }
    }

    private func writeFlow(_ flow: drop_flow) {
        let output = report.output
        let found = UInt32(flow.found)
        if flow.vlan_id != 0xffff { output.string("vlan \(flow.vlan_id) ") }
        guard found & UInt32(PACKET_HAS_IPV4.rawValue | PACKET_HAS_IPV6.rawValue) != 0 else {
            output.text("type 0x")
            output.hex(UInt64(flow.ether_type), width: 4)
            return
        }
        if found & UInt32(PACKET_HAS_PROTOCOL.rawValue) != 0 {
            output.protocolName(flow.protocol)
            output.space()
        }
        output.endpoint(flow.src, port: flow.src_port, found: found)
        output.text(" > ")
        output.endpoint(flow.dst, port: flow.dst_port, found: found)
        if found & UInt32(PACKET_HAS_ICMP.rawValue) != 0 {
            output.string(" type \(flow.src_port) code \(flow.dst_port)")
        }
        if found & UInt32(PACKET_IS_FRAGMENT.rawValue) != 0 { output.text(" fragment") }
    }
}
