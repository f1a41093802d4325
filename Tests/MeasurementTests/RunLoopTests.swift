// SPDX-License-Identifier: Apache-2.0
import Glibc
import Measurement
import Testing

import class Foundation.Thread

/// One after the other: they measure time, and signals belong to the thread.
@Suite(.serialized) struct RunLoopTests {
    private static let millisecond: UInt64 = 1_000_000

    private func steps(_ loop: consuming RunLoop, limit: Int = 1000) -> [RunLoop.Step] {
        var loop = loop
        var steps: [RunLoop.Step] = []
        while steps.count < limit {
            steps.append(loop.next())
            if case .end = steps[steps.count - 1] { break }
        }
        return steps
    }

    // MARK: Time

    @Test func duration() {
        let start = monotonicNow()
        let loop = RunLoop(duration: 120 * Self.millisecond, interval: nil)
        #expect(loop.startTime >= start)
        #expect(steps(loop) == [.end(.duration)])
        let elapsed = monotonicNow() - start
        #expect(elapsed >= 120 * Self.millisecond && elapsed < 2000 * Self.millisecond)
    }

    /// The interval that ends with the run is reported first: five of 0.2 s in 1 s, then the end.
    @Test func intervals() {
        var loop = RunLoop(duration: 1000 * Self.millisecond, interval: 200 * Self.millisecond)
        let start = loop.startTime
        var times: [UInt64] = []
        while true {
            let step = loop.next()
            if step != .interval {
                #expect(step == .end(.duration))
                break
            }
            times.append((monotonicNow() - start) / Self.millisecond)
        }
        // A machine that stops for 0.2 s costs an interval; then there is nothing to check.
        let isLate = zip([0] + times, times + [1000]).contains { $1 > $0 + 390 }
        #expect(times.count == 5 || isLate, "\(times)")
        for (index, time) in times.enumerated() where !isLate {
            #expect(time >= UInt64(index + 1) * 200 && time < UInt64(index + 2) * 200, "\(times)")
        }
    }

    @Test func intervalsThatWereMissedAreNotMadeUpFor() {
        var loop = RunLoop(duration: nil, interval: 50 * Self.millisecond)
        #expect(loop.next() == .interval)
        usleep(220_000)
        #expect(loop.next() == .interval)
        let before = monotonicNow()
        #expect(loop.next() == .interval)
        #expect(monotonicNow() - before > 10 * Self.millisecond)
    }

    @Test func aDurationThatIsNoMultipleOfTheInterval() {
        let found = steps(RunLoop(duration: 250 * Self.millisecond, interval: 100 * Self.millisecond))
        #expect(found.last == .end(.duration))
        #expect(found.dropLast().allSatisfy { $0 == .interval } && (1...2).contains(found.count - 1))
    }

    // MARK: Records

    @Test func recordsAreLookedForAtOnceAndInAnyCaseSoon() throws {
        var files: [Int32] = [-1, -1]
        try #require(pipe(&files) == 0)
        defer { files.forEach { close($0) } }
        var loop = RunLoop(duration: 10_000 * Self.millisecond, interval: nil)
        // Nothing to read: after 50 ms.
        var start = monotonicNow()
        #expect(loop.next(events: files[0]) == .consume)
        var elapsed = monotonicNow() - start
        #expect(elapsed >= 45 * Self.millisecond && elapsed < 2000 * Self.millisecond)
        // Something to read: at once, so that a hundred steps take less than a hundred waits would.
        #expect(write(files[1], "x", 1) == 1)
        start = monotonicNow()
        for _ in 0..<100 { #expect(loop.next(events: files[0]) == .consume) }
        elapsed = monotonicNow() - start
        #expect(elapsed < 4000 * Self.millisecond)
    }

    @Test func recordsDoNotKeepARunFromEnding() throws {
        var files: [Int32] = [-1, -1]
        try #require(pipe(&files) == 0)
        defer { files.forEach { close($0) } }
        #expect(write(files[1], "x", 1) == 1)
        var loop = RunLoop(duration: 50 * Self.millisecond, interval: nil)
        var step = loop.next(events: files[0])
        while step == .consume { step = loop.next(events: files[0]) }
        #expect(step == .end(.duration))
    }

    // MARK: Signals

    /// Holds the signals back on this thread for the call.
    private func withSignalsHeld(_ body: () -> Void) {
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &before)
        RunLoop.holdSignals()
        body()
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    @Test(arguments: [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")])
    func aSignalEndsARun(number: Int32, name: String) {
        withSignalsHeld {
            let loop = RunLoop(duration: nil, interval: nil)
            raise(number)
            #expect(steps(loop) == [.end(.signal(number))])
        }
        #expect(RunLoop.End.signal(number).description == name)
    }

    @Test func aSignalBeforeTheStartIsNotMissed() {
        withSignalsHeld {
            raise(SIGTERM)
            #expect(steps(RunLoop(duration: nil, interval: 1000 * Self.millisecond)) == [.end(.signal(SIGTERM))])
        }
    }

    @Test func aSignalWakesARunThatWaits() {
        withSignalsHeld {
            let start = monotonicNow()
            let thread = pthread_self()
            Thread.detachNewThread {
                usleep(100_000)
                pthread_kill(thread, SIGTERM)
            }
            #expect(steps(RunLoop(duration: 20_000 * Self.millisecond, interval: nil)) == [.end(.signal(SIGTERM))])
            let elapsed = monotonicNow() - start
            #expect(elapsed >= 90 * Self.millisecond && elapsed < 10_000 * Self.millisecond)
        }
    }

    @Test func endsInWords() {
        #expect(RunLoop.End.duration.description == "duration")
        #expect(RunLoop.End.count.description == "count")
        #expect(RunLoop.End.outputClosed.description == "output closed")
        #expect(RunLoop.End.signal(40).description == "signal 40")
    }
}
