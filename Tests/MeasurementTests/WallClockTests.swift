// SPDX-License-Identifier: Apache-2.0
import Glibc
import Measurement
import Testing

@Suite struct WallClockTests {
    private static let second: Int64 = 1_000_000_000

    private let clock = WallClock()

    /// CLOCK_MONOTONIC at a time since 1970.
    private func monotonic(_ real: Int64) -> UInt64 { UInt64(bitPattern: real - clock.offset) }

    private func utc(_ real: Int64) -> String {
        let output = OutputBuffer(descriptor: -1)
        clock.writeUTC(monotonic(real), to: output)
        return output.takeString()
    }

    @Test(arguments: [
        (0, 0, "1970-01-01T00:00:00.000000000Z"),
        (0, 1, "1970-01-01T00:00:00.000000001Z"),
        (951_782_399, 999_999_999, "2000-02-28T23:59:59.999999999Z"),
        (951_782_400, 0, "2000-02-29T00:00:00.000000000Z"),
        (1_700_000_000, 123_456_789, "2023-11-14T22:13:20.123456789Z"),
        (2_147_483_648, 5, "2038-01-19T03:14:08.000000005Z"),
        (4_102_444_800, 0, "2100-01-01T00:00:00.000000000Z"),
    ] as [(Int64, Int64, String)])
    func knownTimes(seconds: Int64, nanoseconds: Int64, text: String) {
        #expect(utc(seconds * Self.second + nanoseconds) == text)
    }

    /// The second formatted last is kept; the next must not show it.
    @Test func timesOneAfterTheOther() {
        let start = 1_700_000_000 * Self.second
        #expect(utc(start + 999_999_999) == "2023-11-14T22:13:20.999999999Z")
        #expect(utc(start + Self.second) == "2023-11-14T22:13:21.000000000Z")
        #expect(utc(start) == "2023-11-14T22:13:20.000000000Z")
    }

    @Test func localTime() {
        let real = 1_700_000_000 * Self.second + 123_456_789
        var seconds = time_t(1_700_000_000)
        var fields = tm()
        localtime_r(&seconds, &fields)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = "\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
        let output = OutputBuffer(descriptor: -1)
        clock.writeLocal(monotonic(real), to: output)
        #expect(output.takeString() == "\(time).123456")
        let date = clock.localDate(monotonic(real))
        #expect(date.hasPrefix("2023-11-1") && date.contains(" \(time) "))
        #expect(date.utf8.count == "2026-11-21 02:02:03 +0100".utf8.count)
    }

    @Test func theOffsetTurnsOneClockIntoTheOther() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let expected = Int64(now.tv_sec) * Self.second + Int64(now.tv_nsec)
        let difference = clock.real(monotonicNow()) - expected
        #expect(abs(difference) < Self.second / 2)
        #expect(clock.real(0) == clock.offset)
        #expect(clock.real(5) - clock.real(0) == 5)
        #expect(clock.uncertainty < UInt64(Self.second))
    }

    @Test func theOffsetIsMeasuredAgain() {
        let clock = WallClock()
        let before = clock.offset
        clock.refresh(now: monotonicNow() + 60_000_000_000)
        #expect(abs(clock.offset - before) < Self.second / 2)
        // Just measured: nothing to do.
        let measured = clock.offset
        clock.refresh(now: monotonicNow() + 60_000_000_000)
        #expect(clock.offset == measured)
    }

    @Test func monotonicTimeGoesOn() {
        let first = monotonicNow()
        #expect(monotonicNow() >= first)
        #expect(first > 0)
    }
}
