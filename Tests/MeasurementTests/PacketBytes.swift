// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Glibc
import Measurement

/// Packets made by hand, header by header.
enum PacketBytes {
    static let macs: [UInt8] = [0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01]
    static let source4: [UInt8] = [10, 1, 2, 3]
    static let destination4: [UInt8] = [192, 168, 4, 5]
    static let source6: [UInt8] = [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
    static let destination6: [UInt8] = [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [2]

    static func u16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

    static func ethernet(_ type: Int) -> [UInt8] { macs + u16(type) }

    /// What stands behind a type that announces a tag: the tag, and the type behind it.
    static func tag(_ tci: Int, _ type: Int) -> [UInt8] { u16(tci) + u16(type) }

    /// - Parameters:
    ///   - options: a multiple of 4 bytes.
    ///   - fragment: flags and offset.
    static func ipv4(_ proto: Int, options: [UInt8] = [], fragment: Int = 0, _ payload: [UInt8]) -> [UInt8] {
        let words = 5 + options.count / 4
        let length = words * 4 + payload.count
        var header: [UInt8] = [UInt8(0x40 + words), 0x10]
        header += u16(length) + u16(0x1234) + u16(fragment)
        header += [64, UInt8(proto), 0, 0] + source4 + destination4
        return header + options + payload
    }

    static func ipv6(_ next: Int, _ payload: [UInt8]) -> [UInt8] {
        [0x61, 0x20, 0, 0] + u16(payload.count) + [UInt8(next), 63] + source6 + destination6 + payload
    }

    static func udp(_ source: Int = 4660, _ destination: Int = 53) -> [UInt8] {
        u16(source) + u16(destination) + u16(12) + u16(0) + [1, 2, 3, 4]
    }

    static func tcp(flags: UInt8) -> [UInt8] {
        u16(4660) + u16(80) + [0, 0, 0x10, 0x01, 0, 0, 0x20, 0x02, 0x50, flags] + u16(1024) + u16(0) + u16(0)
    }

    static func arp(_ operation: Int) -> [UInt8] {
        u16(1) + u16(0x0800) + [6, 4] + u16(operation) + Array(macs[6...]) + source4 + [0, 0, 0, 0, 0, 0] + destination4
    }

    /// Offers the bytes as a packet with a link header.
    static var linked: packet_source {
        var source = packet_source()
        source.has_link = 1
        return source
    }

    /// Offers the bytes as a packet without one, of this type.
    static func unlinked(_ type: Int32) -> packet_source {
        var source = packet_source()
        source.protocol = UInt16(type)
        return source
    }

    /// Offers the bytes as a packet with a tag that hardware took out.
    static func tagged(_ tci: Int, _ type: Int32 = PACKET_TYPE_VLAN, in source: packet_source = linked) -> packet_source {
        var source = source
        source.has_vlan = 1
        source.vlan_type = UInt16(type)
        source.vlan_tci = UInt16(tci)
        return source
    }

    /// Calls `body` with the packet in bytes behind which no memory is readable: reading past them crashes.
    static func with<Result>(
        _ bytes: [UInt8], _ source: packet_source = linked, _ body: (CapturedPacket) throws -> Result
    ) rethrows -> Result {
        let page = Int(getpagesize())
        guard let base = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
        else { fatalError("mmap") }
        defer { munmap(base, 2 * page) }
        mprotect(base + page, page, PROT_NONE)
        let start = base + (page - bytes.count)
        bytes.withUnsafeBytes { start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: bytes.count) }
        return try body(CapturedPacket(bytes: UnsafeRawBufferPointer(start: start, count: bytes.count), source: source))
    }

    /// The headers alone.
    static func parse(_ bytes: [UInt8], _ source: packet_source = linked) -> BPFTypes.packet {
        with(bytes, source) { $0.packet }
    }

    /// The packet as text reports show it.
    static func text(_ bytes: [UInt8], _ source: packet_source = linked) -> String {
        with(bytes, source) { packet in
            let output = OutputBuffer(descriptor: -1)
            packet.write(to: output)
            return output.takeString()
        }
    }

    /// The packet's members in JSON.
    static func json(_ bytes: [UInt8], _ source: packet_source = linked) -> String {
        with(bytes, source) { packet in
            let output = OutputBuffer(descriptor: -1)
            var fields = FieldWriter(output, .json)
            packet.writeFields(&fields)
            return "{\(output.takeString())}"
        }
    }
}

extension BPFTypes.packet {
    func has(_ what: packet_found) -> Bool { found & UInt32(what.rawValue) != 0 }

    /// The words of both addresses as bytes.
    var addresses: [UInt8] {
        withUnsafeBytes(of: src) { Array($0) } + withUnsafeBytes(of: dst) { Array($0) }
    }

    /// "type:tci" of each tag, outermost first.
    var tags: [String] {
        let all = [(vlan_type.0, vlan_tci.0), (vlan_type.1, vlan_tci.1), (vlan_type.2, vlan_tci.2)]
        return all.prefix(Int(vlan_count)).map { "\(String($0, radix: 16)):\($1)" }
    }
}
