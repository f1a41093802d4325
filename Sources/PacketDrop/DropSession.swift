// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Measurement

/// The probes of both tools, what the kernel says about reasons, and the notes that follow from it.
enum DropSession {
    static let freeProbe = Probe(
        name: "kfree_skb",
        candidates: [.init(program: "kfree_skb", hook: .rawTracepoint("kfree_skb"))])

    /// Only on kernels where TCP's discards pass by the tracepoint; see bpf/packet-drop/admit.h.
    static let tcpProbe = Probe(
        name: "tcp_drop",
        silences: "what TCP itself discards (out of window, pruned queues) is not seen on this kernel",
        candidates: [.init(program: "tcp_drop", hook: .kprobe("tcp_drop"))])

    /// Names of counters.hits, in order.
    static let probeNames = ["kfree_skb", "tcp_drop"]

    /// Hooks the probes in and reads what is needed to name what they see.
    static func attach(
        _ object: inout BPFObject, _ kernel: inout DropKernel
    ) throws -> (probes: [ProbeStatus], places: DropPlaces, notes: [String]) {
        var notes = kernel.notes
        var probes = try object.attach([freeProbe], symbols: { () throws(RuntimeError) in try KernelSymbols() })
        let reasons = kernel.loadReasons()
        if reasons.exist {
            notes.append("drop reasons: \(reasons.coreCount) named by the kernel")
        } else {
            notes.append("this kernel gives no drop reasons: those shown are derived from the location, and marked so")
        }
        if !reasons.includeTCP {
            probes += try object.attach([tcpProbe], symbols: { () throws(RuntimeError) in try KernelSymbols() })
        }
        if !KernelSymbols.areVisible() {
            notes.append(
                "the kernel hides its addresses (kernel.kptr_restrict, or no CAP_SYSLOG): locations are numbers, and frees that are no drops cannot be told from drops"
            )
        }
        let known = kernel.symbols
        return (probes, DropPlaces(symbols: known ?? (try? KernelSymbols()), reasons: reasons), notes)
    }

    /// Hits of each probe that is live.
    static func hits(_ counters: [UInt64], _ probes: [ProbeStatus]) -> [(name: String, hits: UInt64)] {
        probeNames.enumerated().filter { index, name in
            index < counters.count && probes.contains { $0.name == name && $0.isLive }
        }.map { ($1, counters[$0]) }
    }

    /// Why a run has nothing to show; nil when it has.
    static func nothing(printed: UInt64, _ counts: Completeness) -> String? {
        guard printed == 0 else { return nil }
        if counts.seen == 0 { return "no packet was freed as dropped on this host meanwhile" }
        var causes: [String] = []
        if counts.filtered > 0 { causes.append("\(counts.filtered) did not match the filters") }
        if counts.expected > 0 { causes.append("\(counts.expected) were frees known to be no drops") }
        if !counts.isComplete { causes += counts.gaps }
        return "of \(counts.seen) frees seen, " + causes.joined(separator: ", ")
    }
}

/// Frees that are no drops, counted by place, under their own heading.
struct ExpectedTally {
    private var counts: [String: (count: UInt64, why: String)] = [:]

    mutating func add(_ place: DropPlace, _ count: UInt64 = 1) {
        guard let entry = place.expected, count > 0 else { return }
        let name = place.reasonSource == .kernel ? "\(entry.symbol) \(place.reason ?? "")" : entry.symbol
        counts[name, default: (0, entry.why)].count += count
    }

    /// Largest first.
    var rows: [(name: String, count: UInt64, why: String)] {
        counts.map { ($0.key, $0.value.count, $0.value.why) }.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    }

    var total: UInt64 { counts.values.reduce(0) { $0 + $1.count } }

    /// The heading and its rows, as comment lines of text and CSV reports.
    func write(to report: Report) {
        guard !counts.isEmpty, report.format != .json else { return }
        report.comment("frees that are no drops: \(total)")
        for row in rows { report.comment("  \(row.count) \(row.name): \(row.why)") }
    }

    /// The same as a member of a JSON record.
    func write(to fields: inout FieldWriter) {
        fields.array("expected_frees", rows) { fields, row in
            fields.field("place", row.name)
            fields.field("count", row.count)
            fields.field("why", row.why)
        }
    }
}
