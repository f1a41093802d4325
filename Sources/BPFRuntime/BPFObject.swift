// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinux
import Glibc

/// A BPF object from the executable: opened, configured, loaded, attached, in this order.
///
/// Everything it put into the kernel leaves with it, on every way out of the scope that owns it, and
/// by the kernel itself when the process dies.
public struct BPFObject: ~Copyable {
    private let object: OpaquePointer
    private var links: [OpaquePointer] = []
    private let configSize: Int
    private var pendingConfig: [UInt8] = []
    private let typesFile: Int32

    public let name: String
    public let variant: ObjectVariant
    /// Where field offsets came from.
    public let types: KernelTypes

    /// Opens an object; nothing is in the kernel yet.
    ///
    /// - Parameters:
    ///   - name: the source's name, "eth_drop".
    ///   - variant: which of its two objects.
    ///   - types: where the kernel's types come from.
    /// - Throws: `RuntimeError` when the executable has no such object or libbpf cannot read it.
    public init(name: String, variant: ObjectVariant, types: KernelTypes) throws(RuntimeError) {
        let fullName = "\(name).\(variant.rawValue)"
        guard let image = EmbeddedFiles.objects.first(where: { $0.name == fullName }) else {
            throw RuntimeError(.loadFailed, "this executable holds no object \(fullName)")
        }
        var path: String?
        var memory: Int32 = -1
        switch types {
        case .file(let file), .installed(let file): path = file
        case .kernel: path = nil
        case .embedded(let release):
            memory = try Self.memoryFile(release)
            path = "/proc/self/fd/\(memory)"
        }
        let opened = Self.open(image: image, name: name, typesPath: path)
        guard let opened else {
            if memory >= 0 { close(memory) }
            throw RuntimeError(.loadFailed, "object \(fullName): \(errorText(Int(errno)))")
        }
        object = opened
        typesFile = memory
        configSize = Self.configMap(opened).map { Int(bpf_map__value_size($0)) } ?? 0
        self.name = name
        self.variant = variant
        self.types = types
    }

    deinit {
        for link in links { bpf_link__destroy(link) }
        bpf_object__close(object)
        if typesFile >= 0 { close(typesFile) }
    }

    private static func open(image: EmbeddedFile, name: String, typesPath: String?) -> OpaquePointer? {
        func open(_ path: UnsafePointer<CChar>?) -> OpaquePointer? {
            name.withCString { name in
                var options = bpf_object_open_opts()
                options.sz = MemoryLayout<bpf_object_open_opts>.size
                options.object_name = name
                options.btf_custom_path = path
                return bpf_object__open_mem(image.bytes.baseAddress, image.bytes.count, &options)
            }
        }
        return typesPath.map { $0.withCString(open) } ?? open(nil)
    }

    /// Embedded types as a file that libbpf can open.
    private static func memoryFile(_ release: String) throws(RuntimeError) -> Int32 {
        guard let types = EmbeddedFiles.kernelTypes.first(where: { $0.name == release }) else {
            throw RuntimeError(.unsupported, "this executable holds no types for kernel \(release)")
        }
        let file = clinux_memory_file("plumbline-btf")
        guard file >= 0 else { throw RuntimeError(.loadFailed, "memory file: \(errorText(Int(file)))") }
        guard write(file, types.bytes.baseAddress, types.bytes.count) == types.bytes.count else {
            close(file)
            throw RuntimeError(.loadFailed, "memory file: \(errorText(Int(errno)))")
        }
        return file
    }

    private static func configMap(_ object: OpaquePointer) -> OpaquePointer? {
        bpf_object__find_map_by_name(object, ".rodata.config") ?? bpf_object__find_map_by_name(object, "config")
    }

    private func find(_ map: String) throws(RuntimeError) -> OpaquePointer {
        guard let found = bpf_object__find_map_by_name(object, map) else {
            throw RuntimeError(.loadFailed, "object \(name).\(variant.rawValue) has no map \(map)")
        }
        return found
    }

    // MARK: Before load

