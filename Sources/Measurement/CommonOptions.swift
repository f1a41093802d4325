// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFRuntime

extension ObjectVariant: ExpressibleByArgument {}
extension OutputFormat: ExpressibleByArgument {}

/// A time span on the command line, in seconds with decimals.
public struct Seconds: Sendable, CustomStringConvertible {
    public let nanoseconds: UInt64

    /// Parses "10" or "0.5": above 0, up to 10,000,000 seconds.
    @Sendable public static func parse(_ text: String) throws -> Seconds {
        guard let value = Double(text), value >= 0.000_000_001, value <= 10_000_000 else {
            throw ValidationError("must be a number of seconds above 0, up to 10000000.")
        }
        return Seconds(nanoseconds: UInt64((value * 1_000_000_000).rounded()))
    }

    private init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public var description: String {
        nanoseconds % 1_000_000_000 == 0 ? "\(nanoseconds / 1_000_000_000)" : decimal(nanoseconds, 1_000_000_000, 3)
    }

    /// - Parameter whole: 1 or more.
    public init(whole: UInt64) { nanoseconds = whole * 1_000_000_000 }
}

/// How long a run lasts.
public struct RunOptions: ParsableArguments {
    @Option(help: ArgumentHelp("End after this many seconds.", valueName: "seconds"), transform: Seconds.parse)
    public var duration: Seconds?

    public init() {}

    /// For the report's header.
    public var descriptions: [(name: String, value: String)] {
        duration.map { [("duration", $0.description)] } ?? []
    }
}

/// How often a run reports.
public struct IntervalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Report every so many seconds, 0.1 or more (default: 5).", valueName: "seconds"), transform: Seconds.parse)
    public var interval = Seconds(whole: 5)

    @Option(help: ArgumentHelp("End after this many intervals.", valueName: "intervals"))
    public var count: UInt32?

    public init() {}

    public func validate() throws {
        if interval.nanoseconds < 100_000_000 {
            throw ValidationError("--interval: must be 0.1 seconds or more.")
        }
        if count == 0 { throw ValidationError("--count: must be 1 or more.") }
    }

    /// For the report's header.
    public var descriptions: [(name: String, value: String)] {
        [("interval", interval.description)] + (count.map { [("count", "\($0)")] } ?? [])
    }
}

/// How a report is written.
public struct OutputOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Report as text, json (one object per line) or csv.", valueName: "format"))
    public var format: OutputFormat = .text

    public init() {}
}

/// How the kernel side is loaded.
public struct KernelOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Load this object, btf or legacy, instead of the best the kernel can take.", valueName: "object"))
    public var object: ObjectVariant?

    @Option(help: ArgumentHelp("Take the kernel's types from this BTF file.", valueName: "file"))
    public var btf: String?

    @Flag(help: "Print libbpf's messages and the verifier's logs to standard error.")
    public var debug = false

    @Flag(help: "Measure and report the run time of the BPF programs (kernel 5.8 and later).")
    public var cost = false

    public init() {}
}

/// Opens and loads an object by these options; the fallback is the legacy object when the best choice does not load.
extension KernelOptions {
    /// - Parameters:
    ///   - name: the object, "eth_drop".
    ///   - facts: the running kernel's.
    ///   - configure: sets configuration and capacities of an opened object.
    /// - Returns: the loaded object, and a note when it is not the one that fits best.
    /// - Throws: `RuntimeError`.
    public func load(
        _ name: String, facts: KernelFacts,
        configure: (inout BPFObject) throws(RuntimeError) -> Void
    ) throws(RuntimeError) -> LoadedObject {
        let features = try KernelFeatures()
        let variant = object ?? features.bestVariant
        if variant == .btf && !(features.ringBuffer && features.globalData && features.kernelBTF) {
            throw RuntimeError(
                .unsupported,
                "--object btf: this kernel lacks \(features.kernelBTF ? features.ringBuffer ? "global data" : "the BPF ring buffer" : "its own BTF")"
            )
        }
        let types = try KernelTypes.choose(file: btf, release: facts.release, kernelHasBTF: features.kernelBTF)
        do throws(RuntimeError) {
            return LoadedObject(object: try open(name, variant, types, configure), note: nil)
        } catch {
            guard object == nil, variant == .btf, error.kind == .loadFailed else { throw error }
            let note = "the btf object did not load (\(error.description.split(separator: "\n").first ?? "")); legacy is used"
            return LoadedObject(object: try open(name, .legacy, types, configure), note: note)
        }
    }

    private func open(
        _ name: String, _ variant: ObjectVariant, _ types: KernelTypes,
        _ configure: (inout BPFObject) throws(RuntimeError) -> Void
    ) throws(RuntimeError) -> BPFObject {
        var opened = try BPFObject(name: name, variant: variant, types: types)
        try configure(&opened)
        try opened.load()
        return opened
    }
}

/// A loaded object and what there is to say about the choice.
public struct LoadedObject: ~Copyable {
    public var object: BPFObject
    public let note: String?
}
