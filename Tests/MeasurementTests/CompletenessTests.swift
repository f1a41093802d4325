// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement
import Testing

@Suite struct CompletenessTests {
    /// The counters as the sum over the CPUs has them.
    private func words(_ fill: (inout BPFTypes.counters) -> Void) -> [UInt64] {
        var counters = BPFTypes.counters()
        fill(&counters)
        return withUnsafeBytes(of: counters) { Array($0.bindMemory(to: UInt64.self)) }
    }

    @Test func everyCounterIsItsOwn() {
        let words = words {
            $0.hits.0 = 100
            $0.hits.1 = 20
            $0.hits.15 = 3
            $0.filtered = 1
            $0.expected = 2
            $0.suppressed = 3
            $0.emitted = 50
            $0.map_full = 5
            $0.stack_missed = 6
            $0.nested = 7
        }
        let counts = Completeness(counters: words, received: 42, skipped: 9)
        #expect(counts.seen == 123)
        #expect(counts.filtered == 1 && counts.expected == 2 && counts.suppressed == 3)
        #expect(counts.lost == 8)
        #expect(counts.mapFull == 5 && counts.stackMissed == 6 && counts.nested == 7 && counts.skippedByKernel == 9)
    }

    @Test func withoutAnEventBufferNothingIsLost() {
        #expect(Completeness(counters: words { $0.emitted = 50 }, received: nil, skipped: 0).lost == 0)
        #expect(Completeness(counters: words { $0.emitted = 50 }, received: 50, skipped: 0).lost == 0)
        // Not a huge number, whatever the order of reading.
        #expect(Completeness(counters: words { $0.emitted = 50 }, received: 51, skipped: 0).lost == 0)
    }

    @Test func complete() {
        var counts = Completeness()
        counts.seen = 10
        counts.filtered = 4
        counts.expected = 3
        counts.beyondCount = 2
        #expect(counts.isComplete && counts.gaps.isEmpty)
    }

    @Test func eachGap() {
        let gaps: [(WritableKeyPath<Completeness, UInt64>, String)] = [
            (\.lost, "lost for want of event buffer"), (\.suppressed, "suppressed by --rate-limit"),
            (\.mapFull, "not counted for want of map room"), (\.nested, "not looked at in nested interrupts"),
            (\.skippedByKernel, "skipped by the kernel in nested interrupts"), (\.stackMissed, "without their stack"),
        ]
        for (path, sentence) in gaps {
            var counts = Completeness()
            counts[keyPath: path] = 12
            #expect(!counts.isComplete)
            #expect(counts.gaps == ["12 \(sentence)"])
        }
    }

    @Test func allGaps() {
        let all = words {
            $0.suppressed = 1
            $0.emitted = 5
            $0.map_full = 1
            $0.stack_missed = 1
            $0.nested = 1
        }
        #expect(Completeness(counters: all, received: 4, skipped: 1).gaps.count == 6)
    }
}