    /// Sets the configuration that the object's CONFIG() declares. Call before `load`.
    public mutating func configure<Config: BitwiseCopyable>(_ config: Config) throws(RuntimeError) {
        guard MemoryLayout<Config>.size == configSize else {
            throw RuntimeError(
                .loadFailed,
                "configuration of \(name): \(configSize) bytes in the object, \(MemoryLayout<Config>.size) here")
        }
        pendingConfig = withUnsafeBytes(of: config) { Array($0) }
        guard let map = Self.configMap(object) else { return }
        if variant == .btf {
            let result = pendingConfig.withUnsafeBytes { bpf_map__set_initial_value(map, $0.baseAddress, $0.count) }
            if result != 0 {
                throw RuntimeError(.loadFailed, "configuration of \(name): \(errorText(Int(result)))")
            }
        }
    }

    /// Sets how many entries a map has room for. Call before `load`.
    public func setCapacity(_ map: String, _ entries: UInt32) throws(RuntimeError) {
        let result = bpf_map__set_max_entries(try find(map), entries)
        if result != 0 { throw RuntimeError(.loadFailed, "map \(map): \(errorText(Int(result)))") }
    }

    /// Makes a map's key a prefix of what the object declares. Call before `load`.
    public func setKeySize(_ map: String, _ bytes: Int) throws(RuntimeError) {
        let result = bpf_map__set_key_size(try find(map), UInt32(bytes))
        if result != 0 { throw RuntimeError(.loadFailed, "map \(map): \(errorText(Int(result)))") }
    }

    // MARK: Load

    /// Loads the maps and programs into the kernel. Nothing runs yet.
    ///
    /// - Throws: `RuntimeError` with the verifier's last lines.
    public mutating func load() throws(RuntimeError) {
        let result = bpf_object__load(object)
        guard result == 0 else {
            let lines = LibbpfLog.failure().map { "\n  \($0)" }.joined()
            if result == -EPERM && !Capability.sysResource.isEffective {
                throw RuntimeError(
                    .notPermitted,
                    "the kernel refused the object \(name).\(variant.rawValue): \(errorText(Int(result))); without CAP_SYS_RESOURCE a kernel before 5.11 needs a higher RLIMIT_MEMLOCK (ulimit -l)\(lines)"
                )
            }
            throw RuntimeError(
                result == -EPERM ? .notPermitted : .loadFailed,
                "the kernel refused the object \(name).\(variant.rawValue): \(errorText(Int(result)))\(lines)")
        }
        if variant == .legacy, let map = Self.configMap(object), !pendingConfig.isEmpty {
            var key: UInt32 = 0
            let update = pendingConfig.withUnsafeBytes {
                bpf_map_update_elem(bpf_map__fd(map), &key, $0.baseAddress, 0)
            }
            if update != 0 { throw RuntimeError(.loadFailed, "configuration of \(name): \(errorText(Int(update)))") }
        }
    }

    // MARK: After load

    /// A map with one value per key.
    public func map<Key, Value>(_ map: String, _: Key.Type, _: Value.Type) throws(RuntimeError) -> BPFMap<Key, Value> {
        let found = try find(map)
        return try BPFMap(file: bpf_map__fd(found), name: map, map: found)
    }

    /// An array map with one value per CPU and index.
    public func perCPUMap<Value>(_ map: String, _: Value.Type) throws(RuntimeError) -> PerCPUMap<Value> {
        PerCPUMap(map: try self.map(map, UInt32.self, Value.self))
    }

    /// A stack-trace map.
    public func stackMap(_ map: String) throws(RuntimeError) -> StackMap {
        let found = try find(map)
        return StackMap(file: bpf_map__fd(found), depth: Int(bpf_map__value_size(found)) / 8)
    }

    /// The descriptor of a map, for the event stream.
    func descriptor(_ map: String) throws(RuntimeError) -> Int32 {
        bpf_map__fd(try find(map))
    }

