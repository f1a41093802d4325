// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Waits for records, intervals, the end of the time, and signals that end a run.
///
/// SIGINT, SIGTERM and SIGHUP are held back from the first moment and read here, so a run that is
/// told to stop always comes to its final report; SIGPIPE is ignored, a reader that left shows as
/// `OutputBuffer.isClosed`.
public struct RunLoop: ~Copyable {
    /// What to do next.
    public enum Step: Sendable, Equatable {
        /// Look for records.
        case consume
        /// An interval has ended.
        case interval
        /// The run is over.
        case end(End)
    }

    /// Why a run is over.
    public enum End: Sendable, Equatable {
        case duration
        case signal(Int32)
        case count
        case outputClosed

        public var description: String {
            switch self {
            case .duration: "duration"
            case .signal(SIGINT): "SIGINT"
            case .signal(SIGTERM): "SIGTERM"
            case .signal(SIGHUP): "SIGHUP"
            case .signal(let number): "signal \(number)"
            case .count: "count"
            case .outputClosed: "output closed"
            }
        }
    }

    /// Longest wait before records are looked for again, in nanoseconds.
    static let pollPeriod: UInt64 = 50_000_000

    private let signals: Int32
    private let started: UInt64
    private let deadline: UInt64?
    private let intervalLength: UInt64?
    private var nextInterval: UInt64?

    /// Blocks the signals. Call before anything is loaded, so that none is missed.
    public static func holdSignals() {
        clinux_hold_signals()
    }

    /// Starts the time.
    ///
    /// - Parameters:
    ///   - duration: nanoseconds until the end; nil: until a signal.
    ///   - interval: nanoseconds between intervals; nil: none.
    public init(duration: UInt64?, interval: UInt64?) {
        signals = clinux_signal_file()
        let now = monotonicNow()
        started = now
        deadline = duration.map { now + $0 }
        intervalLength = interval
        nextInterval = interval.map { now + $0 }
    }

    deinit { close(signals) }

    /// Lets a report's output know when the run is to end, so that a reader that takes nothing cannot hold it up.
    public func bound(_ output: OutputBuffer) {
        output.stopFile = signals
        if let deadline { output.endBy = deadline + OutputBuffer.grace }
    }

    /// CLOCK_MONOTONIC at the start.
    public var startTime: UInt64 { started }

    /// Waits for the next step, at most 50 ms when `events` is given.
    ///
    /// An interval that ends with the run is reported as `interval` first. Intervals that were missed
    /// because the process did not run are not made up for.
    /// - Parameters:
    ///   - events: descriptor of an event stream.
    ///   - waiting: records are known to wait; do not wait for more.
    public mutating func next(events: Int32? = nil, waiting: Bool = false) -> Step {
        while true {
            let number = clinux_read_signal(signals)
            if number > 0 { return .end(.signal(number)) }
            let now = monotonicNow()
            if let due = nextInterval, let length = intervalLength, now >= due {
                nextInterval = due + length > now ? due + length : now + length
                return .interval
            }
            if let deadline, now >= deadline { return .end(.duration) }
            if waiting { return .consume }
            var wake = min(nextInterval ?? .max, deadline ?? .max)
            if events != nil { wake = min(wake, now + Self.pollPeriod) }
            let ready = clinux_wait_readable(signals, events ?? -1, wake == .max ? -1 : Int64(wake - now))
            if events != nil, ready & 1 == 0 { return .consume }
        }
    }
}
