// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc

/// What a report says before its first row.
public struct ReportHeader: Sendable {
    public var variant: ObjectVariant
    public var types: KernelTypes
    public var filters: [(name: String, value: String)]
    /// The run's other settings, those in force by default included.
    public var options: [(name: String, value: String)]
    public var probes: [ProbeStatus]
    /// Sentences that a reader must know to read the numbers.
    public var notes: [String]

    public init(
        variant: ObjectVariant, types: KernelTypes, filters: [(name: String, value: String)],
        options: [(name: String, value: String)], probes: [ProbeStatus], notes: [String]
    ) {
        self.variant = variant
        self.types = types
        self.filters = filters
        self.options = options
        self.probes = probes
        self.notes = notes
    }
}

/// Writes one run's records, in the format asked for. docs/output.md is the contract.
public final class Report {
    public enum Record: String, Sendable {
        case header
        case event
        case interval
        case summary
    }

    public let tool: String
    public let facts: KernelFacts
    public let format: OutputFormat
    public let output: OutputBuffer
    public let clock: WallClock
    private let common: String
    /// CLOCK_MONOTONIC when the probes were in.
    private var started: UInt64

    public init(tool: String, facts: KernelFacts, format: OutputFormat) {
        self.tool = tool
        self.facts = facts
        self.format = format
        started = monotonicNow()
        output = OutputBuffer()
        clock = WallClock()
        let quiet = OutputBuffer(descriptor: -1)
        var writer = FieldWriter(quiet, .json, first: false)
        writer.field("tool", tool)
        writer.field("host", facts.host)
        writer.field("kernel", facts.release)
        common = quiet.takeString()
    }

    /// One JSON record or CSV row.
    ///
    /// - Parameters:
    ///   - time: CLOCK_MONOTONIC.
    ///   - body: writes the record's own fields, in the order that the documentation gives.
    @inline(__always)
    public func record(_ record: Record, time: UInt64, _ body: (inout FieldWriter) -> Void) {
        var writer: FieldWriter
        if format == .csv {
            writer = FieldWriter(output, .csvValues)
            writer.field("time") { self.clock.writeUTC(time, to: $0) }
            body(&writer)
            output.newline()
            return
        }
        output.text("{\"record\":\"")
        output.string(record.rawValue)
        output.byte(0x22)
        output.string(common)
        writer = FieldWriter(output, .json, first: false)
        writer.field("time") { self.clock.writeUTC(time, to: $0) }
        writer.field("monotonic_ns", time)
        body(&writer)
        output.text("}\n")
    }

    /// The line of column names, for CSV; `body` must write the fields that rows will have.
    public func columns(_ body: (inout FieldWriter) -> Void) {
        guard format == .csv else { return }
        var writer = FieldWriter(output, .csvNames)
        writer.field("time", "")
        body(&writer)
        output.newline()
        output.flush()
    }

    /// A comment line of the text and CSV formats.
    public func comment(_ text: String) {
        output.text("# ")
        output.string(text)
        output.newline()
    }

    /// The header, flushed: it is there even when no row follows. Write it when the probes are in: the run
    /// starts here.
    public func header(_ header: ReportHeader) {
        started = monotonicNow()
        let live = header.probes.filter(\.isLive)
        let missing = header.probes.filter { !$0.isLive }
        if format == .json {
            record(.header, time: started) { fields in
                fields.field("version", plumblineVersion)
                fields.field("machine", facts.machine)
                fields.field("cpus", Int64(facts.onlineCPUs))
                fields.field("object", header.variant.rawValue)
                fields.field("btf", header.types.description)
                fields.field("clock_offset_ns", clock.offset)
                fields.field("clock_uncertainty_ns", clock.uncertainty)
                fields.array("filters", header.filters) { fields, filter in
                    fields.field("name", filter.name)
                    fields.field("value", filter.value)
                }
                fields.array("options", header.options) { fields, option in
                    fields.field("name", option.name)
                    fields.field("value", option.value)
                }
                fields.array("probes_live", live) { fields, probe in
                    fields.field("name", probe.name)
                    fields.field("hook", probe.hook ?? "")
                }
                fields.array("probes_missing", missing) { fields, probe in
                    fields.field("name", probe.name)
                    fields.field("reason", probe.reason ?? "")
                }
                fields.field("notes", header.notes)
            }
        } else {
            comment(
                "\(tool) \(plumblineVersion) on \(facts.host), kernel \(facts.release) \(facts.machine), \(facts.onlineCPUs) CPUs, started \(clock.localDate(started))"
            )
            comment("object \(header.variant.rawValue), types from \(header.types.description)")
            let filters = header.filters.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
            comment("filters: \(filters.isEmpty ? "none" : filters)")
            comment("options: \(header.options.map { "\($0.name) \($0.value)" }.joined(separator: ", "))")
            comment("probes live: \(live.map { "\($0.name) (\($0.hook ?? ""))" }.joined(separator: ", "))")
            for probe in missing { comment("probe missing: \(probe.name): \(probe.reason ?? "")") }
            comment(
                "clock: CLOCK_MONOTONIC \(clock.offset < 0 ? "-" : "+") \(clock.offset.magnitude) ns = wall clock, within \(clock.uncertainty) ns at start"
            )
            for note in header.notes { comment("note: \(note)") }
        }
        output.flush()
    }

