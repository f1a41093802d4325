// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFRuntime
import BPFTypes
import Measurement

/// eth-drop: one record per dropped packet.
public struct EthDrop: MeasurementCommand {
    public static let configuration = CommandConfiguration(
        commandName: "eth-drop",
        abstract: "Show each packet that the kernel drops: where, why, and what was in it.",
        discussion: "Conditions are directional, all must hold, and they are tested in the kernel. Ends on SIGINT, SIGTERM or SIGHUP with a summary.",
        version: plumblineVersion)

    @OptionGroup(title: "Which drops")
    var filters: DropOptions

    @OptionGroup(title: "Records")
    var records: RecordOptions

    @OptionGroup(title: "Run")
    var run: RunOptions

    @OptionGroup(title: "Report")
    var output: OutputOptions

    @OptionGroup(title: "Kernel side")
    var kernel: KernelOptions

    public init() {}

    struct RecordOptions: ParsableArguments {
        @Flag(help: "Record the kernel stack of each drop.")
        var stack = false

        @Flag(help: "Say more of each drop in text reports.")
        var verbose = false

        @Option(help: ArgumentHelp("At most this many records per second; the others are counted.", valueName: "records/s"))
        var rateLimit: UInt32?

        @Option(help: ArgumentHelp("End after this many records.", valueName: "records"))
        var count: UInt64?

        @Option(help: ArgumentHelp("Event buffer, in KiB over all CPUs.", valueName: "KiB"))
        var bufferSize: UInt32 = 1024

        func validate() throws {
            if rateLimit == 0 { throw ValidationError("--rate-limit: must be 1 or more.") }
            if count == 0 { throw ValidationError("--count: must be 1 or more.") }
            guard (4...1_048_576).contains(bufferSize) else {
                throw ValidationError("--buffer-size: must be 4 to 1048576 KiB.")
            }
        }
    }

    public func measure() throws {
        if let missing = Privilege.missing() { throw Failure(ExitStatus.notPermitted, missing) }
        LibbpfLog.install(echo: kernel.debug)
        let facts = KernelFacts()
        let report = Report(tool: "eth-drop", facts: facts, format: output.format)
        var resolved = try DropKernel(filters)
        let config = eth_drop_config(
            filter: resolved.filter, rate_limit: records.rateLimit ?? 0, capture_stack: records.stack ? 1 : 0,
            include_expected: filters.includeExpected ? 1 : 0, reserved: 0)
        let bytes = Int(records.bufferSize) * 1024
        let clock = kernel.cost ? ProgramClock() : nil
        var loaded = try kernel.load("eth_drop", facts: facts) { (object) throws(RuntimeError) in
            try object.configure(config)
            if object.variant == .btf { try object.setCapacity("events", EventStream.ringSize(bytes)) }
        }
        let counters = try loaded.object.perCPUMap("counters", counters.self)
        let expectedMap = try loaded.object.map("expected", drop_expected_place.self, UInt64.self)
        let printer = DropPrinter(
            report: report, verbose: records.verbose, stack: records.stack, includeExpected: filters.includeExpected,
            limit: records.count ?? .max, expectedMap: expectedMap)
        let stream = try EventStream(loaded.object, bytes: bytes) { record, size in printer.print(record, size) }
        let session = try DropSession.attach(&loaded.object, &resolved)
        printer.places = session.places
        var notes = session.notes
        if let note = loaded.note { notes.append(note) }
        if kernel.cost && clock == nil { notes.append("--cost: this kernel cannot measure programs") }
        report.header(
            ReportHeader(
                variant: loaded.object.variant, types: loaded.object.types, filters: filters.descriptions,
                options: options(bufferSize: stream.capacity), probes: session.probes, notes: notes))
        printer.columns()

        var loop = RunLoop(duration: run.duration?.nanoseconds, interval: nil)
        loop.bound(report.output)
        var end: RunLoop.End?
        var waiting = false
        while end == nil {
            switch loop.next(events: stream.descriptor, waiting: waiting) {
            case .consume, .interval:
                waiting = stream.consume()
                report.output.flush()
                report.clock.refresh()
            case .end(let reason):
                end = reason
            }
            if report.output.isClosed { end = .outputClosed }
            if printer.isDone { end = .count }
        }

        report.output.endBy = min(report.output.endBy, monotonicNow() + OutputBuffer.grace)
        loaded.object.detach()
        waitForPrograms()
        stream.drain()
        var tally = printer.expected
        expectedMap.forEachKey(limit: Int(DROP_EXPECTED_PLACES)) { place in
            tally.add(printer.place(place.location, place.reason), expectedMap.lookup(place) ?? 0)
        }
        let words = try counters.sum()
        // Last: the object's maps need not live longer.
        let statistics = loaded.object.statistics()
        var counts = Completeness(counters: words, received: stream.received, skipped: statistics.missed)
        // Those that came through before their place was known.
        counts.expected += printer.expectedRecords
        counts.beyondCount = printer.beyondLimit
        tally.write(to: report)
        report.summary(
            end: end ?? .duration, completeness: counts, printed: printer.printed,
            probes: DropSession.hits(words, session.probes), statistics: statistics,
            nothing: DropSession.nothing(printed: printer.printed, counts)
        ) { tally.write(to: &$0) }
        _ = clock
        try report.checkWritten()
    }

    /// The settings beside the filters, for the report's header.
    private func options(bufferSize: Int) -> [(name: String, value: String)] {
        var list = run.descriptions
        if let limit = records.rateLimit { list.append(("rate-limit", "\(limit)")) }
        if let count = records.count { list.append(("count", "\(count)")) }
        list.append(("buffer-size", "\(bufferSize / 1024)"))
        if records.stack { list.append(("stack", "yes")) }
        if filters.includeExpected { list.append(("include-expected", "yes")) }
        if kernel.cost { list.append(("cost", "yes")) }
        return list
    }
}
