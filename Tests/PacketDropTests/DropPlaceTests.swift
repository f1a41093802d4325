// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Testing

@testable import BPFRuntime
@testable import PacketDrop

/// What is said of a place in the kernel.
@Suite struct DropPlaceTests {
    private func place(
        _ function: String?, offset: UInt64 = 0x3c, module: String? = nil, reason: String? = nil
    ) -> DropPlace {
        DropPlace(
            location: 0xffff_ffff_8100_1234, reasonNumber: reason == nil ? DROP_REASON_NONE : 5,
            symbol: function.map { KernelSymbols.Location(function: $0, offset: offset, module: module) },
            kernelReason: reason)
    }

    // MARK: Text

    @Test func locations() {
        #expect(place("tcp_v4_rcv").locationText == "tcp_v4_rcv+0x3c")
        #expect(place("net_tx_action", offset: 0).locationText == "net_tx_action+0x0")
        #expect(place("do_output", module: "openvswitch").locationText == "do_output+0x3c [openvswitch]")
        #expect(place(nil).locationText == "0xffffffff81001234")
        #expect(place(nil).function == nil && place(nil).module == nil)
        // The clone's own name is shown.
        #expect(place("nf_hook_slow.isra.0").locationText == "nf_hook_slow.isra.0+0x3c")
        #expect(place("nf_hook_slow.isra.0").function == "nf_hook_slow.isra.0")
    }

    // MARK: Reasons

    @Test func theKernelsReasonIsTaken() {
        let place = place("__udp4_lib_rcv", reason: "UDP_CSUM")
        #expect(place.reason == "UDP_CSUM" && place.reasonSource == .kernel && place.reasonText == "UDP_CSUM")
    }

    @Test func elseOneIsDerivedAndMarked() {
        let place = place("__udp4_lib_rcv")
        #expect(place.reason == "NO_SOCKET" && place.reasonSource == .derived)
        #expect(place.reasonText == "NO_SOCKET (derived)")
        #expect(place.alternatives.contains("UDP_CSUM"))
        #expect(self.place("__udp4_lib_rcv", reason: "UDP_CSUM").alternatives.isEmpty)
    }

    @Test(arguments: ["", ".isra.0", ".constprop.3", ".part.0", ".cold", ".isra.0.cold", ".isra.7.constprop.0"])
    func clonesAndPartsAreTheFunction(suffix: String) {
        #expect(place("nf_hook_slow\(suffix)").reason == "NETFILTER_DROP")
        #expect(place("unix_release_sock\(suffix)").expected?.symbol == "unix_release_sock")
    }

    @Test func namesThatBeginAlikeAreOtherFunctions() {
        for name in ["nf_hook_slow_list", "xnf_hook_slow", "nf_hook", "unix_release_sock_x"] {
            let place = place(name)
            #expect(place.reason == nil && place.reasonSource == .none && place.expected == nil, "\(name)")
        }
    }

    @Test func nothingIsKnownWithoutASymbol() {
        let place = place(nil)
        #expect(place.reason == nil && place.reasonSource == .none && place.reasonText == "-" && place.expected == nil)
    }

    // MARK: Frees that are no drops

    @Test func anEntryForAnyReason() {
        #expect(place("unix_release_sock").expected != nil)
        #expect(place("unix_release_sock", reason: "NOT_SPECIFIED").expected != nil)
    }

    @Test func anEntryForOneReason() throws {
        let entry = try #require(expectedFrees.first { $0.reason != nil })
        #expect(place(entry.symbol, reason: entry.reason).expected?.symbol == entry.symbol)
        #expect(place(entry.symbol, reason: "QUEUE_PURGE").expected == nil)
        // A kernel that gives no reasons.
        #expect(place(entry.symbol).expected == nil)
    }

    @Test(arguments: expectedFrees.indices)
    func everyEntryIsFound(index: Int) {
        let entry = expectedFrees[index]
        #expect(place(entry.symbol, reason: entry.reason).expected?.why == entry.why)
    }

    @Test(arguments: derivedReasons.indices)
    func everyDerivedReasonIsFound(index: Int) {
        let entry = derivedReasons[index]
        #expect(place(entry.symbol).reason == entry.reason)
        #expect(place(entry.symbol).expected == nil)
    }

    // MARK: Tallies and stacks

    @Test func expectedTally() {
        var tally = ExpectedTally()
        tally.add(place("unix_release_sock"))
        tally.add(place("unix_release_sock.cold"), 4)
        tally.add(place("skb_queue_purge_reason", reason: "SOCKET_CLOSE"), 9)
        tally.add(place("nf_hook_slow"), 100)
        tally.add(place("unix_gc"), 0)
        #expect(tally.total == 14)
        #expect(tally.rows.map(\.name) == ["skb_queue_purge_reason SOCKET_CLOSE", "unix_release_sock"])
        #expect(tally.rows.map(\.count) == [9, 5])
    }

    @Test func aStackBeginsAtTheLocation() {
        #expect(Array(DropPlaces.trimmed([1, 2, 3, 4], location: 3)) == [3, 4])
        #expect(Array(DropPlaces.trimmed([1, 2], location: 9)) == [1, 2])
        #expect(DropPlaces.trimmed([], location: 9).isEmpty)
    }
}
