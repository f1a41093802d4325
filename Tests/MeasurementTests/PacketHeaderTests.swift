// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Testing

/// IPv4 and IPv6 headers and what follows them.
@Suite struct PacketHeaderTests {
    private func ipv4(_ proto: Int, options: [UInt8] = [], fragment: Int = 0, _ payload: [UInt8]) -> BPFTypes.packet {
        PacketBytes.parse(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(proto, options: options, fragment: fragment, payload))
    }

    private func ipv6(_ next: Int, _ payload: [UInt8]) -> BPFTypes.packet {
        PacketBytes.parse(PacketBytes.ethernet(0x86dd) + PacketBytes.ipv6(next, payload))
    }

    private func hasUDPPorts(_ packet: BPFTypes.packet) -> Bool {
        packet.has(PACKET_HAS_PORTS) && packet.protocol == 17 && packet.src_port == 4660 && packet.dst_port == 53
    }

    // MARK: IPv4

    @Test(arguments: [1, 2, 10])
    func options(words: Int) {
        let packet = ipv4(17, options: [UInt8](repeating: 1, count: words * 4), PacketBytes.udp())
        #expect(hasUDPPorts(packet))
        #expect(Int(packet.transport_offset) == 14 + 20 + words * 4)
    }

    @Test func firstFragment() {
        let packet = ipv4(17, fragment: 0x2000, PacketBytes.udp())
        #expect(packet.has(PACKET_IS_FRAGMENT) && !packet.has(PACKET_IS_LATER_FRAGMENT))
        #expect(hasUDPPorts(packet))
    }

    @Test(arguments: [0x2001, 0x0001, 0x1fff])
    func laterFragments(field: Int) {
        let packet = ipv4(17, fragment: field, PacketBytes.udp())
        #expect(packet.has(PACKET_IS_FRAGMENT) && packet.has(PACKET_IS_LATER_FRAGMENT))
        #expect(packet.has(PACKET_HAS_PROTOCOL) && packet.protocol == 17)
        #expect(!packet.has(PACKET_HAS_PORTS) && packet.src_port == 0 && packet.dst_port == 0)
        #expect(packet.transport_offset == UInt16(PACKET_OFFSET_NONE))
    }

    /// "Do not fragment" is no fragment.
    @Test func doNotFragment() {
        let packet = ipv4(17, fragment: 0x4000, PacketBytes.udp())
        #expect(!packet.has(PACKET_IS_FRAGMENT) && hasUDPPorts(packet))
    }