    /// The summary's common part, and the last word: complete or incomplete.
    ///
    /// - Parameters:
    ///   - end: why the run is over.
    ///   - printed: rows in the report.
    ///   - nothing: the sentence that explains a report without rows.
    ///   - fields: the tool's own members of the JSON record.
    public func summary(
        end: RunLoop.End, completeness counts: Completeness, printed: UInt64, probes: [(name: String, hits: UInt64)],
        statistics: BPFObject.ProgramStatistics, nothing: String?,
        _ fields: (inout FieldWriter) -> Void = { _ in }
    ) {
        let now = monotonicNow()
        let elapsed = now - started
        output.endBy = min(output.endBy, now + OutputBuffer.grace)
        if format == .json {
            record(.summary, time: now) { writer in
                writer.field("duration_ns", elapsed)
                writer.field("end", end.description)
                writer.field("seen", counts.seen)
                writer.field("filtered", counts.filtered)
                writer.field("expected", counts.expected)
                writer.field("suppressed", counts.suppressed)
                writer.field("printed", printed)
                writer.field("beyond_count", counts.beyondCount)
                writer.field("lost", counts.lost)
                writer.field("map_full", counts.mapFull)
                writer.field("stack_missed", counts.stackMissed)
                writer.field("nested", counts.nested)
                writer.field("skipped_by_kernel", counts.skippedByKernel)
                writer.array("probe_hits", probes) { writer, probe in
                    writer.field("name", probe.name)
                    writer.field("hits", probe.hits)
                }
                if statistics.runs > 0 {
                    writer.field("bpf_runs", statistics.runs)
                    writer.field("bpf_ns", statistics.nanoseconds)
                }
                fields(&writer)
                if let nothing { writer.field("nothing_captured", nothing) }
                writer.field("gaps", counts.gaps)
                writer.field("complete", counts.isComplete)
            }
        } else {
            let hits = probes.map { "\($0.name) \($0.hits)" }.joined(separator: ", ")
            comment("ended by \(end.description) after \(decimal(elapsed, 1_000_000_000, 3)) s; probe hits: \(hits)")
            comment(
                "seen \(counts.seen), filtered \(counts.filtered), expected \(counts.expected), suppressed \(counts.suppressed), printed \(printed), beyond_count \(counts.beyondCount), lost \(counts.lost), map_full \(counts.mapFull), stack_missed \(counts.stackMissed), nested \(counts.nested), skipped_by_kernel \(counts.skippedByKernel)"
            )
            if statistics.runs > 0 {
                comment(
                    "cost: \(statistics.nanoseconds / statistics.runs) ns per run of the BPF programs, \(statistics.runs) runs"
                )
            }
            if let nothing { comment("nothing captured: \(nothing)") }
            comment(counts.isComplete ? "complete" : "incomplete: \(counts.gaps.joined(separator: "; "))")
        }
        output.flush()
        if output.isClosed { lastWords(counts, printed) }
    }

    /// - Throws: `Failure` with status 74 when the report could not be written, for another reason than
    ///   that its reader left.
    public func checkWritten() throws {
        guard output.failure != 0 else { return }
        guard output.failure != ETIMEDOUT else {
            throw Failure(ExitStatus.inputOutput, "cannot write the report: its reader took nothing for \(OutputBuffer.grace / 1_000_000_000) s after the end of the run")
        }
        let reason = strerror(output.failure).map { String(cString: $0) } ?? "error \(output.failure)"
        throw Failure(ExitStatus.inputOutput, "cannot write the report: \(reason)")
    }

    /// The summary for a reader that left: to standard error, so that it is not lost.
    private func lastWords(_ counts: Completeness, _ printed: UInt64) {
        writeError(
            "\(tool): output closed; seen \(counts.seen), filtered \(counts.filtered), expected \(counts.expected), suppressed \(counts.suppressed), printed \(printed), lost \(counts.lost): \(counts.isComplete ? "complete until then" : "incomplete: " + counts.gaps.joined(separator: "; "))")
    }
}

/// `value / unit` with `places` decimals, rounded.
public func decimal(_ value: UInt64, _ unit: UInt64, _ places: Int) -> String {
    let quiet = OutputBuffer(descriptor: -1)
    var scale: UInt64 = 1
    for _ in 0..<places { scale *= 10 }
    quiet.fixed(UInt64((Double(value) / Double(unit) * Double(scale)).rounded()), places: places)
    return quiet.takeString()
}
