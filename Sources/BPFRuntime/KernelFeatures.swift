// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// What the running kernel's BPF can do, found by trying, never by version number.
public struct KernelFeatures: Sendable {
    /// BPF_MAP_TYPE_RINGBUF (5.8).
    public let ringBuffer: Bool
    /// Maps whose values programs address as data (5.2).
    public let globalData: Bool
    /// The kernel describes its own types (/sys/kernel/btf/vmlinux), as typed tracepoints need.
    public let kernelBTF: Bool

    /// Tries each feature; leaves nothing behind in the kernel.
    /// - Throws: `RuntimeError` of kind `notPermitted` when the kernel refuses any BPF to this process.
    public init() throws(RuntimeError) {
        ringBuffer = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nil) == 1
        let data = clibbpf_probe_global_data()
        if data == -EPERM {
            throw RuntimeError(
                .notPermitted,
                "the kernel refuses BPF to this process (operation not permitted): run it as root on the host, outside containers, with kernel lockdown off"
            )
        }
        globalData = data == 1
        kernelBTF = access(KernelTypes.kernelPath, R_OK) == 0
    }

    /// The object these features are enough for.
    public var bestVariant: ObjectVariant {
        ringBuffer && globalData && kernelBTF ? .btf : .legacy
    }
}

/// Which of the two objects made from one source; see bpf/include/target.h.
public enum ObjectVariant: String, Sendable, CaseIterable {
    case btf
    case legacy
}
