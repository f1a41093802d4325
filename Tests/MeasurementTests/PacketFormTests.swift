// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Testing

/// One packet, in every form in which an skb can hold it, is read as the same packet.
@Suite struct PacketFormTests {
    struct Form: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Bytes before the IP header.
        let link: [UInt8]
        let hardwareTag: (tci: Int, type: Int32)?
        /// skb->protocol, for a packet without a link header.
        let type: Int32?
        let tags: [String]

        init(
            _ name: String, _ link: [UInt8], hardware: (tci: Int, type: Int32)? = nil, type: Int32? = nil, _ tags: [String]
        ) {
            (testDescription, self.link, hardwareTag, self.type, self.tags) = (name, link, hardware, type, tags)
        }

        var source: packet_source {
            let source = type.map { PacketBytes.unlinked($0) } ?? PacketBytes.linked
            return hardwareTag.map { PacketBytes.tagged($0.tci, $0.type, in: source) } ?? source
        }
    }

    private static func forms(_ type: Int32) -> [Form] {
        let type = Int(type)
        let vlan = 0x8100
        let qinq = 0x88a8
        typealias Bytes = PacketBytes
        return [
            Form("plain", Bytes.ethernet(type), []),
            Form("hardware tag", Bytes.ethernet(type), hardware: (0x2064, PACKET_TYPE_VLAN), ["8100:8292"]),
            Form("802.1Q", Bytes.ethernet(vlan) + Bytes.tag(100, type), ["8100:100"]),
            Form("802.1ad", Bytes.ethernet(qinq) + Bytes.tag(200, vlan) + Bytes.tag(100, type), ["88a8:200", "8100:100"]),
            Form("old QinQ", Bytes.ethernet(0x9100) + Bytes.tag(200, vlan) + Bytes.tag(100, type), ["9100:200", "8100:100"]),
            Form(
                "three tags", Bytes.ethernet(qinq) + Bytes.tag(1, qinq) + Bytes.tag(2, vlan) + Bytes.tag(3, type),
                ["88a8:1", "88a8:2", "8100:3"]),
            Form(
                "hardware and 802.1Q", Bytes.ethernet(vlan) + Bytes.tag(100, type), hardware: (200, PACKET_TYPE_QINQ),
                ["88a8:200", "8100:100"]),
            Form(
                "hardware and two tags", Bytes.ethernet(vlan) + Bytes.tag(2, vlan) + Bytes.tag(3, type),
                hardware: (1, PACKET_TYPE_QINQ), ["88a8:1", "8100:2", "8100:3"]),
            Form("no link header", [], type: Int32(type), []),
            Form("no link header, hardware tag", [], hardware: (100, PACKET_TYPE_VLAN), type: Int32(type), ["8100:100"]),
            Form("no link header, 802.1Q", Bytes.tag(100, type), type: PACKET_TYPE_VLAN, ["8100:100"]),
        ]
    }

    private func check(_ form: Form, _ ip: [UInt8], _ type: Int32, _ family: packet_found, headers: Int) {
        let packet = PacketBytes.parse(form.link + ip, form.source)
        let plain = PacketBytes.parse(ip, PacketBytes.unlinked(type))
        #expect(packet.tags == form.tags)
        #expect(packet.ether_type == UInt16(type))
        #expect(packet.addresses == plain.addresses)
        #expect(packet.protocol == UInt8(PACKET_PROTOCOL_UDP))
        #expect(packet.src_port == 4660 && packet.dst_port == 53)
        let link = form.type == nil ? UInt32(PACKET_HAS_LINK.rawValue) : 0
        let wanted = [PACKET_HAS_TYPE, family, PACKET_HAS_PROTOCOL, PACKET_HAS_PORTS].reduce(link) { $0 | UInt32($1.rawValue) }
        #expect(packet.found == wanted)
        #expect(Int(packet.network_offset) == form.link.count)
        #expect(Int(packet.transport_offset) == form.link.count + headers)
    }

    @Test(arguments: forms(PACKET_TYPE_IPV4))
    func ipv4(form: Form) {
        let ip = PacketBytes.ipv4(17, PacketBytes.udp())
        check(form, ip, PACKET_TYPE_IPV4, PACKET_HAS_IPV4, headers: 20)
        let zeroes = [UInt8](repeating: 0, count: 12)
        let addresses = PacketBytes.parse(form.link + ip, form.source).addresses
        #expect(addresses == PacketBytes.source4 + zeroes + PacketBytes.destination4 + zeroes)
    }

    @Test(arguments: forms(PACKET_TYPE_IPV6))
    func ipv6(form: Form) {
        let ip = PacketBytes.ipv6(17, PacketBytes.udp())
        check(form, ip, PACKET_TYPE_IPV6, PACKET_HAS_IPV6, headers: 40)
        #expect(
            PacketBytes.parse(form.link + ip, form.source).addresses == PacketBytes.source6 + PacketBytes.destination6)
    }

    /// A fourth tag is not followed: the type says so, and no address is made up.
    @Test func fourTags() {
        let link = PacketBytes.ethernet(0x8100) + (1...3).flatMap { PacketBytes.tag($0, 0x8100) } + PacketBytes.tag(4, 0x0800)
        let packet = PacketBytes.parse(link + PacketBytes.ipv4(17, PacketBytes.udp()))
        #expect(packet.tags == ["8100:1", "8100:2", "8100:3"])
        #expect(packet.ether_type == 0x8100)
        #expect(!packet.has(PACKET_HAS_IPV4))
    }
}
