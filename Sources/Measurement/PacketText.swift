// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Glibc

extension OutputBuffer {
    /// "02:00:00:00:00:01".
    public func ethernetAddress(_ bytes: UnsafeRawPointer) {
        for index in 0..<6 {
            if index > 0 { byte(0x3a) }
            hex(UInt64(bytes.load(fromByteOffset: index, as: UInt8.self)), width: 2)
        }
    }

    /// "10.0.0.1", from network byte order.
    public func ipv4(_ address: UInt32) {
        let host = UInt32(bigEndian: address)
        for shift in stride(from: UInt32(24), through: 0, by: -8) {
            decimal(UInt64(host >> shift & 255))
            if shift > 0 { byte(0x2e) }
        }
    }

    /// "2001:db8::1", from 16 bytes.
    public func ipv6(_ address: UnsafeRawPointer) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            guard let base = buffer.baseAddress, inet_ntop(AF_INET6, address, base, socklen_t(buffer.count)) != nil
            else { return }
            raw(UnsafeRawBufferPointer(start: base, count: strlen(base)))
        }
    }

    /// An address of a packet or a flow, IPv4 in the first word; nothing when the packet has none.
    public func address(_ words: (UInt32, UInt32, UInt32, UInt32), found: UInt32) {
        if found & UInt32(PACKET_HAS_IPV6.rawValue) != 0 {
            withUnsafeBytes(of: words) { bytes in bytes.baseAddress.map { ipv6($0) } }
        } else if found & UInt32(PACKET_HAS_IPV4.rawValue) != 0 {
            ipv4(words.0)
        }
    }

    /// "10.0.0.1:80", "[2001:db8::1]:80", or the bare address where there are no ports.
    public func endpoint(_ words: (UInt32, UInt32, UInt32, UInt32), port: UInt16, found: UInt32) {
        guard found & UInt32(PACKET_HAS_PORTS.rawValue) != 0 else { return address(words, found: found) }
        let bracket = found & UInt32(PACKET_HAS_IPV6.rawValue) != 0
        if bracket { byte(0x5b) }
        address(words, found: found)
        if bracket { byte(0x5d) }
        byte(0x3a)
        decimal(UInt64(port))
    }

    /// Names of the TCP flags that are set, "SYN|ACK"; "none" when none is.
    public func tcpFlags(_ flags: UInt8) {
        let names: [StaticString] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        var separator = false
        for (bit, name) in names.enumerated() where flags & 1 << UInt8(bit) != 0 {
            if separator { byte(0x7c) }
            separator = true
            text(name)
        }
        if !separator { text("none") }
    }

    /// "TCP", "UDP", "proto 99".
    public func protocolName(_ number: UInt8) {
        if let name = IPProtocol.name(number) {
            let start = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            for value in start { byte(value >= 0x61 && value <= 0x7a ? value - 0x20 : value) }
        } else {
            text("proto ")
            decimal(UInt64(number))
        }
    }
}

/// The headers of a packet whose first bytes were copied, read in place.
public struct CapturedPacket {
    public let packet: BPFTypes.packet
    public let source: packet_source
    private let bytes: UnsafeRawBufferPointer

    /// - Parameters:
    ///   - bytes: valid as long as this value is used.
    ///   - source: everything but `start` and `length`, which are taken from `bytes`.
    public init(bytes: UnsafeRawBufferPointer, source: packet_source) {
        var source = source
        source.start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        source.length = UInt32(bytes.count)
        var packet = BPFTypes.packet()
        if source.start != nil { packet_parse(&source, &packet) }
        self.packet = packet
        self.source = source
        self.bytes = bytes
    }

    public func has(_ what: packet_found) -> Bool { packet.found & UInt32(what.rawValue) != 0 }

    /// Calls `body` with the address of a byte that is known to be there.
    func bytesAt(_ offset: Int, _ body: (UnsafeRawPointer) -> Void) {
        if let base = bytes.baseAddress, offset < bytes.count { body(base + offset) }
    }