    /// Hooks the probes in, each by its first candidate that the kernel takes.
    ///
    /// - Parameter symbols: called only when a candidate needs the kernel's function names.
    /// - Returns: what became of each, in the order given.
    /// - Throws: `RuntimeError` when a required probe is missing.
    public mutating func attach(
        _ probes: [Probe], symbols: () throws(RuntimeError) -> KernelSymbols
    ) throws(RuntimeError) -> [ProbeStatus] {
        var statuses: [ProbeStatus] = []
        for probe in probes {
            var hook: String?
            var reasons: [String] = []
            for candidate in probe.candidates where hook == nil {
                do throws(RuntimeError) {
                    let (link, description) = try attach(candidate, symbols: symbols)
                    links.append(link)
                    hook = description
                } catch {
                    reasons.append(error.description)
                }
            }
            if hook == nil && probe.silences == nil {
                throw RuntimeError(.loadFailed, "cannot watch \(probe.name): \(reasons.joined(separator: "; "))")
            }
            let why = reasons.joined(separator: "; ")
            statuses.append(
                ProbeStatus(
                    name: probe.name, hook: hook,
                    reason: hook == nil ? "\(why); without it: \(probe.silences ?? "")" : nil))
        }
        return statuses
    }

    private func attach(
        _ candidate: Probe.Candidate, symbols: () throws(RuntimeError) -> KernelSymbols
    ) throws(RuntimeError) -> (OpaquePointer, String) {
        guard let program = bpf_object__find_program_by_name(object, candidate.program) else {
            throw RuntimeError(.loadFailed, "no program \(candidate.program)")
        }
        let link: OpaquePointer?
        var description = candidate.hook.description
        switch candidate.hook {
        case .rawTracepoint(let name):
            link =
                variant == .btf
                ? bpf_program__attach_trace(program)
                : bpf_program__attach_raw_tracepoint(program, name)
        case .kprobe(let function):
            link = bpf_program__attach_kprobe(program, false, function)
        case .kprobeClone(let function):
            guard let clone = try symbols().probeTarget(function) else {
                throw RuntimeError(.unsupported, "\(description): no such function in this kernel")
            }
            description = "kprobe \(clone)"
            link = bpf_program__attach_kprobe(program, false, clone)
        }
        let error = link.map { clibbpf_error(UnsafeRawPointer($0)) } ?? Int(-errno)
        guard let link, error == 0 else {
            throw RuntimeError(.loadFailed, "\(description): \(errorText(error))")
        }
        return (link, description)
    }

    /// Takes every probe out. Programs that run at the call may still finish; `waitForPrograms` waits for them.
    public mutating func detach() {
        for link in links { bpf_link__destroy(link) }
        links.removeAll()
    }

    /// What the kernel counted of this object's programs.
    public struct ProgramStatistics: Sendable {
        /// Time spent in the programs, 0 unless statistics are enabled (5.1 and later).
        public var nanoseconds: UInt64 = 0
        /// Runs, 0 unless statistics are enabled.
        public var runs: UInt64 = 0
        /// Calls that the kernel skipped because the program was already running on that CPU (5.12 and later).
        public var missed: UInt64 = 0
    }

    /// The kernel's counts, summed over all programs.
    public func statistics() -> ProgramStatistics {
        var total = ProgramStatistics()
        var program = bpf_object__next_program(object, nil)
        while let current = program {
            var info = bpf_prog_info()
            var length = UInt32(MemoryLayout<bpf_prog_info>.size)
            if bpf_program__fd(current) >= 0, bpf_obj_get_info_by_fd(bpf_program__fd(current), &info, &length) == 0 {
                total.nanoseconds &+= info.run_time_ns
                total.runs &+= info.run_cnt
                total.missed &+= info.recursion_misses
            }
            program = bpf_object__next_program(object, current)
        }
        return total
    }
}

/// Returns when no BPF program that was running at the call runs any more.
///
/// - Returns: false where the kernel allows no way to know; then a pause of 50 ms took its place.
@discardableResult
public func waitForPrograms() -> Bool {
    if clinux_wait_for_programs() == 0 { return true }
    usleep(50_000)
    return false
}

/// While it lives, the kernel measures the run time of every BPF program (5.8 and later; the setting
/// belongs to the descriptor, no sysctl is changed).
public struct ProgramClock: ~Copyable {
    private let file: Int32

    /// Nil where the kernel cannot.
    public init?() {
        file = bpf_enable_stats(BPF_STATS_RUN_TIME)
        guard file >= 0 else { return nil }
    }

    deinit { close(file) }
}
