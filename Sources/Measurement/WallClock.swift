// SPDX-License-Identifier: Apache-2.0
import Glibc

/// CLOCK_MONOTONIC, in nanoseconds: the clock of every BPF program.
public func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Turns CLOCK_MONOTONIC times into wall-clock times.
///
/// The offset between the two changes when the wall clock is stepped or slewed, so it is measured
/// again; a time is converted with the offset in force when it is printed.
public final class WallClock {
    /// Nanoseconds to add to CLOCK_MONOTONIC for CLOCK_REALTIME.
    public private(set) var offset: Int64
    /// Half the duration of the measurement, in nanoseconds: how far off the offset may be.
    public private(set) var uncertainty: UInt64
    private var measuredAt: UInt64

    // The last second formatted, so that a record in the same second costs no calendar arithmetic.
    private var cachedSecond = Int64.min
    private var cachedUTC = [UInt8](repeating: 0x30, count: 19)
    private var cachedLocal = [UInt8](repeating: 0x30, count: 8)

    /// Nanoseconds between measurements.
    static let period: UInt64 = 10_000_000_000

    public init() {
        (offset, uncertainty) = Self.measure()
        measuredAt = monotonicNow()
    }

    /// The best of five: the pair with the shortest time around it.
    private static func measure() -> (offset: Int64, uncertainty: UInt64) {
        var best: (offset: Int64, uncertainty: UInt64) = (0, .max)
        for _ in 0..<5 {
            let before = monotonicNow()
            var real = timespec()
            clock_gettime(CLOCK_REALTIME, &real)
            let after = monotonicNow()
            let half = (after - before) / 2
            if half < best.uncertainty {
                best = (Int64(real.tv_sec) * 1_000_000_000 + Int64(real.tv_nsec) - Int64(before + half), half)
            }
        }
        return best
    }

    /// Measures the offset again if the last measurement is older than 10 s.
    public func refresh(now: UInt64 = monotonicNow()) {
        guard now &- measuredAt > Self.period else { return }
        (offset, uncertainty) = Self.measure()
        measuredAt = now
    }

    /// Nanoseconds since 1970 for a CLOCK_MONOTONIC time.
    public func real(_ monotonic: UInt64) -> Int64 { Int64(bitPattern: monotonic) &+ offset }

    private func cache(_ second: Int64) {
        guard second != cachedSecond else { return }
        cachedSecond = second
        var time = time_t(second)
        var fields = tm()
        gmtime_r(&time, &fields)
        cachedUTC = Self.format(&fields, "%Y-%m-%dT%H:%M:%S", 19)
        localtime_r(&time, &fields)
        cachedLocal = Self.format(&fields, "%H:%M:%S", 8)
    }

    private static func format(_ fields: inout tm, _ format: String, _ length: Int) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 64)
        let size = strftime(&buffer, buffer.count, format, &fields)
        return buffer[..<min(size, length)].map { UInt8(bitPattern: $0) }
    }

    /// "2026-11-21T01:02:03.123456789Z".
    public func writeUTC(_ monotonic: UInt64, to output: OutputBuffer) {
        let real = real(monotonic)
        cache(real / 1_000_000_000)
        cachedUTC.withUnsafeBytes { output.raw($0) }
        output.byte(0x2e)
        output.decimal(UInt64(real % 1_000_000_000), width: 9, fill: 0x30)
        output.byte(0x5a)
    }

    /// "01:02:03.123456", local time.
    public func writeLocal(_ monotonic: UInt64, to output: OutputBuffer) {
        let real = real(monotonic)
        cache(real / 1_000_000_000)
        cachedLocal.withUnsafeBytes { output.raw($0) }
        output.byte(0x2e)
        output.decimal(UInt64(real % 1_000_000_000) / 1000, width: 6, fill: 0x30)
    }

    /// "2026-11-21 02:02:03 +0100", local time with its zone.
    public func localDate(_ monotonic: UInt64) -> String {
        var time = time_t(real(monotonic) / 1_000_000_000)
        var fields = tm()
        localtime_r(&time, &fields)
        return String(decoding: Self.format(&fields, "%Y-%m-%d %H:%M:%S %z", 63), as: UTF8.self)
    }
}
