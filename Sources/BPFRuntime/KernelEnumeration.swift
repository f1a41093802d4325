// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// Enumerations of the running kernel and its modules, read from their BTF.
public enum KernelEnumeration {
    /// Name and value of each enumerator of `name` in the kernel; empty where the kernel has no such
    /// type or no BTF.
    public static func enumerators(of name: String) -> [(name: String, value: UInt32)] {
        guard let types = btf__load_vmlinux_btf() else { return [] }
        defer { btf__free(types) }
        let id = btf__find_by_name_kind(types, name, UInt32(BTF_KIND_ENUM))
        guard id > 0 else { return [] }
        return enumerators(types, UInt32(id))
    }

    /// The enumerators of every enumeration whose type name contains `part`, in the kernel (module "") and in
    /// loaded modules.
    public static func moduleEnumerators(
        whereNameContains part: String
    ) -> [(module: String, name: String, value: UInt32)] {
        guard let directory = opendir("/sys/kernel/btf"), let kernel = btf__load_vmlinux_btf() else { return [] }
        defer {
            closedir(directory)
            btf__free(kernel)
        }
        var found = enumerators(kernel, 1..<btf__type_cnt(kernel), part).map { ("", $0.name, $0.value) }
        while let entry = readdir(directory) {
            let module = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !module.hasPrefix("."), module != "vmlinux",
                let types = btf__parse_split("/sys/kernel/btf/\(module)", kernel)
            else { continue }
            defer { btf__free(types) }
            let ids = btf__type_cnt(kernel)..<max(btf__type_cnt(types), btf__type_cnt(kernel))
            found += enumerators(types, ids, part).map { (module, $0.name, $0.value) }
        }
        return found
    }

    /// The enumerators of the enumerations among `ids` whose name contains `part`.
    private static func enumerators(
        _ types: OpaquePointer, _ ids: Range<UInt32>, _ part: String
    ) -> [(name: String, value: UInt32)] {
        var found: [(name: String, value: UInt32)] = []
        for id in ids {
            guard let type = btf__type_by_id(types, id), btf_kind(type) == BTF_KIND_ENUM,
                let name = btf__name_by_offset(types, type.pointee.name_off), strstr(name, part) != nil
            else { continue }
            found += enumerators(types, id)
        }
        return found
    }

    private static func enumerators(_ types: OpaquePointer, _ id: UInt32) -> [(name: String, value: UInt32)] {
        guard let type = btf__type_by_id(types, id), let members = btf_enum(type) else { return [] }
        return (0..<Int(btf_vlen(type))).compactMap { index in
            guard let name = btf__name_by_offset(types, members[index].name_off) else { return nil }
            return (String(cString: name), UInt32(bitPattern: members[index].val))
        }
    }
}
