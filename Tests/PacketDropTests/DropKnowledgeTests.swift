// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import PacketDrop

/// The tables of what is known of places.
@Suite struct DropKnowledgeTests {
    /// A function's name as in the source: no clone, no part.
    private func isSymbol(_ name: String) -> Bool {
        !name.isEmpty && !name.contains(".") && name.utf8.allSatisfy { $0 == 0x5f || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a) || ($0 >= 0x30 && $0 <= 0x39) }
    }

    /// A reason as the kernel names it, without its prefix.
    private func isReason(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix("SKB_DROP_REASON_")
            && name.utf8.allSatisfy { $0 == 0x5f || ($0 >= 0x41 && $0 <= 0x5a) || ($0 >= 0x30 && $0 <= 0x39) }
    }

    @Test func expectedFreesAreUnique() {
        #expect(!expectedFrees.isEmpty)
        #expect(Set(expectedFrees.map { "\($0.symbol) \($0.reason ?? "")" }).count == expectedFrees.count)
    }

    /// An entry for any reason would hide one for a certain reason.
    @Test func noEntryHidesAnother() {
        let any = Set(expectedFrees.filter { $0.reason == nil }.map(\.symbol))
        for entry in expectedFrees where entry.reason != nil { #expect(!any.contains(entry.symbol), "\(entry.symbol)") }
    }

    @Test func expectedFreesAreWellFormed() {
        for entry in expectedFrees {
            #expect(isSymbol(entry.symbol), "\(entry.symbol)")
            if let reason = entry.reason { #expect(isReason(reason), "\(entry.symbol)") }
            #expect(!entry.why.isEmpty && !entry.why.contains("\n") && !entry.kernels.isEmpty, "\(entry.symbol)")
        }
    }

    @Test func derivedReasonsAreUnique() {
        #expect(!derivedReasons.isEmpty)
        #expect(Set(derivedReasons.map(\.symbol)).count == derivedReasons.count)
    }

    @Test func derivedReasonsAreWellFormed() {
        for entry in derivedReasons {
            #expect(isSymbol(entry.symbol), "\(entry.symbol)")
            for reason in [entry.reason] + entry.alternatives { #expect(isReason(reason), "\(entry.symbol): \(reason)") }
            #expect(!entry.alternatives.contains(entry.reason), "\(entry.symbol)")
            #expect(Set(entry.alternatives).count == entry.alternatives.count, "\(entry.symbol)")
            #expect(!entry.source.isEmpty, "\(entry.symbol)")
        }
    }

    /// A free cannot be no drop at all and a drop for a derived reason.
    @Test func noPlaceIsBothDropAndNoDrop() {
        let derived = Set(derivedReasons.map(\.symbol))
        for entry in expectedFrees where entry.reason == nil { #expect(!derived.contains(entry.symbol), "\(entry.symbol)") }
    }

    /// What the comment of the table promises to leave out.
    @Test func placesOfTrueDropsAreNotExpected() {
        let any = Set(expectedFrees.filter { $0.reason == nil }.map(\.symbol))
        for symbol in [
            "tcp_v4_rcv", "tcp_v6_rcv", "icmp_rcv", "__udp4_lib_rcv", "ip_rcv_core", "skb_queue_purge", "kfree_skb_list",
            "skb_queue_purge_reason", "net_tx_action", "nf_hook_slow",
        ] { #expect(!any.contains(symbol), "\(symbol)") }
    }
}
