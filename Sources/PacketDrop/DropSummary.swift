// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFRuntime
import BPFTypes
import Measurement

/// drop-summary: drops counted in the kernel.
public struct DropSummary: MeasurementCommand {
    public static let configuration = CommandConfiguration(
        commandName: "drop-summary",
        abstract: "Count the packets that the kernel drops, by location, reason, flow, interface or stack.",
        discussion: "Drops are counted in the kernel, so it can run for hours on a busy host. Ends on SIGINT, SIGTERM or SIGHUP with the totals.",
        version: plumblineVersion)

    @OptionGroup(title: "Groups")
    var groups: GroupOptions

    @OptionGroup(title: "Which drops")
    var filters: DropOptions

    @OptionGroup(title: "Run")
    var run: RunOptions

    @OptionGroup(title: "Intervals")
    var intervals: IntervalOptions

    @OptionGroup(title: "Report")
    var output: OutputOptions

    @OptionGroup(title: "Kernel side")
    var kernel: KernelOptions

    public init() {}

    struct GroupOptions: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "Tell drops apart by these: location, reason, flow, interface, stack; several with commas.",
                valueName: "list"),
            transform: Self.grouping)
        var groupBy: DropGrouping = [.location, .reason]

        @Option(help: ArgumentHelp("Rows per report.", valueName: "rows"))
        var top: UInt32 = 10

        @Option(
            help: ArgumentHelp(
                "Groups that the kernel has room for in each interval; drops of further ones may be counted as map_full.",
                valueName: "groups"))
        var maxEntries: UInt32 = 16384

        @Sendable static func grouping(_ text: String) throws -> DropGrouping {
            do {
                return try DropGrouping(text)
            } catch {
                throw ValidationError(error.description)
            }
        }

        func validate() throws {
            guard (1...10_000).contains(top) else { throw ValidationError("--top: must be 1 to 10000.") }
            guard (1...524_288).contains(maxEntries) else {
                throw ValidationError("--max-entries: must be 1 to 524288.")
            }
        }

        /// For the report's header.
        var descriptions: [(name: String, value: String)] {
            [("group-by", groupBy.description), ("top", "\(top)"), ("max-entries", "\(maxEntries)")]
        }
    }

    public func measure() throws {
        if let missing = Privilege.missing() { throw Failure(ExitStatus.notPermitted, missing) }
        LibbpfLog.install(echo: kernel.debug)
        let facts = KernelFacts()
        let report = Report(tool: "drop-summary", facts: facts, format: output.format)
        var resolved = try DropKernel(filters)
        let config = drop_summary_config(filter: resolved.filter, groups: groups.groupBy.programGroups, reserved: 0)
        let clock = kernel.cost ? ProgramClock() : nil
        var loaded = try kernel.load("drop_summary", facts: facts) { (object) throws(RuntimeError) in
            try object.configure(config)
            // Both halves share the map while the old one is read.
            try object.setCapacity("drops", 2 * groups.maxEntries)
            if !groups.groupBy.contains(.flow) { try object.setKeySize("drops", Int(DROP_SUMMARY_SHORT_KEY)) }
            // Stacks hash to their slot: many more slots than stacks, or they collide.
            let slots: UInt32 = groups.groupBy.contains(.stack) ? 32768 : 1
            for map in ["stacks_0", "stacks_1"] { try object.setCapacity(map, slots) }
        }
        let counters = try loaded.object.perCPUMap("counters", counters.self)
        let reader = try DropReader(
            object: loaded.object, grouping: groups.groupBy, includeExpected: filters.includeExpected,
            capacity: Int(groups.maxEntries))
        let session = try DropSession.attach(&loaded.object, &resolved)
        reader.places = session.places
        var notes = session.notes
        if let note = loaded.note { notes.append(note) }
        if kernel.cost && clock == nil { notes.append("--cost: this kernel cannot measure programs") }
        let printer = SummaryPrinter(report: report, grouping: groups.groupBy, top: Int(groups.top))
        report.header(
            ReportHeader(
                variant: loaded.object.variant, types: loaded.object.types,
                filters: filters.descriptions,
                options: groups.descriptions + intervals.descriptions + run.descriptions
                    + (filters.includeExpected ? [("include-expected", "yes")] : [])
                    + (kernel.cost ? [("cost", "yes")] : []),
                probes: session.probes, notes: notes))
        printer.columns(reader)

        var loop = RunLoop(duration: run.duration?.nanoseconds, interval: intervals.interval.nanoseconds)
        var intervalStart = loop.startTime
        var intervalsDone: UInt32 = 0
        loop.bound(report.output)
        var end: RunLoop.End?
        while end == nil {
            switch loop.next() {
            case .consume:
                break
            case .interval:
                let now = monotonicNow()
                printer.interval(reader.drain(), reader, from: intervalStart, to: now)
                intervalStart = now
                intervalsDone += 1
                report.clock.refresh()
                if let count = intervals.count, intervalsDone >= count { end = .count }
            case .end(let reason):
                end = reason
            }
            if report.output.isClosed { end = .outputClosed }
        }

        report.output.endBy = min(report.output.endBy, monotonicNow() + OutputBuffer.grace)
        loaded.object.detach()
        waitForPrograms()
        let last = reader.drain(halves: 2)
        if last.total.packets > 0 {
            printer.interval(last, reader, from: intervalStart, to: monotonicNow(), partial: true)
        }
        let words = try counters.sum()
        let statistics = loaded.object.statistics()
        var counts = Completeness(counters: words, received: nil, skipped: statistics.missed)
        counts.expected = reader.expected.total
        counts.stackMissed += reader.stacks.overflow
        counts.isUnsettled = !reader.isSettled
        printer.total(reader)
        reader.expected.write(to: report)
        report.summary(
            end: end ?? .duration, completeness: counts, printed: reader.totals.total.packets,
            probes: DropSession.hits(words, session.probes), statistics: statistics,
            nothing: DropSession.nothing(printed: reader.totals.total.packets, counts)
        ) { fields in
            printer.totalFields(&fields, reader)
            reader.expected.write(to: &fields)
        }
        _ = clock
        try report.checkWritten()
    }
}
