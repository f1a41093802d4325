// SPDX-License-Identifier: Apache-2.0
import Measurement
import Testing

/// Values on the command line that all tools share.
@Suite struct OptionTests {
    @Test(arguments: [("1", 1_000_000_000), ("0.5", 500_000_000), ("0.1", 100_000_000), ("0.2", 200_000_000), ("10000000", 10_000_000_000_000_000)] as [(String, UInt64)])
    func seconds(text: String, nanoseconds: UInt64) throws {
        #expect(try Seconds.parse(text).nanoseconds == nanoseconds)
    }

    @Test(arguments: ["", "0", "-1", "x", "1s", "nan", "inf", "10000001", "1,5", " 1", "1e99"])
    func badSeconds(text: String) {
        #expect(throws: (any Error).self) { try Seconds.parse(text) }
    }

    @Test func aTimeTooShortToCountIsRefused() {
        #expect(throws: (any Error).self) { try Seconds.parse("1e-10") }
    }

    @Test func secondsInWords() throws {
        #expect(Seconds(whole: 5).description == "5")
        #expect(try Seconds.parse("0.5").description == "0.500")
    }

    @Test func intervals() throws {
        #expect(try IntervalOptions.parse([]).interval.nanoseconds == 5_000_000_000)
        #expect(try IntervalOptions.parse(["--interval", "0.1", "--count", "3"]).count == 3)
        for bad in [["--interval", "0.09"], ["--count", "0"], ["--count", "-1"], ["--count", "x"], ["--interval"]] {
            #expect(throws: (any Error).self) { try IntervalOptions.parse(bad) }
        }
    }

    @Test func protocols() throws {
        #expect(try IPProtocol.parse("tcp").number == 6)
        #expect(try IPProtocol.parse("ICMPv6").number == 58)
        #expect(try IPProtocol.parse("0").number == 0)
        #expect(try IPProtocol.parse("255").number == 255)
        for bad in ["", "256", "-1", "tcpp", "0x6"] { #expect(throws: (any Error).self) { try IPProtocol.parse(bad) } }
        #expect(IPProtocol.name(6)?.description == "tcp")
        #expect(IPProtocol.name(200) == nil)
    }

    @Test func addressesOfOneFamily() throws {
        #expect(throws: (any Error).self) { try PacketFilterOptions.parse(["--src-ip", "10.0.0.1", "--dst-ip", "::1"]) }
        _ = try PacketFilterOptions.parse(["--src-ip", "10.0.0.1", "--dst-ip", "10.0.0.0/8"])
    }

    @Test func portsNeedAProtocolThatHasThem() throws {
        for name in ["icmp", "gre", "50"] {
            #expect(throws: (any Error).self) { try PacketFilterOptions.parse(["--src-port", "1", "--protocol", name]) }
        }
        for name in ["tcp", "udp", "sctp", "dccp", "udplite"] {
            _ = try PacketFilterOptions.parse(["--src-port", "1", "--protocol", name])
        }
    }

    @Test(arguments: ["65536", "-1", "http", "", "80-90", "0x50"])
    func badPorts(text: String) {
        #expect(throws: (any Error).self) { try PacketFilterOptions.parse(["--dst-port", text]) }
    }

    @Test func aSignIsNoPartOfANumber() {
        #expect(throws: (any Error).self) { try PacketFilterOptions.parse(["--dst-port", "+80"]) }
        #expect(throws: (any Error).self) { try IPProtocol.parse("+6") }
    }

    @Test func descriptionsNameEveryCondition() throws {
        let arguments = ["--src-ip", "10.0.0.0/8", "--dst-ip", "10.0.0.1", "--src-port", "1", "--dst-port", "2", "--protocol", "17"]
        let shown = try PacketFilterOptions.parse(arguments).descriptions.map { "\($0.name) \($0.value)" }
        #expect(shown == ["src-ip 10.0.0.0/8", "dst-ip 10.0.0.1", "src-port 1", "dst-port 2", "protocol udp"])
        #expect(try PacketFilterOptions.parse([]).descriptions.isEmpty)
    }
}
