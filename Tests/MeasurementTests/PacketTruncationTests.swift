// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement
import Testing

/// Packets cut off at every length. Memory behind the bytes is not readable, so reading too far crashes.
@Suite struct PacketTruncationTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let source: @Sendable () -> packet_source
    }

    private static let samples: [Sample] = {
        typealias Bytes = PacketBytes
        func sample(
            _ name: String, _ bytes: [UInt8], _ source: @escaping @Sendable () -> packet_source = { PacketBytes.linked }
        ) -> Sample {
            Sample(testDescription: name, bytes: bytes, source: source)
        }
        // Hop-by-hop, routing of 16 bytes, fragment, authentication of 12 bytes, destination.
        var extensions: [UInt8] = [43, 0, 0, 0, 0, 0, 0, 0]
        extensions += [44, 1] + [UInt8](repeating: 0, count: 14)
        extensions += [51, 0, 0, 1, 0, 0, 0, 1]
        extensions += [60, 1] + [UInt8](repeating: 0, count: 10)
        extensions += [6, 0, 0, 0, 0, 0, 0, 0]
        return [
            sample("TCP", Bytes.ethernet(0x0800) + Bytes.ipv4(6, Bytes.tcp(flags: 0x12))),
            sample("IPv4 options", Bytes.ethernet(0x0800) + Bytes.ipv4(17, options: [1, 1, 1, 1, 1, 1, 1, 1], Bytes.udp())),
            sample("first fragment", Bytes.ethernet(0x0800) + Bytes.ipv4(17, fragment: 0x2000, Bytes.udp())),
            sample("later fragment", Bytes.ethernet(0x0800) + Bytes.ipv4(17, fragment: 0x2010, Bytes.udp())),
            sample("ICMP echo", Bytes.ethernet(0x0800) + Bytes.ipv4(1, [8, 0, 0, 0, 0, 7, 0, 9])),
            sample("IPv6 extensions", Bytes.ethernet(0x86dd) + Bytes.ipv6(0, extensions + Bytes.tcp(flags: 2))),
            sample(
                "QinQ", Bytes.ethernet(0x88a8) + Bytes.tag(200, 0x8100) + Bytes.tag(100, 0x0800) + Bytes.ipv4(17, Bytes.udp())),
            sample(
                "hardware tag and 802.1Q", Bytes.ethernet(0x8100) + Bytes.tag(100, 0x86dd) + Bytes.ipv6(58, [128, 0, 0, 0, 0, 1, 0, 2]),
                { PacketBytes.tagged(200) }),
            sample("no link header", Bytes.ipv4(17, Bytes.udp()), { PacketBytes.unlinked(PACKET_TYPE_IPV4) }),
            sample("ARP", Bytes.ethernet(0x0806) + Bytes.arp(1)),
            sample("LLDP", Bytes.ethernet(0x88cc) + [UInt8](repeating: 0xab, count: 40)),
        ]
    }()

    @Test(arguments: samples)
    func whatIsFoundOnlyGrows(sample: Sample) {
        let cut = UInt32(PACKET_TRUNCATED.rawValue)
        let whole = PacketBytes.parse(sample.bytes, sample.source())
        #expect(whole.found & cut == 0)
        var before: UInt32 = 0
        for length in 0...sample.bytes.count {
            let packet = PacketBytes.parse(Array(sample.bytes[..<length]), sample.source())
            let found = packet.found & ~cut
            #expect(found & before == before, "at \(length) bytes")
            // What the whole packet has is there, or the packet says that it is cut off.
            #expect(found == whole.found || packet.found & cut != 0, "at \(length) bytes")
            #expect(packet.found & cut == 0 || length < sample.bytes.count)
            before = found
        }
        #expect(before == whole.found)
    }

    @Test(arguments: samples)
    func textAndFieldsOfAnyLength(sample: Sample) {
        for length in 0...sample.bytes.count {
            let bytes = Array(sample.bytes[..<length])
            #expect(!PacketBytes.text(bytes, sample.source()).isEmpty)
            #expect(JSONText.object(PacketBytes.json(bytes, sample.source())) != nil, "at \(length) bytes")
        }
    }

    /// No bytes at all is what a skb without linear data offers.
    @Test func noBytes() {
        let packet = CapturedPacket(bytes: UnsafeRawBufferPointer(start: nil, count: 0), source: PacketBytes.linked)
        #expect(packet.packet.found == 0)
        let output = OutputBuffer(descriptor: -1)
        packet.write(to: output)
        #expect(output.takeString() == "no bytes")
    }

    /// The hardware tag does not lie in the bytes: it is known however few of them there are.
    @Test func theHardwareTagIsKnownWithoutBytes() {
        let frame = PacketBytes.ethernet(0x8100)
        for length in [0, 13, 14, 17, 18] {
            let packet = PacketBytes.parse(Array((frame + PacketBytes.tag(7, 0x0800))[..<length]), PacketBytes.tagged(100))
            #expect(packet.tags == (length < 18 ? ["8100:100"] : ["8100:100", "8100:7"]), "\(length) bytes")
        }
    }

    /// Of two tags in the bytes, the one that is whole is known.
    @Test func theWholeTagOfTwoIsKnown() {
        let frame = PacketBytes.ethernet(0x88a8) + PacketBytes.tag(200, 0x8100) + [0]
        #expect(PacketBytes.parse(frame).tags == ["88a8:200"])
    }
}
