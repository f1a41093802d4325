// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CLibbpf
import Testing

/// An embedded object, opened by libbpf but not loaded.
final class ObjectImage {
    struct Program {
        let name: String
        let type: bpf_prog_type
        let instructions: [bpf_insn]
    }

    struct Map {
        let name: String
        let type: bpf_map_type
        let flags: UInt32
        let keySize: Int
        let valueSize: Int
        let isInternal: Bool
    }

    let name: String
    private let object: OpaquePointer
    private let bytes: UnsafeRawBufferPointer

    init(_ name: String) throws {
        self.name = name
        let file = try #require(EmbeddedFiles.objects.first { $0.name == name }, "no object \(name)")
        bytes = file.bytes
        object = try #require(bpf_object__open_mem(file.bytes.baseAddress, file.bytes.count, nil), "libbpf cannot open \(name)")
    }

    deinit { bpf_object__close(object) }

    /// Names of all embedded objects of a variant, "eth_drop.legacy".
    static func names(_ variant: ObjectVariant) -> [String] {
        EmbeddedFiles.objects.map(\.name).filter { $0.hasSuffix(".\(variant.rawValue)") }
    }

    /// Names of all sources.
    static var sources: [String] {
        Set(EmbeddedFiles.objects.map { String($0.name.prefix { $0 != "." }) }).sorted()
    }

    var programs: [Program] {
        var list: [Program] = []
        var next = bpf_object__next_program(object, nil)
        while let program = next {
            let instructions = UnsafeBufferPointer(
                start: bpf_program__insns(program), count: Int(bpf_program__insn_cnt(program)))
            list.append(
                Program(
                    name: String(cString: bpf_program__name(program)), type: bpf_program__type(program),
                    instructions: Array(instructions)))
            next = bpf_object__next_program(object, program)
        }
        return list
    }

    var maps: [Map] {
        var list: [Map] = []
        var next = bpf_object__next_map(object, nil)
        while let map = next {
            list.append(
                Map(
                    name: String(cString: bpf_map__name(map)), type: bpf_map__type(map), flags: bpf_map__map_flags(map),
                    keySize: Int(bpf_map__key_size(map)), valueSize: Int(bpf_map__value_size(map)),
                    isInternal: bpf_map__is_internal(map)))
            next = bpf_object__next_map(object, map)
        }
        return list
    }

    func map(_ name: String) throws -> Map {
        try #require(maps.first { $0.name == name }, "\(self.name) has no map \(name)")
    }

    // MARK: Sections

    /// The ELF sections, by name.
    var sections: [String: ArraySlice<UInt8>] {
        let file = Array(bytes)
        func number(_ at: Int, _ size: Int) -> Int {
            (0..<size).reduce(0) { $0 | Int(file[at + $1]) << ($1 * 8) }
        }
        let table = number(0x28, 8)
        let entry = number(0x3a, 2)
        func offset(_ section: Int) -> Int { number(table + section * entry + 0x18, 8) }
        let names = offset(number(0x3e, 2))
        var sections: [String: ArraySlice<UInt8>] = [:]
        for section in 0..<number(0x3c, 2) {
            let start = names + number(table + section * entry, 4)
            let name = String(decoding: file[start...].prefix { $0 != 0 }, as: UTF8.self)
            sections[name] = file[offset(section)..<offset(section) + number(table + section * entry + 0x20, 8)]
        }
        return sections
    }

    var license: String? {
        sections["license"].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    // MARK: Types

    struct Layout {
        let size: Int
        /// Offsets in bytes, by member.
        let offsets: [String: Int]
    }

    /// A structure as the object's own types describe it.
    func layout(of structure: String) throws -> Layout {
        let types = try #require(bpf_object__btf(object), "\(name) has no types")
        let id = btf__find_by_name_kind(types, structure, UInt32(BTF_KIND_STRUCT))
        try #require(id > 0, "\(name) has no struct \(structure)")
        let type = try #require(btf__type_by_id(types, UInt32(id)))
        let members = try #require(btf_members(type))
        var offsets: [String: Int] = [:]
        for index in 0..<Int(btf_vlen(type)) {
            let member = String(cString: btf__name_by_offset(types, members[index].name_off))
            offsets[member] = Int(btf_member_bit_offset(type, UInt32(index))) / 8
        }
        return Layout(size: Int(type.pointee.size), offsets: offsets)
    }
}