    @Test func aHeaderThatIsNoIPv4() {
        var bytes = PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp())
        for first: UInt8 in [0x44, 0x40, 0x65, 0x00] {
            bytes[14] = first
            let packet = PacketBytes.parse(bytes)
            #expect(packet.has(PACKET_HAS_TYPE) && !packet.has(PACKET_HAS_IPV4) && !packet.has(PACKET_HAS_PROTOCOL))
        }
    }

    // MARK: IPv6

    private static let hopByHop = 0
    private static let routing = 43
    private static let fragment = 44
    private static let authentication = 51
    private static let destination = 60

    /// An extension header of `length` units behind the first one.
    private static func header(next: Int, length: Int = 0, unit: Int = 8, fixed: Int = 8) -> [UInt8] {
        [UInt8(next), UInt8(length)] + [UInt8](repeating: 0, count: fixed + length * unit - 2)
    }

    private static func fragmentHeader(next: Int, offset: Int, more: Bool) -> [UInt8] {
        [UInt8(next), 0] + PacketBytes.u16(offset * 8 | (more ? 1 : 0)) + [0, 0, 0, 1]
    }

    /// Length in words of 4 bytes, less 2.
    private static func authenticationHeader(next: Int, length: Int) -> [UInt8] {
        header(next: next, length: length, unit: 4, fixed: 8)
    }

    @Test func allExtensionHeaders() {
        let extensions =
            Self.header(next: Self.routing, length: 1) + Self.header(next: Self.destination, length: 2)
            + Self.header(next: Self.fragment) + Self.fragmentHeader(next: 17, offset: 0, more: true)
        let packet = ipv6(Self.hopByHop, extensions + PacketBytes.udp())
        #expect(hasUDPPorts(packet))
        #expect(packet.has(PACKET_IS_FRAGMENT) && !packet.has(PACKET_IS_LATER_FRAGMENT))
        #expect(Int(packet.transport_offset) == 14 + 40 + extensions.count)
    }

    /// AH is the protocol, as it is in IPv4: what it protects is not looked into.
    @Test(arguments: [1, 2, 3, 4])
    func authentication(length: Int) {
        let packet = ipv6(Self.authentication, Self.authenticationHeader(next: 17, length: length) + PacketBytes.udp())
        #expect(packet.has(PACKET_HAS_PROTOCOL) && Int(packet.protocol) == Self.authentication)
        #expect(!packet.has(PACKET_HAS_PORTS))
    }

    /// The upper protocol of such a packet is in its first fragment alone.
    @Test func laterFragmentOfExtensionHeaders() {
        let packet = ipv6(Self.fragment, Self.fragmentHeader(next: Self.destination, offset: 185, more: false))
        #expect(packet.has(PACKET_IS_LATER_FRAGMENT) && !packet.has(PACKET_HAS_PROTOCOL))
    }

    @Test func laterFragmentOfIPv6() {
        let packet = ipv6(Self.fragment, Self.fragmentHeader(next: 17, offset: 185, more: true) + PacketBytes.udp())
        #expect(packet.has(PACKET_IS_FRAGMENT) && packet.has(PACKET_IS_LATER_FRAGMENT))
        #expect(packet.has(PACKET_HAS_PROTOCOL) && packet.protocol == 17)
        #expect(!packet.has(PACKET_HAS_PORTS))
    }

    /// A fragment header before a whole packet (RFC 6946).
    @Test func atomicFragment() {
        let packet = ipv6(Self.fragment, Self.fragmentHeader(next: 17, offset: 0, more: false) + PacketBytes.udp())
        #expect(packet.has(PACKET_IS_FRAGMENT) && hasUDPPorts(packet))
    }

    @Test func sixExtensionHeadersAreFollowed() {
        let five = (0..<5).flatMap { _ in Self.header(next: Self.destination) }
        #expect(hasUDPPorts(ipv6(Self.destination, five + Self.header(next: 17) + PacketBytes.udp())))
    }

    /// Of a seventh one only its own number is known.
    @Test func aSeventhExtensionHeaderIsNot() {
        let six = (0..<6).flatMap { _ in Self.header(next: Self.destination) }
        let packet = ipv6(Self.destination, six + Self.header(next: 17) + PacketBytes.udp())
        #expect(packet.has(PACKET_HAS_IPV6) && !packet.has(PACKET_HAS_PORTS))
        #expect(packet.protocol == UInt8(Self.destination))
    }

    @Test func noNextHeader() {
        let packet = ipv6(59, [])
        #expect(packet.has(PACKET_HAS_PROTOCOL) && packet.protocol == 59)
        #expect(!packet.has(PACKET_HAS_PORTS) && !packet.has(PACKET_TRUNCATED))
    }

    @Test func aHeaderThatIsNoIPv6() {
        let packet = PacketBytes.parse(PacketBytes.ethernet(0x86dd) + PacketBytes.ipv4(17, PacketBytes.udp() + PacketBytes.udp()))
        #expect(packet.has(PACKET_HAS_TYPE) && !packet.has(PACKET_HAS_IPV6))
    }

    // MARK: Upper protocols

    @Test(arguments: [6, 17, 33, 132, 136])
    func protocolsWithPorts(number: Int) {
        for packet in [ipv4(number, PacketBytes.udp()), ipv6(number, PacketBytes.udp())] {
            #expect(packet.has(PACKET_HAS_PORTS) && packet.src_port == 4660 && packet.dst_port == 53)
        }
    }

    @Test(arguments: [2, 4, 41, 47, 50, 89, 112, 255])
    func protocolsWithoutPorts(number: Int) {
        for packet in [ipv4(number, PacketBytes.udp()), ipv6(number, PacketBytes.udp())] {
            #expect(!packet.has(PACKET_HAS_PORTS) && !packet.has(PACKET_HAS_ICMP) && !packet.has(PACKET_TRUNCATED))
            #expect(Int(packet.protocol) == number)
        }
    }

    @Test func icmp() {
        for packet in [ipv4(1, [3, 4, 0, 0, 0, 0, 0, 0]), ipv6(58, [3, 4, 0, 0, 0, 0, 0, 0])] {
            #expect(packet.has(PACKET_HAS_ICMP) && !packet.has(PACKET_HAS_PORTS))
            #expect(packet.icmp_type == 3 && packet.icmp_code == 4)
        }
    }

    @Test func icmpInALaterFragment() {
        #expect(!ipv4(1, fragment: 0x0010, [8, 0, 0, 0]).has(PACKET_HAS_ICMP))
    }
}
