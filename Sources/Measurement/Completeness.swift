// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes

/// How much of what happened is in the report.
///
/// Every hit of a probe is in exactly one place:
/// `seen` = `filtered` + `expected` + `suppressed` + `nested` + `lost` + `mapFull` + `beyondCount` + what is
/// printed or counted in the report. `stackMissed` are among those in the report, `skippedByKernel` among
/// none of them.
public struct Completeness: Sendable, Equatable {
    /// Hits of all probes.
    public var seen: UInt64 = 0
    /// Refused by the filters.
    public var filtered: UInt64 = 0
    /// No event by the tool's own knowledge.
    public var expected: UInt64 = 0
    /// Above the rate limit.
    public var suppressed: UInt64 = 0
    /// Emitted, but no room in the event buffer.
    public var lost: UInt64 = 0
    /// No room in a map.
    public var mapFull: UInt64 = 0
    /// In the report, but without the stack that was asked for.
    public var stackMissed: UInt64 = 0
    /// No scratch record left on that CPU.
    public var nested: UInt64 = 0
    /// Calls that the kernel itself skipped: not seen, and in no other count.
    public var skippedByKernel: UInt64 = 0
    /// Counts were read while a program may still have been adding to them.
    public var isUnsettled = false
    /// Read after the last record that --count asked for.
    public var beyondCount: UInt64 = 0

    public init() {}

    /// - Parameters:
    ///   - counters: the object's counters, summed over the CPUs.
    ///   - received: records read from the event buffer, nil when there is none.
    ///   - skipped: calls that the kernel skipped.
    public init(counters words: [UInt64], received: UInt64?, skipped: UInt64) {
        guard words.count == MemoryLayout<counters>.size / 8 else { return }
        seen = words[..<Int(COUNTERS_PROBES)].reduce(0, &+)
        func count(_ offset: Int?) -> UInt64 { offset.map { words[$0 / 8] } ?? 0 }
        filtered = count(MemoryLayout<counters>.offset(of: \.filtered))
        expected = count(MemoryLayout<counters>.offset(of: \.expected))
        suppressed = count(MemoryLayout<counters>.offset(of: \.suppressed))
        mapFull = count(MemoryLayout<counters>.offset(of: \.map_full))
        stackMissed = count(MemoryLayout<counters>.offset(of: \.stack_missed))
        nested = count(MemoryLayout<counters>.offset(of: \.nested))
        let emitted = count(MemoryLayout<counters>.offset(of: \.emitted))
        lost = received.map { emitted &- min($0, emitted) } ?? 0
        skippedByKernel = skipped
    }

    /// Why the report does not hold all it should, in words; empty when it does.
    public var gaps: [String] {
        var gaps: [String] = []
        func gap(_ count: UInt64, _ text: String) {
            if count > 0 { gaps.append("\(count) \(text)") }
        }
        gap(lost, "lost for want of event buffer")
        gap(suppressed, "suppressed by --rate-limit")
        gap(mapFull, "not counted for want of map room")
        gap(nested, "not looked at in nested interrupts")
        gap(skippedByKernel, "skipped by the kernel in nested interrupts")
        gap(stackMissed, "without their stack")
        if isUnsettled { gaps.append("some may be missing: the kernel let nobody wait for running programs") }
        return gaps
    }

    public var isComplete: Bool { gaps.isEmpty }
}
