// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement
import Testing

/// Which packets a filter lets through.
@Suite struct PacketFilterTests {
    /// A UDP datagram from 10.1.2.3:4660 to 192.168.4.5:53.
    private let request = PacketBytes.parse(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp()))

    /// Its answer: addresses and ports changed over.
    private let reply: BPFTypes.packet = {
        var bytes = PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp(53, 4660))
        bytes.replaceSubrange(26..<34, with: PacketBytes.destination4 + PacketBytes.source4)
        return PacketBytes.parse(bytes)
    }()

    private let request6 = PacketBytes.parse(PacketBytes.ethernet(0x86dd) + PacketBytes.ipv6(17, PacketBytes.udp()))
    private let arp = PacketBytes.parse(PacketBytes.ethernet(0x0806) + PacketBytes.arp(1))

    private func matches(_ arguments: [String], _ packet: BPFTypes.packet) throws -> Bool {
        var filter = try PacketFilterOptions.parse(arguments).filter
        var packet = packet
        return packet_filter_match(&filter, &packet) == 1
    }

    private func matches(vlan: UInt16, _ packet: BPFTypes.packet) -> Bool {
        var filter = packet_filter()
        filter.conditions = UInt32(PACKET_FILTER_VLAN.rawValue)
        filter.vlan_id = vlan
        var packet = packet
        return packet_filter_match(&filter, &packet) == 1
    }

    private func matches(type: UInt16, _ packet: BPFTypes.packet) -> Bool {
        var filter = packet_filter()
        filter.conditions = UInt32(PACKET_FILTER_TYPE.rawValue)
        filter.ether_type = type
        var packet = packet
        return packet_filter_match(&filter, &packet) == 1
    }

    @Test func noConditions() throws {
        for packet in [request, reply, request6, arp, BPFTypes.packet()] { #expect(try matches([], packet)) }
    }

    // MARK: Direction

    @Test func aSourcePortDoesNotMatchReplies() throws {
        #expect(try matches(["--src-port", "4660"], request))
        #expect(try !matches(["--src-port", "4660"], reply))
        #expect(try matches(["--dst-port", "4660"], reply))
        #expect(try !matches(["--dst-port", "4660"], request))
    }

    @Test func aSourceAddressDoesNotMatchReplies() throws {
        #expect(try matches(["--src-ip", "10.1.2.3"], request))
        #expect(try !matches(["--src-ip", "10.1.2.3"], reply))
        #expect(try matches(["--dst-ip", "10.1.2.3"], reply))
        #expect(try !matches(["--dst-ip", "10.1.2.3"], request))
    }

    // MARK: All must hold

    @Test func everyConditionCounts() throws {
        let all = [
            "--src-ip", "10.1.2.3", "--dst-ip", "192.168.4.5", "--src-port", "4660", "--dst-port", "53", "--protocol", "udp",
        ]
        #expect(try matches(all, request))
        #expect(try !matches(all, reply))
        for (option, wrong) in [
            ("--src-ip", "10.1.2.4"), ("--dst-ip", "192.168.4.4"), ("--src-port", "4661"), ("--dst-port", "54"),
            ("--protocol", "tcp"),
        ] {
            var arguments = all
            let at = try #require(arguments.firstIndex(of: option))
            arguments[at + 1] = wrong
            #expect(try !matches(arguments, request), "\(option)")
        }
    }

    // MARK: Networks

    @Test(arguments: [
        ("10.1.2.3/32", true), ("10.1.2.2/31", true), ("10.1.2.0/24", true), ("10.0.0.0/8", true), ("10.9.9.9/8", true),
        ("0.0.0.0/0", true), ("10.1.2.4/31", false), ("10.1.3.0/24", false), ("11.0.0.0/8", false),
        ("128.0.0.0/1", false), ("::/0", false),
    ])
    func ipv4Networks(network: String, isMatch: Bool) throws {
        #expect(try matches(["--src-ip", network], request) == isMatch)
    }

    @Test(arguments: [
        ("2001:db8::1", true), ("2001:db8::/32", true), ("2001:db8::/127", true), ("2001:db8::/64", true), ("::/0", true),
        ("2001:db8::2", false), ("2001:db8:0:1::/64", false), ("2001:db9::/32", false), ("0.0.0.0/0", false),
    ])
    func ipv6Networks(network: String, isMatch: Bool) throws {
        #expect(try matches(["--src-ip", network], request6) == isMatch)
    }

    @Test func addressesOfAnotherFamilyOrNone() throws {
        #expect(try !matches(["--dst-ip", "192.168.4.5"], request6))
        #expect(try !matches(["--dst-ip", "2001:db8::2"], request))
        for network in ["0.0.0.0/0", "::/0", "10.1.2.3"] { #expect(try !matches(["--src-ip", network], arp)) }
        // ::a01:203 has the same words as no address of IPv4.
        #expect(try !matches(["--src-ip", "::"], request))
    }

    // MARK: Ports

    @Test func aLaterFragmentHasNoPorts() throws {
        let later = PacketBytes.parse(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, fragment: 0x0010, PacketBytes.udp()))
        #expect(try matches(["--src-ip", "10.1.2.3", "--protocol", "udp"], later))
        for option in ["--src-port", "--dst-port"] {
            #expect(try !matches([option, "4660"], later))
            #expect(try !matches([option, "0"], later))
        }
    }

    @Test func aFirstFragmentHas() throws {
        let first = PacketBytes.parse(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, fragment: 0x2000, PacketBytes.udp()))
        #expect(try matches(["--src-port", "4660", "--dst-port", "53"], first))
    }

    @Test func icmpHasNoPorts() throws {
        let echo = PacketBytes.parse(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(1, [0, 0, 0, 0, 0, 0, 0, 0]))
        #expect(try !matches(["--src-port", "0"], echo))
        #expect(try matches(["--protocol", "icmp"], echo))
    }

    @Test func portZeroIsAPort() throws {
        let packet = PacketBytes.parse(PacketBytes.ethernet(0x0800) + PacketBytes.ipv4(17, PacketBytes.udp(0, 53)))
        #expect(try matches(["--src-port", "0"], packet))
        #expect(try !matches(["--src-port", "0"], request))
    }

    @Test func aProtocolMustBeKnown() throws {
        #expect(try !matches(["--protocol", "0"], arp))
        let cut = PacketBytes.parse(PacketBytes.ethernet(0x0800) + [0x45, 0])
        #expect(try !matches(["--protocol", "0"], cut))
        #expect(try matches(["--protocol", "17"], request6))
    }

    // MARK: Frames

    @Test func frameTypes() {
        #expect(matches(type: 0x0800, request) && !matches(type: 0x0800, request6))
        #expect(matches(type: 0x0806, arp) && !matches(type: 0x86dd, arp))
        // The type behind the tags, never that of a tag.
        let tagged = PacketBytes.parse(PacketBytes.ethernet(0x8100) + PacketBytes.tag(5, 0x0806) + PacketBytes.arp(1))
        #expect(matches(type: 0x0806, tagged) && !matches(type: 0x8100, tagged))
        // A frame cut off in its link header has no type, not type 0.
        #expect(!matches(type: 0, PacketBytes.parse([1, 2, 3])))
    }

    @Test func aVLANInAnyTag() {
        let ip = PacketBytes.ipv4(17, PacketBytes.udp())
        let inLine = PacketBytes.ethernet(0x8100) + PacketBytes.tag(0xe065, 0x8100) + PacketBytes.tag(102, 0x0800) + ip
        let packet = PacketBytes.parse(inLine, PacketBytes.tagged(0x3064, PACKET_TYPE_QINQ))
        for id: UInt16 in [100, 101, 102] { #expect(matches(vlan: id, packet), "\(id)") }
        for id: UInt16 in [0, 99, 103, 0x3064, 0xe065] { #expect(!matches(vlan: id, packet), "\(id)") }
        #expect(!matches(vlan: 0, request))
        // A priority tag is a tag with id 0.
        #expect(matches(vlan: 0, PacketBytes.parse(PacketBytes.ethernet(0x0800) + ip, PacketBytes.tagged(0xe000))))
    }
}
