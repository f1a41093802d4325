// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Testing

@testable import PacketDrop

/// The command lines of eth-drop and drop-summary.
@Suite struct DropOptionTests {
    // MARK: Bad input

    /// Of both tools; each is one sentence that names the option.
    private static let bad: [[String]] = [
        ["--src-ip", "10.0.0.256"], ["--src-ip", "10.0.0.0/33"], ["--dst-ip", "2001:db8::/129"], ["--dst-ip", "host"],
        ["--src-port", "65536"], ["--dst-port", "-1"], ["--dst-port", "http"], ["--protocol", "tpc"], ["--protocol", "256"],
        ["--vlan-id", "4096"], ["--vlan-id", "65536"], ["--vlan-id", "x"], ["--type", "ip"], ["--type", "0x05ff"],
        ["--type", "0x10000"], ["--type", "2048"], ["--interface", ""], ["--interface", "sixteen-letters1"],
        ["--interface", "a/b"], ["--interface", "a b"], ["--duration", "0"], ["--duration", "soon"],
        ["--format", "xml"], ["--object", "new"], ["--unknown"], ["--src-port"],
    ]

    private func check(_ message: String, _ option: String) {
        #expect(message.contains(option), "\(message)")
        #expect(!message.isEmpty)
    }

    @Test(arguments: bad)
    func badInputOfEthDrop(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try EthDrop.parse(arguments) }
        if let error { check(EthDrop.message(for: error), arguments[0]) }
    }

    @Test(arguments: bad)
    func badInputOfDropSummary(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try DropSummary.parse(arguments) }
        if let error { check(DropSummary.message(for: error), arguments[0]) }
    }

    @Test(arguments: [
        ["--rate-limit", "0"], ["--rate-limit", "-5"], ["--count", "0"], ["--buffer-size", "3"],
        ["--buffer-size", "1048577"], ["--interval", "1"], ["--group-by", "flow"], ["--top", "5"],
    ])
    func badInputOfEthDropAlone(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try EthDrop.parse(arguments) }
        if let error { check(EthDrop.message(for: error), arguments[0]) }
    }

    @Test(arguments: [
        ["--top", "0"], ["--top", "10001"], ["--max-entries", "0"], ["--max-entries", "1048577"],
        ["--interval", "0.05"], ["--interval", "0"], ["--count", "0"], ["--group-by", "flows"], ["--group-by", ""],
        ["--stack"], ["--rate-limit", "5"],
    ])
    func badInputOfDropSummaryAlone(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try DropSummary.parse(arguments) }
        if let error { check(DropSummary.message(for: error), arguments[0]) }
    }

    @Test(arguments: [
        ["--type", "arp", "--protocol", "tcp"], ["--type", "0x8863", "--src-port", "1"],
        ["--type", "lldp", "--src-ip", "10.0.0.1"], ["--type", "ipv6", "--src-ip", "10.0.0.1"],
        ["--type", "ipv4", "--dst-ip", "::1"],
    ])
    func conditionsThatNoPacketMeets(arguments: [String]) {
        #expect(throws: (any Error).self) { try EthDrop.parse(arguments) }
        let error = #expect(throws: (any Error).self) { try DropSummary.parse(arguments) }
        if let error { check(DropSummary.message(for: error), "--type") }
    }

    @Test func familiesMayNotBeMixed() {
        #expect(throws: (any Error).self) { try EthDrop.parse(["--src-ip", "10.0.0.1", "--dst-ip", "::1"]) }
    }

    @Test func portsOfAProtocolWithout() {
        #expect(throws: (any Error).self) { try EthDrop.parse(["--protocol", "icmp", "--dst-port", "80"]) }
    }

    @Test(arguments: [("--interface", 5), ("--reason", 9), ("--location", 9)])
    func tooMany(option: String, count: Int) throws {
        let arguments = (0..<count).flatMap { [option, "name\($0)"] }
        let error = #expect(throws: (any Error).self) { try EthDrop.parse(arguments) }
        if let error { check(EthDrop.message(for: error), option) }
        _ = try EthDrop.parse(Array(arguments.dropLast(2)))
    }

    @Test func aSignIsNoPartOfAType() {
        #expect(throws: (any Error).self) { try EthDrop.parse(["--type", "0x+800"]) }
    }

    // MARK: The filter

    private func filter(_ arguments: [String]) throws -> drop_filter {
        try DropKernel(try EthDrop.parse(arguments).filters).filter
    }

    private func isEqual(_ left: drop_filter, _ right: drop_filter) -> Bool {
        withUnsafeBytes(of: left) { left in withUnsafeBytes(of: right) { left.elementsEqual($0) } }
    }

    @Test func noOptions() throws {
        #expect(isEqual(try filter([]), drop_filter()))
        #expect(isEqual(try filter(["--type", "all"]), drop_filter()))
    }

    @Test func bothToolsMakeTheSameFilter() throws {
        let arguments = ["--src-ip", "10.0.0.0/8", "--dst-port", "53", "--vlan-id", "7", "--interface", "lo"]
        #expect(isEqual(try filter(arguments), try DropKernel(try DropSummary.parse(arguments).filters).filter))
    }

    @Test func everyPacketCondition() throws {
        let filter = try filter([
            "--type", "ipv4", "--protocol", "udp", "--src-ip", "10.1.2.3/24", "--dst-ip", "192.168.4.5", "--src-port", "4660",
            "--dst-port", "53", "--vlan-id", "100",
        ])
        var wanted = drop_filter()
        wanted.packet.conditions = 0x7f
        wanted.packet.ether_type = 0x0800
        wanted.packet.protocol = 17
        wanted.packet.src.0 = UInt32(0x0a01_0200).bigEndian
        wanted.packet.src_mask.0 = UInt32(0xffff_ff00).bigEndian
        wanted.packet.dst.0 = UInt32(0xc0a8_0405).bigEndian
        wanted.packet.dst_mask.0 = .max
        wanted.packet.src_port = 4660
        wanted.packet.dst_port = 53
        wanted.packet.vlan_id = 100
        #expect(isEqual(filter, wanted))
    }

    @Test func ipv6() throws {
        var wanted = drop_filter()
        wanted.packet.conditions = UInt32(PACKET_FILTER_DST.rawValue | PACKET_FILTER_IPV6.rawValue)
        wanted.packet.dst = (UInt32(0x2001_0db8).bigEndian, 0, 0, 0)
        wanted.packet.dst_mask = (.max, 0, 0, 0)
        #expect(isEqual(try filter(["--dst-ip", "2001:db8::1/32"]), wanted))
    }

    @Test(arguments: [
        ("arp", 0x0806), ("RARP", 0x8035), ("ipv6", 0x86dd), ("lldp", 0x88cc), ("flow-control", 0x8808),
        ("0x8863", 0x8863), ("0X88A8", 0x88a8), ("0x600", 0x0600),
    ] as [(String, UInt16)])
    func frameTypes(name: String, number: UInt16) throws {
        var wanted = drop_filter()
        wanted.packet.conditions = UInt32(PACKET_FILTER_TYPE.rawValue)
        wanted.packet.ether_type = number
        #expect(isEqual(try filter(["--type", name]), wanted))
    }

    @Test func vlanZeroIsACondition() throws {
        #expect(try filter(["--vlan-id", "0"]).packet.conditions == PACKET_FILTER_VLAN.rawValue)
        #expect(try filter(["--vlan-id", "4095"]).packet.vlan_id == 4095)
    }

    @Test func interfaces() throws {
        let filter = try filter(["--interface", "lo", "--interface", "fifteen-letters"])
        #expect(filter.interface_count == 2)
        let names = withUnsafeBytes(of: filter.interfaces) { Array($0) }
        #expect(Array(names[..<16]) == Array("lo".utf8) + [UInt8](repeating: 0, count: 14))
        #expect(Array(names[16..<32]) == Array("fifteen-letters".utf8) + [0])
        #expect(names[32...].allSatisfy { $0 == 0 })
    }

    @Test func aDeviceThatIsNotThereIsNoted() throws {
        let options = try EthDrop.parse(["--interface", "lo", "--interface", "plumb-none"]).filters
        let notes = try DropKernel(options).notes
        #expect(notes.count == 1 && notes[0].contains("plumb-none"))
    }

    // MARK: The rest

    @Test func defaults() throws {
        let drops = try EthDrop.parse([])
        let records = drops.records
        #expect(records.rateLimit == nil && records.count == nil && records.bufferSize == 1024)
        #expect(!records.stack && !records.verbose)
        #expect(!drops.filters.includeExpected && drops.run.duration == nil && drops.output.format == .text)
        let summary = try DropSummary.parse([])
        let groups = summary.groups
        #expect(groups.groupBy == [.location, .reason] && groups.top == 10 && groups.maxEntries == 16_384)
        #expect(summary.intervals.interval.nanoseconds == 5_000_000_000 && summary.intervals.count == nil)
    }

    @Test func descriptionsNameEveryCondition() throws {
        let options = try EthDrop.parse([
            "--type", "ipv4", "--src-ip", "10.0.0.1", "--vlan-id", "7", "--interface", "a", "--interface", "b",
            "--reason", "no_socket", "--location", "tcp_v4_rcv",
        ]).filters
        #expect(
            options.descriptions.map { "\($0.name) \($0.value)" } == [
                "type ipv4", "src-ip 10.0.0.1", "vlan-id 7", "interface a", "interface b", "reason no_socket",
                "location tcp_v4_rcv",
            ])
    }
}
