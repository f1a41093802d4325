// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Measurement
import Testing

@testable import BPFRuntime
@testable import PacketDrop

/// What a run says of its probes, and of an empty report.
@Suite struct DropSessionTests {
    @Test func hitsOfLiveProbesOnly() {
        let counters: [UInt64] = [7, 9] + [UInt64](repeating: 0, count: 20)
        func hits(_ probes: [ProbeStatus]) -> [String] {
            DropSession.hits(counters, probes).map { "\($0.name) \($0.hits)" }
        }
        let free = ProbeStatus(name: "kfree_skb", hook: "raw tracepoint kfree_skb", reason: nil)
        let drop = ProbeStatus(name: "tcp_drop", hook: "kprobe tcp_drop", reason: nil)
        let missing = ProbeStatus(name: "tcp_drop", hook: nil, reason: "gone")
        #expect(hits([free, drop]) == ["kfree_skb 7", "tcp_drop 9"])
        #expect(hits([free, missing]) == ["kfree_skb 7"])
        #expect(hits([free]) == ["kfree_skb 7"])
        #expect(hits([]) == [])
    }

    @Test func whyThereIsNothing() throws {
        var counts = Completeness()
        #expect(DropSession.nothing(printed: 1, counts) == nil)
        #expect(DropSession.nothing(printed: 0, counts) == "no packet was freed as dropped on this host meanwhile")
        counts.seen = 10
        counts.filtered = 4
        counts.expected = 5
        counts.nested = 1
        let sentence = try #require(DropSession.nothing(printed: 0, counts))
        for part in ["of 10 frees seen", "4 did not match", "5 were frees known to be no drops", "1 not looked at"] {
            #expect(sentence.contains(part), "\(part)")
        }
    }

    /// Reasons that the running kernel names, where it does: both ways.
    @Test func reasonsOfThisKernel() throws {
        var reasons = DropReasons()
        guard reasons.exist else { return }
        let found = reasons.number("NO_SOCKET")
        let number = try #require(found)
        #expect(reasons.name(number) == "NO_SOCKET")
        #expect(reasons.number("skb_drop_reason_no_socket") == number)
        #expect(reasons.number("no_such_reason") == nil)
        #expect(reasons.name(0x1234_5678) == "0x12345678")
        #expect(reasons.number("MAX") == nil && reasons.number("SUBSYS_MASK") == nil)
    }
}
