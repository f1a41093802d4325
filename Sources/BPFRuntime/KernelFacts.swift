// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// What the running kernel says of itself.
public struct KernelFacts: Sendable {
    /// `uname -r`.
    public let release: String
    /// `uname -m`.
    public let machine: String
    /// `uname -n`.
    public let host: String
    /// CPUs that are online now.
    public let onlineCPUs: Int

    /// The running kernel's facts.
    public init() {
        var name = utsname()
        uname(&name)
        release = Self.text(&name.release)
        machine = Self.text(&name.machine)
        host = Self.text(&name.nodename)
        onlineCPUs = Int(get_nprocs())
    }

    private static func text<T>(_ field: inout T) -> String {
        withUnsafeBytes(of: &field) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Reads a small file of the kernel's whole; nil where it cannot be opened.
public func readKernelFile(_ path: String, limit: Int = 1 << 16) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: limit)
    var used = 0
    while used < limit {
        let size = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + used }, limit - used) }
        guard size > 0 else { break }
        used += size
    }
    return String(decoding: bytes[..<used], as: UTF8.self)
}

/// Capabilities of this process (include/uapi/linux/capability.h).
public enum Capability: Int, Sendable {
    case sysAdmin = 21
    case sysResource = 24
    case perfmon = 38
    case bpf = 39

    /// Whether the process has it in effect.
    public var isEffective: Bool {
        guard let status = readKernelFile("/proc/self/status") else { return false }
        for line in status.split(separator: "\n") where line.hasPrefix("CapEff:") {
            let digits = line.dropFirst("CapEff:".count).drop { $0 == "\t" || $0 == " " }
            return (UInt64(digits, radix: 16) ?? 0) & (1 << UInt64(rawValue)) != 0
        }
        return false
    }
}

/// What tracing with BPF asks of a process.
public enum Privilege {
    /// Nil when the process may load and attach tracing programs, else the sentence that says what is missing.
    public static func missing() -> String? {
        if Capability.sysAdmin.isEffective || (Capability.bpf.isEffective && Capability.perfmon.isEffective) {
            return nil
        }
        return "needs root (or CAP_BPF and CAP_PERFMON): run it with sudo"
    }
}
