// SPDX-License-Identifier: Apache-2.0

/// Where in the kernel a program is hooked in.
public enum Hook: Sendable, Equatable {
    /// A raw tracepoint (typed in the btf object, untyped in the legacy one).
    case rawTracepoint(String)
    /// The entry of a kernel function, by exact name.
    case kprobe(String)
    /// The entry of a kernel function or, where the compiler renamed it, of one of its clones
    /// (`name.isra.N`, `name.constprop.N`). A clone may have lost an argument: the program named
    /// beside this hook must know that layout.
    case kprobeClone(String)

    var description: String {
        switch self {
        case .rawTracepoint(let name): "raw tracepoint \(name)"
        case .kprobe(let name): "kprobe \(name)"
        case .kprobeClone(let name): "kprobe \(name).*"
        }
    }
}

/// One thing a measurement watches, with every way to hook it in, best first.
public struct Probe: Sendable {
    public struct Candidate: Sendable {
        /// The program's name in the object.
        public let program: String
        public let hook: Hook

        public init(program: String, hook: Hook) {
            self.program = program
            self.hook = hook
        }
    }

    /// How reports name it.
    public let name: String
    /// What the report lacks without it; nil: the measurement is nothing without it.
    public let silences: String?
    public let candidates: [Candidate]

    public init(name: String, silences: String? = nil, candidates: [Candidate]) {
        self.name = name
        self.silences = silences
        self.candidates = candidates
    }
}

/// What became of a probe.
public struct ProbeStatus: Sendable {
    public let name: String
    /// The hook in use, as text; nil when the probe is missing.
    public let hook: String?
    /// Why it is missing, and what it silences.
    public let reason: String?

    public var isLive: Bool { hook != nil }
}
