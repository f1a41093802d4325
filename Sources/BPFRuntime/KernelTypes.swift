// SPDX-License-Identifier: Apache-2.0
import BPFObjects
import CLibbpf
import Glibc

/// Where the kernel's types (BTF) come from, by which field offsets are relocated at load.
public enum KernelTypes: Sendable, Equatable {
    /// A file that the user named.
    case file(String)
    /// /sys/kernel/btf/vmlinux.
    case kernel
    /// A minimised one inside this executable, by kernel release.
    case embedded(String)
    /// A file of this release in `directory`.
    case installed(String)

    public static let kernelPath = "/sys/kernel/btf/vmlinux"
    /// Where an administrator, or `plumbline btf`, puts BTF for kernels that have none.
    public static let directory = "/var/lib/plumbline/btf"

    /// How a report names it.
    public var description: String {
        switch self {
        case .file(let path): path
        case .kernel: "kernel"
        case .embedded(let release): "embedded \(release)"
        case .installed(let path): path
        }
    }

    /// The first source there is: the user's file, the running kernel, the embedded collection, `directory`.
    ///
    /// - Throws: `RuntimeError` of kind `badInput` for a file that cannot be read or is no BTF, of kind
    ///   `unsupported`, naming every place looked at, where there is none.
    public static func choose(
        file: String?, release: String,
        kernelHasBTF: Bool,
        embedded: [String] = EmbeddedFiles.kernelTypes.map(\.name),
        directory: String = KernelTypes.directory
    ) throws(RuntimeError) -> KernelTypes {
        if let file {
            guard access(file, R_OK) == 0 else {
                throw RuntimeError(.badInput, "--btf: \(file): \(errorText(Int(errno)))")
            }
            guard let types = btf__parse(file, nil) else {
                throw RuntimeError(.badInput, "--btf: \(file) is not a BTF file")
            }
            btf__free(types)
            return .file(file)
        }
        if kernelHasBTF { return .kernel }
        if embedded.contains(release) { return .embedded(release) }
        let path = "\(directory)/\(release).btf"
        if access(path, R_OK) == 0 { return .installed(path) }
        throw RuntimeError(
            .unsupported,
            "kernel \(release) does not describe its types (no \(kernelPath)), this executable has none for it, and there is no \(path): give a file with --btf"
        )
    }
}

/// A file that is part of the executable.
public struct EmbeddedFile: @unchecked Sendable {
    // Unchecked: the bytes are constants of the executable.
    public let name: String
    public let bytes: UnsafeRawBufferPointer
}

/// Files that are part of the executable.
public enum EmbeddedFiles {
    /// Compiled BPF objects, "tool_name.btf" and "tool_name.legacy".
    public static var objects: [EmbeddedFile] { list(embedded_objects) }
    /// Minimised kernel BTF, named by release.
    public static var kernelTypes: [EmbeddedFile] { list(embedded_btf) }

    private static func list(
        _ table: (UnsafeMutablePointer<Int>?) -> UnsafePointer<embedded_file>?
    ) -> [EmbeddedFile] {
        var count = 0
        guard let files = table(&count) else { return [] }
        return (0..<count).map {
            EmbeddedFile(
                name: String(cString: files[$0].name),
                bytes: UnsafeRawBufferPointer(start: files[$0].data, count: files[$0].size))
        }
    }
}
