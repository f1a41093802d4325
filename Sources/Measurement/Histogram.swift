// SPDX-License-Identifier: Apache-2.0
import BPFTypes

/// Counts of values in log2 buckets with 4 linear sub-buckets each (bpf/types/histogram.h).
///
/// A percentile is exact to the bucket: at most a quarter above the true value, never below it.
public struct Histogram: Sendable {
    public private(set) var counts: [UInt64]
    /// Values recorded.
    public private(set) var total: UInt64 = 0
    /// The largest value recorded; where only buckets are known, the largest that it can be.
    public private(set) var maximum: UInt64 = 0

    public init() { counts = [UInt64](repeating: 0, count: Int(HISTOGRAM_BUCKETS)) }

    /// From counts that a program kept, by bucket.
    public init<Counts: Sequence>(counts: Counts) where Counts.Element == UInt64 {
        self.init()
        for (bucket, count) in counts.enumerated() where count > 0 && bucket < self.counts.count {
            self.counts[bucket] = count
            total += count
            maximum = Self.range(bucket).upperBound
        }
    }

    public mutating func record(_ value: UInt64) {
        counts[Int(histogram_bucket(value))] += 1
        total += 1
        maximum = max(maximum, value)
    }

    /// The values that fall into a bucket.
    public static func range(_ bucket: Int) -> ClosedRange<UInt64> {
        let lower = histogram_lower(UInt32(bucket))
        let upper = bucket + 1 < Int(HISTOGRAM_BUCKETS) ? histogram_lower(UInt32(bucket + 1)) - 1 : .max
        return lower...upper
    }

    /// The smallest value that at least `percent` of the values do not exceed, rounded up to its
    /// bucket's end and never above `maximum`. Zero when nothing was recorded.
    /// - Parameter percent: above 0, up to 100.
    public func percentile(_ percent: Double) -> UInt64 {
        guard total > 0 else { return 0 }
        let rank = max(1, UInt64((Double(total) * percent / 100).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            seen += count
            if seen >= rank { return min(Self.range(bucket).upperBound, maximum) }
        }
        return maximum
    }
}
