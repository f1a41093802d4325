// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement
import Testing

@Suite struct HistogramTests {
    private static let buckets = Int(HISTOGRAM_BUCKETS)

    // MARK: Buckets

    @Test func everyEdgeMapsBackToItsBucket() {
        #expect(Self.buckets == 252)
        for bucket in 0..<Self.buckets {
            let range = Histogram.range(bucket)
            #expect(histogram_bucket(range.lowerBound) == bucket)
            #expect(histogram_bucket(range.upperBound) == bucket)
        }
    }

    @Test func theBucketsCoverEveryValueOnce() {
        #expect(Histogram.range(0) == 0...0)
        for bucket in 1..<Self.buckets {
            #expect(Histogram.range(bucket).lowerBound == Histogram.range(bucket - 1).upperBound + 1)
        }
        #expect(Histogram.range(Self.buckets - 1).upperBound == .max)
    }

    @Test func aBucketIsAtMostAQuarterOfItsLowerEdgeWide() {
        for bucket in 0..<8 { #expect(Histogram.range(bucket) == UInt64(bucket)...UInt64(bucket)) }
        for bucket in 8..<Self.buckets {
            let range = Histogram.range(bucket)
            #expect(range.upperBound - range.lowerBound < range.lowerBound / 4)
        }
    }

    @Test func knownEdges() {
        #expect(Histogram.range(8) == 8...9)
        #expect(Histogram.range(11) == 14...15)
        #expect(Histogram.range(12) == 16...19)
        #expect(Histogram.range(36) == 1024...1279)
        #expect(Histogram.range(251) == (7 << 61)...UInt64.max)
        #expect(histogram_bucket(1023) == 35)
        #expect(histogram_bucket(.max) == 251)
        for power in 0..<64 { #expect(histogram_log2(1 << UInt64(power)) == power) }
    }

    // MARK: Percentiles

    @Test func empty() {
        let histogram = Histogram()
        #expect(histogram.total == 0 && histogram.maximum == 0)
        #expect(histogram.percentile(50) == 0 && histogram.percentile(100) == 0)
        #expect(histogram.counts.count == Self.buckets)
    }

    @Test func oneValue() {
        var histogram = Histogram()
        histogram.record(1000)
        #expect(histogram.total == 1 && histogram.maximum == 1000)
        // The bucket goes up to 1023; nothing above the maximum is reported.
        for percent in [0.1, 50, 99.9, 100] { #expect(histogram.percentile(percent) == 1000) }
    }

    @Test func zero() {
        var histogram = Histogram()
        for _ in 0..<10 { histogram.record(0) }
        #expect(histogram.counts[0] == 10)
        #expect(histogram.percentile(99) == 0 && histogram.maximum == 0)
    }

    /// 1 to 7 once each: buckets of one value, so percentiles are exact.
    @Test func smallValuesAreExact() {
        var histogram = Histogram()
        for value in 1...7 { histogram.record(UInt64(value)) }
        #expect(histogram.percentile(50) == 4)
        #expect(histogram.percentile(14) == 1)
        #expect(histogram.percentile(15) == 2)
        #expect(histogram.percentile(90) == 7)
        #expect(histogram.percentile(100) == 7)
    }

    /// 90 values of 100, 9 of 10,000, 1 of 1,000,000.
    @Test func aLongTail() {
        var histogram = Histogram()
        for _ in 0..<90 { histogram.record(100) }
        for _ in 0..<9 { histogram.record(10_000) }
        histogram.record(1_000_000)
        #expect(histogram.percentile(50) == 111)  // 96...111
        #expect(histogram.percentile(90) == 111)
        #expect(histogram.percentile(90.5) == 10_239)  // 8192...10239
        #expect(histogram.percentile(99) == 10_239)
        #expect(histogram.percentile(99.5) == 1_000_000)
        #expect(histogram.maximum == 1_000_000)
    }

    @Test func neverBelowTheTrueValueAndAtMostAQuarterAbove() {
        var histogram = Histogram()
        let values = (1...5000).map { UInt64($0 * $0) }
        for value in values { histogram.record(value) }
        for percent in stride(from: 1.0, through: 100, by: 1) {
            let exact = values[max(1, Int((50 * percent).rounded(.up))) - 1]
            let shown = histogram.percentile(percent)
            #expect(shown >= exact && shown <= exact + exact / 4, "\(percent)")
        }
    }

    @Test func largestValue() {
        var histogram = Histogram()
        histogram.record(.max)
        #expect(histogram.percentile(50) == .max)
    }

    // MARK: From a program's counts

    @Test func fromCounts() {
        var counts = [UInt64](repeating: 0, count: Self.buckets)
        counts[0] = 2
        counts[12] = 3
        let histogram = Histogram(counts: counts)
        #expect(histogram.total == 5)
        #expect(histogram.maximum == 19)  // all that is known
        #expect(histogram.percentile(40) == 0)
        #expect(histogram.percentile(41) == 19)
        #expect(histogram.counts == counts)
    }

    @Test func countsOfAnotherLength() {
        #expect(Histogram(counts: [UInt64]()).total == 0)
        #expect(Histogram(counts: [0, 7]).percentile(50) == 1)
        #expect(Histogram(counts: [UInt64](repeating: 1, count: 300)).total == 252)
    }
}
