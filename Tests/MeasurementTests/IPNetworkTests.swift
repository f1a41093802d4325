// SPDX-License-Identifier: Apache-2.0
import Measurement
import Testing

@Suite struct IPNetworkTests {
    /// Words of network byte order, as numbers that read like the address.
    private func host(_ words: [UInt32]) -> [UInt32] { words.map { UInt32(bigEndian: $0) } }

    @Test func anIPv4Address() throws {
        let network = try IPNetwork("10.1.2.3")
        #expect(!network.isIPv6)
        #expect(host(network.address) == [0x0a01_0203, 0, 0, 0])
        #expect(host(network.mask) == [0xffff_ffff, 0, 0, 0])
        #expect(network.description == "10.1.2.3")
    }

    @Test(arguments: [
        (0, 0), (1, 0x8000_0000), (8, 0xff00_0000), (12, 0xfff0_0000), (24, 0xffff_ff00), (31, 0xffff_fffe),
        (32, 0xffff_ffff),
    ] as [(Int, UInt32)])
    func ipv4Masks(length: Int, mask: UInt32) throws {
        let network = try IPNetwork("172.31.255.255/\(length)")
        #expect(host(network.mask) == [mask, 0, 0, 0])
        #expect(host(network.address) == [0xac1f_ffff & mask, 0, 0, 0])
    }

    @Test func anIPv6Address() throws {
        let network = try IPNetwork("2001:db8::1")
        #expect(network.isIPv6)
        #expect(host(network.address) == [0x2001_0db8, 0, 0, 1])
        #expect(host(network.mask) == [.max, .max, .max, .max])
    }

    @Test(arguments: [
        (0, [0, 0, 0, 0]), (1, [0x8000_0000, 0, 0, 0]), (32, [.max, 0, 0, 0]), (33, [.max, 0x8000_0000, 0, 0]),
        (64, [.max, .max, 0, 0]), (96, [.max, .max, .max, 0]), (127, [.max, .max, .max, 0xffff_fffe]),
        (128, [.max, .max, .max, .max]),
    ] as [(Int, [UInt32])])
    func ipv6Masks(length: Int, mask: [UInt32]) throws {
        let network = try IPNetwork("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/\(length)")
        #expect(host(network.mask) == mask)
        #expect(host(network.address) == mask)
    }

    @Test func otherForms() throws {
        #expect(host(try IPNetwork("::").address) == [0, 0, 0, 0])
        #expect(host(try IPNetwork("::ffff:10.0.0.1").address) == [0, 0, 0xffff, 0x0a00_0001])
        #expect(try IPNetwork("10.9.9.9/8").address == IPNetwork("10.0.0.0/8").address)
    }

    @Test(arguments: [
        "", "x", "10.0.0", "10.0.0.256", "10.0.0.1.2", "010.0.0.1 ", " 10.0.0.1", "10.0.0.1/33", "10.0.0.1/-1",
        "10.0.0.1/", "10.0.0.1/x", "10.0.0.1/8/8", "10.0.0.1/255.0.0.0", "/8", "2001:db8::/129", "2001:db8::1::2",
        "fe80::1%eth0", "[::1]", "10.0.0.1:80", "localhost", "12345::", "10.0.0.1/99999999999999999999",
    ])
    func badInput(text: String) {
        let error = #expect(throws: ParseError.self) { _ = try IPNetwork(text) }
        #expect(error?.description.contains("'\(text)'") == true)
    }

    @Test func aSignIsNoPartOfALength() {
        #expect(throws: ParseError.self) { _ = try IPNetwork("10.0.0.0/+8") }
    }
}