    /// A byte, by its distance from the packet's start; nil beyond the copied bytes.
    public func byte(_ offset: Int) -> UInt8? {
        offset >= 0 && offset < bytes.count ? bytes[offset] : nil
    }

    /// A big-endian number of two bytes.
    public func u16(_ offset: Int) -> UInt16? {
        guard let high = byte(offset), let low = byte(offset + 1) else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }

    /// A big-endian number of four bytes.
    public func u32(_ offset: Int) -> UInt32? {
        guard let high = u16(offset), let low = u16(offset + 2) else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    /// Where a header starts; nil when it was not reached.
    public var network: Int? { packet.network_offset == UInt16(PACKET_OFFSET_NONE) ? nil : Int(packet.network_offset) }
    public var transport: Int? {
        packet.transport_offset == UInt16(PACKET_OFFSET_NONE) ? nil : Int(packet.transport_offset)
    }

    /// ARP or RARP.
    var isARP: Bool {
        has(PACKET_HAS_TYPE)
            && (packet.ether_type == UInt16(PACKET_TYPE_ARP) || packet.ether_type == UInt16(PACKET_TYPE_RARP))
    }
    public var isTCP: Bool { has(PACKET_HAS_PORTS) && packet.protocol == UInt8(PACKET_PROTOCOL_TCP) }
    public var tcpSequence: UInt32? { isTCP ? transport.flatMap { u32($0 + 4) } : nil }
    public var tcpAcknowledgement: UInt32? { isTCP ? transport.flatMap { u32($0 + 8) } : nil }
    public var tcpFlags: UInt8? { isTCP ? transport.flatMap { byte($0 + 13) } : nil }
    /// IPv4 time to live, IPv6 hop limit.
    public var ttl: UInt8? {
        guard let network else { return nil }
        return has(PACKET_HAS_IPV4) ? byte(network + 8) : has(PACKET_HAS_IPV6) ? byte(network + 7) : nil
    }
    public var ipID: UInt16? { has(PACKET_HAS_IPV4) ? network.flatMap { u16($0 + 4) } : nil }
    /// IPv4 type of service, IPv6 traffic class.
    public var tos: UInt8? {
        guard let network else { return nil }
        if has(PACKET_HAS_IPV4) { return byte(network + 1) }
        return has(PACKET_HAS_IPV6) ? u16(network).map { UInt8(truncatingIfNeeded: $0 >> 4) } : nil
    }
    /// Length by the IP header, header included.
    public var ipLength: Int? {
        guard let network else { return nil }
        if has(PACKET_HAS_IPV4) { return u16(network + 2).map(Int.init) }
        return has(PACKET_HAS_IPV6) ? u16(network + 4).map { Int($0) + 40 } : nil
    }
    /// IPv4 fragment offset in bytes.
    public var fragmentOffset: Int? {
        has(PACKET_IS_FRAGMENT) && has(PACKET_HAS_IPV4) ? network.flatMap { u16($0 + 6) }.map { Int($0 & 0x1fff) * 8 } : nil
    }
    public var isICMPEcho: Bool {
        has(PACKET_HAS_ICMP)
            && (packet.protocol == UInt8(PACKET_PROTOCOL_ICMP)
                ? packet.icmp_type == 8 || packet.icmp_type == 0 : packet.icmp_type == 128 || packet.icmp_type == 129)
    }

    /// The packet in one line: addresses, tags, and what each layer says.
    public func write(to output: OutputBuffer) {
        guard let base = bytes.baseAddress else {
            output.text("no bytes")
            return
        }
        if has(PACKET_HAS_LINK) {
            output.ethernetAddress(base + 6)
            output.text(" > ")
            output.ethernetAddress(base)
            output.space()
        }
        withVLANs { type, tci in
            output.text(type == UInt16(PACKET_TYPE_VLAN) ? "vlan " : "svlan ")
            output.decimal(UInt64(tci & 0xfff))
            if tci >> 13 > 0 {
                output.text("p")
                output.decimal(UInt64(tci >> 13))
            }
            output.space()
        }
        if has(PACKET_HAS_IPV4) || has(PACKET_HAS_IPV6) {
            writeIP(to: output)
        } else {
            writeOther(to: output)
        }
        if has(PACKET_TRUNCATED) { output.text(" [cut off]") }
    }

    /// Calls `body` with type and tag control information of each tag, outermost first.
    public func withVLANs(_ body: (UInt16, UInt16) -> Void) {
        if packet.vlan_count > 0 { body(packet.vlan_type.0, packet.vlan_tci.0) }
        if packet.vlan_count > 1 { body(packet.vlan_type.1, packet.vlan_tci.1) }
        if packet.vlan_count > 2 { body(packet.vlan_type.2, packet.vlan_tci.2) }
    }

    private func writeIP(to output: OutputBuffer) {
        output.text(has(PACKET_HAS_IPV6) ? "IPv6 " : "IPv4 ")
        output.endpoint(packet.src, port: packet.src_port, found: packet.found)
        output.text(" > ")
        output.endpoint(packet.dst, port: packet.dst_port, found: packet.found)
        if has(PACKET_HAS_PROTOCOL) {
            output.space()
            output.protocolName(packet.protocol)
        }
        if let flags = tcpFlags {
            output.space()
            output.tcpFlags(flags)
        }
        if let sequence = tcpSequence, let acknowledgement = tcpAcknowledgement {
            output.text(" seq ")
            output.decimal(UInt64(sequence))
            output.text(" ack ")
            output.decimal(UInt64(acknowledgement))
        }
        if has(PACKET_HAS_ICMP) {
            output.text(" type ")
            output.decimal(UInt64(packet.icmp_type))
            output.text(" code ")
            output.decimal(UInt64(packet.icmp_code))
            if isICMPEcho, let transport, let id = u16(transport + 4), let sequence = u16(transport + 6) {
                output.text(" id ")
                output.decimal(UInt64(id))
                output.text(" seq ")
                output.decimal(UInt64(sequence))
            }
        }
        if has(PACKET_IS_FRAGMENT) {
            output.text(" fragment")
            if let offset = fragmentOffset {
                output.text(" at ")
                output.decimal(UInt64(offset))
            }
        }
        if let length = ipLength {
            output.text(" length ")
            output.decimal(UInt64(length))
        }
        if let ttl {
            output.text(" ttl ")
            output.decimal(UInt64(ttl))
        }
        if let id = ipID {
            output.text(" id ")
            output.decimal(UInt64(id))
        }
    }

    private func writeOther(to output: OutputBuffer) {
        let type = packet.ether_type
        if isARP, let network, byte(network + 27) != nil, let base = bytes.baseAddress {
            output.text(type == UInt16(PACKET_TYPE_ARP) ? "ARP " : "RARP ")
            switch u16(network + 6) {
            case 1, 3: output.text("request ")
            case 2, 4: output.text("reply ")
            default: output.text("other ")
            }
            output.ethernetAddress(base + network + 8)
            output.space()
            output.ipv4((base + network + 14).loadUnaligned(as: UInt32.self))
            output.text(" > ")
            output.ethernetAddress(base + network + 18)
            output.space()
            output.ipv4((base + network + 24).loadUnaligned(as: UInt32.self))
            return
        }
        switch Int32(type) {
        case PACKET_TYPE_LLDP: output.text("LLDP")
        case PACKET_TYPE_FLOW_CONTROL: output.text("flow control")
        default:
            if has(PACKET_HAS_TYPE) && type != 0 {
                output.text(type < UInt16(PACKET_TYPE_MINIMUM) ? "802.3 length 0x" : "type 0x")
                output.hex(UInt64(type), width: 4)
            } else {
                output.text("no network type")
            }
        }
        guard let start = network, start < bytes.count else { return }
        output.text(" bytes ")
        writeHexPrefix(to: output)
    }

    /// The first bytes behind the link header, at most 32, in hexadecimal.
    func writeHexPrefix(to output: OutputBuffer) {
        let start = network ?? 0
        guard start < bytes.count else { return }
        for value in bytes[start..<min(start + 32, bytes.count)] { output.hex(UInt64(value), width: 2) }
    }
}
