// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Measurement

/// A place in the kernel where packets are freed, and what is known of it.
final class DropPlace: Sendable {
    let location: UInt64
    /// As the kernel gave it, or DROP_REASON_NONE.
    let reasonNumber: UInt32
    /// "udp_queue_rcv_one_skb+0x3c", or the address where the kernel hides its symbols.
    let locationText: String
    /// Nil where the symbol is not known.
    let function: String?
    let module: String?
    /// The kernel's name, or the one derived from the location; nil where neither is known.
    let reason: String?
    /// What a derived reason could also be.
    let alternatives: [String]
    /// Where the reason comes from.
    let reasonSource: ReasonSource
    /// Why a free here is no drop; nil: it is one.
    let expected: ExpectedFree?

    enum ReasonSource: String, Sendable {
        case kernel
        case derived
        case none
    }

    init(
        location: UInt64, reasonNumber: UInt32, symbol: KernelSymbols.Location?, kernelReason: String?
    ) {
        self.location = location
        self.reasonNumber = reasonNumber
        // Clones and split-off parts are the same function to a reader of the source.
        let base = symbol.map { String($0.function.prefix { $0 != "." }) }
        function = symbol?.function
        module = symbol?.module
        if let symbol {
            let place = "\(symbol.function)+0x\(String(symbol.offset, radix: 16))"
            locationText = symbol.module.map { "\(place) [\($0)]" } ?? place
        } else {
            locationText = "0x\(String(location, radix: 16))"
        }
        if let kernelReason {
            reason = kernelReason
            alternatives = []
            reasonSource = .kernel
        } else if let derived = derivedReasons.first(where: { $0.symbol == base }) {
            reason = derived.reason
            alternatives = derived.alternatives
            reasonSource = .derived
        } else {
            reason = nil
            alternatives = []
            reasonSource = .none
        }
        expected = expectedFrees.first { entry in
            entry.symbol == base && (entry.reason == nil || (kernelReason != nil && entry.reason == kernelReason))
        }
    }

    /// The reason as text reports show it: "NO_SOCKET", "NO_SOCKET (derived)", "-".
    var reasonText: String { reasonSource == .derived ? "\(reason ?? "") (derived)" : reason ?? "-" }

    /// The reason as members of a record.
    func writeReason(_ fields: inout FieldWriter) {
        fields.field("reason", optional: reason)
        fields.field("reason_source", reasonSource.rawValue)
        if alternatives.isEmpty {
            fields.absent("reason_alternatives")
        } else {
            fields.field("reason_alternatives", alternatives)
        }
    }

    /// The location as members of a record.
    func writeLocation(_ fields: inout FieldWriter) {
        fields.field("location", locationText)
        fields.field("function", optional: function)
        fields.field("module", optional: module)
    }

    /// What stands for an unknown place, where only the names of the members count.
    static let unknown = DropPlace(location: 0, reasonNumber: DROP_REASON_NONE, symbol: nil, kernelReason: nil)
}

/// All places met so far. What is in it is found without allocation.
struct DropPlaces {
    private struct Key: Hashable {
        let location: UInt64
        let reason: UInt32
    }

    /// Places kept; a run that meets more starts over.
    private static let capacity = 8192

    /// Read when the first place is named: it takes tens of milliseconds.
    private lazy var symbols = loadSymbols()
    private let loadSymbols: () -> KernelSymbols?
    private var reasons: DropReasons
    private var places: [Key: DropPlace] = [:]

    init(symbols: @autoclosure @escaping () -> KernelSymbols?, reasons: DropReasons) {
        loadSymbols = symbols
        self.reasons = reasons
    }

    /// The place of a location and a reason.
    mutating func place(_ location: UInt64, _ reason: UInt32) -> DropPlace {
        let key = Key(location: location, reason: reason)
        if let known = places[key] { return known }
        if places.count >= Self.capacity { places.removeAll(keepingCapacity: true) }
        let place = DropPlace(
            location: location, reasonNumber: reason, symbol: symbols?.locate(location),
            kernelReason: reason == DROP_REASON_NONE ? nil : reasons.name(reason))
        places[key] = place
        return place
    }

    /// A drop's stack from the location on: the frames before it are the tracepoint's and the program's own.
    static func trimmed(_ frames: [UInt64], location: UInt64) -> ArraySlice<UInt64> {
        frames[(frames.firstIndex(of: location) ?? 0)...]
    }

    /// A stack frame as text.
    mutating func frame(_ address: UInt64) -> String {
        guard let symbol = symbols?.locate(address) else { return "0x\(String(address, radix: 16))" }
        let place = "\(symbol.function)+0x\(String(symbol.offset, radix: 16))"
        return symbol.module.map { "\(place) [\($0)]" } ?? place
    }
}
