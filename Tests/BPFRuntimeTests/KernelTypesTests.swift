// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CLibbpf
import Foundation
import Testing

/// Which of several sources of kernel types is taken.
@Suite struct KernelTypesTests {
    private static let release = "4.19.90-test"

    /// A BTF file with one type in it.
    private func types() throws -> Data {
        let types = try #require(btf__new_empty())
        defer { btf__free(types) }
        #expect(btf__add_int(types, "int", 4, Int32(BTF_INT_SIGNED)) == 1)
        var size: UInt32 = 0
        let bytes = try #require(btf__raw_data(types, &size))
        return Data(bytes: bytes, count: Int(size))
    }

    /// A directory that holds types for `release`, as /var/lib/plumbline/btf does.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("plumbline-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data([0]).write(to: URL(fileURLWithPath: "\(path)/\(Self.release).btf"))
        try body(path)
    }

    @Test func theUsersFileComesFirst() throws {
        try withFile(types()) { path in
            try withDirectory { directory in
                let chosen = try KernelTypes.choose(
                    file: path, release: Self.release, kernelHasBTF: true, embedded: [Self.release], directory: directory)
                #expect(chosen == .file(path))
                #expect(chosen.description == path)
            }
        }
    }

    @Test func thenTheKernel() throws {
        try withDirectory { directory in
            let chosen = try KernelTypes.choose(
                file: nil, release: Self.release, kernelHasBTF: true, embedded: [Self.release], directory: directory)
            #expect(chosen == .kernel)
            #expect(chosen.description == "kernel")
        }
    }

    @Test func thenTheExecutable() throws {
        try withDirectory { directory in
            let chosen = try KernelTypes.choose(
                file: nil, release: Self.release, kernelHasBTF: false, embedded: ["5.4.0", Self.release],
                directory: directory)
            #expect(chosen == .embedded(Self.release))
            #expect(chosen.description == "embedded \(Self.release)")
        }
    }

    @Test func thenTheDirectory() throws {
        try withDirectory { directory in
            // A release that merely begins alike is another kernel.
            let chosen = try KernelTypes.choose(
                file: nil, release: Self.release, kernelHasBTF: false, embedded: ["\(Self.release)-other"],
                directory: directory)
            #expect(chosen == .installed("\(directory)/\(Self.release).btf"))
            #expect(chosen.description == "\(directory)/\(Self.release).btf")
        }
    }

    @Test func elseTheSentenceNamesEveryPlace() throws {
        let error = #expect(throws: RuntimeError.self) {
            _ = try KernelTypes.choose(
                file: nil, release: Self.release, kernelHasBTF: false, embedded: [], directory: "/nonexistent")
        }
        #expect(error?.kind == .unsupported)
        let sentence = try #require(error?.description)
        for part in [Self.release, KernelTypes.kernelPath, "/nonexistent/\(Self.release).btf", "--btf"] {
            #expect(sentence.contains(part), "\(part)")
        }
        #expect(!sentence.contains("\n"))
    }

    @Test func aFileThatIsNotThere() {
        let error = #expect(throws: RuntimeError.self) {
            _ = try KernelTypes.choose(file: "/nonexistent/types", release: Self.release, kernelHasBTF: true)
        }
        #expect(error?.kind == .badInput)
        #expect(error?.description == "--btf: /nonexistent/types: No such file or directory (2)")
    }

    @Test(arguments: ["", "text, no types\n", "\u{7f}ELF and no more"])
    func aFileThatIsNoBTF(content: String) throws {
        try withFile(Data(content.utf8)) { path in
            let error = #expect(throws: RuntimeError.self) {
                _ = try KernelTypes.choose(file: path, release: Self.release, kernelHasBTF: true)
            }
            #expect(error?.kind == .badInput)
            #expect(error?.description == "--btf: \(path) is not a BTF file")
        }
    }

    @Test func aDirectoryIsNoBTF() {
        let error = #expect(throws: RuntimeError.self) {
            _ = try KernelTypes.choose(file: "/tmp", release: Self.release, kernelHasBTF: true)
        }
        #expect(error?.kind == .badInput)
    }

    @Test func aCutFileIsNoBTF() throws {
        try withFile(types().dropLast(4)) { path in
            #expect(throws: RuntimeError.self) {
                _ = try KernelTypes.choose(file: path, release: Self.release, kernelHasBTF: true)
            }
        }
    }
}
