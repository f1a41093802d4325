// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement
import Testing

/// Packets as reports show them.
@Suite struct PacketTextTests {
    private let link = "02:00:00:00:00:01 > 02:00:00:00:00:02 "

    private func text(_ type: Int, _ body: [UInt8]) -> String { PacketBytes.text(PacketBytes.ethernet(type) + body) }

    private func fields(_ type: Int, _ body: [UInt8]) throws -> [String: Any] {
        try #require(JSONText.object(PacketBytes.json(PacketBytes.ethernet(type) + body)))
    }

    // MARK: IP

    @Test func udp() {
        #expect(
            text(0x0800, PacketBytes.ipv4(17, PacketBytes.udp()))
                == link + "IPv4 10.1.2.3:4660 > 192.168.4.5:53 UDP length 32 ttl 64 id 4660")
        #expect(
            text(0x86dd, PacketBytes.ipv6(17, PacketBytes.udp()))
                == link + "IPv6 [2001:db8::1]:4660 > [2001:db8::2]:53 UDP length 52 ttl 63")
    }

    @Test func udpFields() throws {
        let fields = try fields(0x0800, PacketBytes.ipv4(17, PacketBytes.udp()))
        #expect(fields["eth_src"] as? String == "02:00:00:00:00:01")
        #expect(fields["eth_dst"] as? String == "02:00:00:00:00:02")
        #expect(fields["eth_type"] as? String == "0x0800")
        #expect(fields["src"] as? String == "10.1.2.3" && fields["dst"] as? String == "192.168.4.5")
        #expect(fields["src_port"] as? Int == 4660 && fields["dst_port"] as? Int == 53)
        #expect(fields["protocol"] as? Int == 17 && fields["ttl"] as? Int == 64 && fields["tos"] as? Int == 16)
        #expect(fields["ip_length"] as? Int == 32 && fields["ip_id"] as? Int == 0x1234)
        for absent in ["vlan", "tcp_flags", "icmp_type", "arp_src", "fragment_offset"] { #expect(fields[absent] == nil) }
    }

    @Test func trafficClassOfIPv6() throws {
        #expect(try fields(0x86dd, PacketBytes.ipv6(17, PacketBytes.udp()))["tos"] as? Int == 0x12)
    }

    @Test func tags() throws {
        let body = PacketBytes.tag(0xa0c8, 0x8100) + PacketBytes.tag(100, 0x0800) + PacketBytes.ipv4(17, PacketBytes.udp())
        #expect(text(0x88a8, body).hasPrefix(link + "svlan 200p5 vlan 100 IPv4 "))
        let fields = try fields(0x88a8, body)
        #expect(fields["vlan"] as? String == "200.100")
        #expect(fields["vlan_type"] as? String == "0x88a8.0x8100")
        #expect(fields["vlan_priority"] as? String == "5.0")
        let one = PacketBytes.text(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp()), PacketBytes.tagged(7))
        #expect(one.hasPrefix(link + "vlan 7 IPv4 "))
    }

    @Test func withoutLinkHeader() {
        let text = PacketBytes.text(PacketBytes.ipv4(17, PacketBytes.udp()), PacketBytes.unlinked(PACKET_TYPE_IPV4))
        #expect(text.hasPrefix("IPv4 10.1.2.3:4660 > "))
    }

    @Test func fragments() throws {
        let later = PacketBytes.ipv4(17, fragment: 0x2010, PacketBytes.udp())
        #expect(
            text(0x0800, later) == link + "IPv4 10.1.2.3 > 192.168.4.5 UDP fragment at 128 length 32 ttl 64 id 4660")
        #expect(try fields(0x0800, later)["fragment_offset"] as? Int == 128)
        #expect(try fields(0x0800, later)["src_port"] == nil)
        #expect(text(0x0800, PacketBytes.ipv4(17, fragment: 0x2000, PacketBytes.udp())).contains(":53 UDP fragment at 0 "))
    }

    // MARK: TCP

    @Test(arguments: [
        (0x02, "SYN"), (0x12, "SYN|ACK"), (0x10, "ACK"), (0x04, "RST"), (0x14, "RST|ACK"), (0x11, "FIN|ACK"),
        (0x18, "PSH|ACK"), (0x00, "none"), (0xff, "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR"), (0xc2, "SYN|ECE|CWR"),
    ] as [(UInt8, String)])
    func tcpFlags(flags: UInt8, names: String) throws {
        let packet = PacketBytes.ipv4(6, PacketBytes.tcp(flags: flags))
        #expect(text(0x0800, packet).contains(" 192.168.4.5:80 TCP \(names) seq 4097 ack 8194 length 40 "))
        let fields = try fields(0x0800, packet)
        #expect(fields["tcp_flags"] as? String == names)
        #expect(fields["tcp_seq"] as? Int == 4097 && fields["tcp_ack"] as? Int == 8194)
    }

    @Test func tcpOfWhichOnlyThePortsAreThere() {
        let bytes = Array((PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(6, PacketBytes.tcp(flags: 2)))[..<(14 + 20 + 4)])
        #expect(PacketBytes.text(bytes) == link + "IPv4 10.1.2.3:4660 > 192.168.4.5:80 TCP length 40 ttl 64 id 4660")
    }

    // MARK: ICMP

    @Test func icmpEcho() throws {
        let request = PacketBytes.ipv4(1, [8, 0, 0, 0, 0x12, 0x34, 0, 9])
        #expect(text(0x0800, request).contains("192.168.4.5 ICMP type 8 code 0 id 4660 seq 9 length 28"))
        let fields = try fields(0x0800, request)
        #expect(fields["icmp_type"] as? Int == 8 && fields["icmp_code"] as? Int == 0)
        #expect(fields["icmp_id"] as? Int == 4660 && fields["icmp_seq"] as? Int == 9)
        for type: UInt8 in [128, 129] {
            #expect(text(0x86dd, PacketBytes.ipv6(58, [type, 0, 0, 0, 0, 1, 0, 2])).contains("ICMPV6 type \(type) code 0 id 1 seq 2"))
        }
    }

    @Test func icmpError() throws {
        let error = PacketBytes.ipv4(1, [3, 4, 0, 0, 0, 0, 5, 0xdc])
        #expect(text(0x0800, error).contains("ICMP type 3 code 4 length"))
        #expect(try fields(0x0800, error)["icmp_id"] == nil)
        // Type 8 is an echo in ICMP alone, type 128 in ICMPv6 alone.
        #expect(!text(0x86dd, PacketBytes.ipv6(58, [8, 0, 0, 0, 0, 1, 0, 2])).contains(" id "))
        #expect(!text(0x0800, PacketBytes.ipv4(1, [128, 0, 0, 0, 0, 1, 0, 2])).contains(" seq "))
    }

    @Test func protocolsByNumber() {
        #expect(text(0x0800, PacketBytes.ipv4(47, [0, 0, 0, 0])).contains(" GRE "))
        #expect(text(0x0800, PacketBytes.ipv4(99, [0, 0, 0, 0])).contains(" proto 99 "))
    }

    // MARK: Other frames

    @Test func arp() throws {
        let request = PacketBytes.arp(1)
        let ends = "02:00:00:00:00:01 10.1.2.3 > 00:00:00:00:00:00 192.168.4.5"
        #expect(text(0x0806, request) == link + "ARP request \(ends)")
        #expect(text(0x0806, PacketBytes.arp(2)) == link + "ARP reply \(ends)")
        #expect(text(0x0806, PacketBytes.arp(9)) == link + "ARP other \(ends)")
        #expect(text(0x8035, PacketBytes.arp(3)) == link + "RARP request \(ends)")
        let fields = try fields(0x0806, request)
        #expect(fields["arp_operation"] as? Int == 1)
        #expect(fields["arp_src"] as? String == "10.1.2.3" && fields["arp_dst"] as? String == "192.168.4.5")
        #expect(fields["src"] == nil && fields["protocol"] == nil)
    }

    @Test func arpInAVLAN() throws {
        let fields = try fields(0x8100, PacketBytes.tag(5, 0x0806) + PacketBytes.arp(1))
        #expect(fields["vlan"] as? String == "5" && fields["eth_type"] as? String == "0x0806")
        #expect(fields["arp_dst"] as? String == "192.168.4.5")
    }

    @Test func framesThatAreNotRead() {
        #expect(text(0x88cc, [2, 7, 4, 0xff]) == link + "LLDP bytes 020704ff")
        #expect(text(0x8808, [0, 1]) == link + "flow control bytes 0001")
        #expect(text(0x8863, [0x11]) == link + "type 0x8863 bytes 11")
        #expect(text(0x0026, [0x42, 0x42, 0x03]) == link + "802.3 length 0x0026 bytes 424203")
        #expect(text(0x8863, []) == link + "type 0x8863")
    }

    @Test func fieldsOfFramesThatAreNotRead() throws {
        #expect(try fields(0x88cc, [2, 7, 4, 0xff])["data"] as? String == "020704ff")
        #expect(try fields(0x0800, PacketBytes.ipv4(17, PacketBytes.udp()))["bytes"] == nil)
    }

    @Test func atMostThirtyTwoBytesAreShown() {
        let text = text(0x8863, [UInt8](repeating: 0x5a, count: 60))
        #expect(text.hasSuffix(" bytes " + String(repeating: "5a", count: 32)))
    }

    @Test func aHeaderCutOffIsMarked() throws {
        #expect(try fields(0x0800, [0x45])["cut_off"] as? Bool == true)
        #expect(try fields(0x0806, PacketBytes.arp(1))["cut_off"] as? Bool == false)
        let bytes = Array((PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp()))[..<(14 + 20 + 3)])
        #expect(PacketBytes.text(bytes) == link + "IPv4 10.1.2.3 > 192.168.4.5 UDP length 32 ttl 64 id 4660 [cut off]")
    }

    @Test func everyNamedProtocolHasOneNumber() {
        #expect(Set(IPProtocol.names.map(\.number)).count == IPProtocol.names.count)
        #expect(Set(IPProtocol.names.map(\.name.description)).count == IPProtocol.names.count)
    }

    /// A report line, JSON or CSV, has the same columns whatever the packet.
    @Test func columnsAreTheSameForEveryPacket() {
        func cells(_ bytes: [UInt8], _ mode: FieldWriter.Mode) -> Int {
            PacketBytes.with(bytes) { packet in
                let output = OutputBuffer(descriptor: -1)
                var fields = FieldWriter(output, mode)
                packet.writeFields(&fields)
                return output.takeString().split(separator: ",", omittingEmptySubsequences: false).count
            }
        }
        let names = cells([], .csvNames)
        for body in [
            PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp()),
            PacketBytes.ethernet(0x86dd) + PacketBytes.ipv6(58, [128, 0, 0, 0, 0, 1, 0, 2]),
            PacketBytes.ethernet(0x0806) + PacketBytes.arp(1), PacketBytes.ethernet(0x88cc) + [1], [],
        ] { #expect(cells(body, .csvValues) == names) }
    }
}
