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

    @Option(
        help: ArgumentHelp("Tell drops apart by these: location, reason, flow, interface, stack; several with commas.", valueName: "list"),
        transform: DropSummary.grouping)
    var groupBy: DropGrouping = [.location, .reason]

    @Option(help: ArgumentHelp("Rows per report.", valueName: "rows"))
    var top: UInt32 = 10

    @Option(help: ArgumentHelp("Groups that the kernel can count in one interval; drops of further ones are counted as map-full.", valueName: "groups"))
    var maxEntries: UInt32 = 16384

    @OptionGroup(title: "Which drops")
    var filters: DropOptions

    @OptionGroup(title: "Run")
    var run: RunOptions

    @OptionGroup
    var intervals: IntervalOptions

    @OptionGroup(title: "Report")
    var output: OutputOptions

    @OptionGroup(title: "Kernel side")
    var kernel: KernelOptions

    public init() {}

    @Sendable static func grouping(_ text: String) throws -> DropGrouping {
        do {
            return try DropGrouping(text)
        } catch {
            throw ValidationError(error.description)
        }
    }

    public func validate() throws {
        guard (1...10_000).contains(top) else { throw ValidationError("--top: must be 1 to 10000.") }
        guard (1...1_048_576).contains(maxEntries) else { throw ValidationError("--max-entries: must be 1 to 1048576.") }
    }

    public func measure() throws {
        if let missing = Privilege.missing() { throw Failure(ExitStatus.notPermitted, missing) }
        LibbpfLog.install(echo: kernel.debug)
        let facts = KernelFacts()
        let report = Report(tool: "drop-summary", facts: facts, format: output.format)
        var resolved = try DropKernel(filters)
        let config = drop_summary_config(filter: resolved.filter, groups: groupBy.programGroups, reserved: 0)
        let clock = kernel.cost ? ProgramClock() : nil
        var loaded = try kernel.load("drop_summary", facts: facts) { (object) throws(RuntimeError) in
            try object.configure(config)
            try object.setCapacity("drops", maxEntries)
        }
        let counters = try loaded.object.perCPUMap("counters", counters.self)
        let reader = try DropReader(
            object: loaded.object, grouping: groupBy, includeExpected: filters.includeExpected,
            capacity: Int(maxEntries))
        let session = try DropSession.attach(&loaded.object, &resolved)
        reader.places = session.places
        var notes = session.notes
        if let note = loaded.note { notes.append(note) }
        if kernel.cost && clock == nil { notes.append("--cost: this kernel cannot measure programs") }
        let printer = SummaryPrinter(report: report, grouping: groupBy, top: Int(top), verbose: output.verbose)
        report.header(
            ReportHeader(
                variant: loaded.object.variant, types: loaded.object.types,
                filters: [("group-by", groupBy.description)] + filters.descriptions,
                probes: session.probes, notes: notes))
        printer.columns(reader)

        var loop = RunLoop(duration: run.duration?.nanoseconds, interval: intervals.interval.nanoseconds)
        var intervalStart = loop.startTime
        var intervalsDone: UInt32 = 0
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

        loaded.object.detach()
        waitForPrograms()
        let last = reader.drain()
        // Twice, for both halves.
        let rest = reader.drain()
        let now = monotonicNow()
        if last.total.packets > 0 || rest.total.packets > 0 {
            printer.interval(last, reader, from: intervalStart, to: now)
        }
        let words = counters.sum()
        let statistics = loaded.object.statistics()
        var counts = Completeness(counters: words, received: nil, missed: statistics.missed)
        counts.expected = filters.includeExpected ? 0 : reader.expected.total
        counts.emitted = 0
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
    }
}
