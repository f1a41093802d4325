// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Testing

/// The checker of legacy objects catches what it must catch.
@Suite struct Linux419Tests {
    private static let exit = bpf_insn(code: 0x95, dst_reg: 0, src_reg: 0, off: 0, imm: 0)
    private static let zero = bpf_insn(code: 0xb7, dst_reg: 0, src_reg: 0, off: 0, imm: 0)

    private static func instruction(_ code: UInt8, source: UInt8 = 0, off: Int16 = 0, imm: Int32 = 0) -> bpf_insn {
        bpf_insn(code: code, dst_reg: 1, src_reg: source, off: off, imm: imm)
    }

    private static func call(_ helper: Int32, source: UInt8 = 0) -> bpf_insn { instruction(0x85, source: source, imm: helper) }

    private func violations(
        _ body: [bpf_insn], type: bpf_prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT
    ) -> [String] {
        Linux419.violations(of: body + [Self.zero, Self.exit], type: type)
    }

    @Test func theNumbersAreThoseOfTheHeader() {
        #expect(Int32(BPF_FUNC_skb_ancestor_cgroup_id.rawValue) == Linux419.lastHelper)
        #expect(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY.rawValue == Linux419.lastMapType)
        #expect(Linux419.mapFlags == UInt32(BPF_F_STACK_BUILD_ID) * 2 - 1)
        #expect(Linux419.maximumInstructions == Int(BPF_MAXINSNS))
        let helpers: [bpf_func_id] = [
            BPF_FUNC_map_lookup_elem, BPF_FUNC_probe_read, BPF_FUNC_get_current_task, BPF_FUNC_get_numa_node_id,
            BPF_FUNC_probe_read_str, BPF_FUNC_get_current_cgroup_id, BPF_FUNC_perf_event_output, BPF_FUNC_get_stackid,
            BPF_FUNC_get_stack, BPF_FUNC_current_task_under_cgroup, BPF_FUNC_probe_write_user,
        ]
        let allowed = Linux419.helpers(for: BPF_PROG_TYPE_KPROBE)
        for helper in helpers { #expect(allowed?.contains(Int32(helper.rawValue)) == true) }
        #expect(allowed?.contains(Int32(BPF_FUNC_perf_event_read_value.rawValue)) == true)
    }

    @Test func aPlainProgramPasses() {
        let body = [
            Self.instruction(0x18, source: 1), Self.instruction(0),  // r1 = map
            Self.call(1),
            Self.instruction(0x15, off: 1),  // if r1 == 0 goto +1
            Self.instruction(0xdb, source: 2),  // lock *(u64 *)(r1 + 0) += r2
            Self.instruction(0xc3, source: 2),  // lock *(u32 *)(r1 + 0) += r2
            Self.instruction(0xdc, imm: 16),  // r1 = be16 r1
            Self.instruction(0xb4),  // w1 = 0
            Self.instruction(0xc7, imm: 3),  // r1 s>>= 3
        ]
        #expect(violations(body).isEmpty)
    }

    @Test func theLargestProgramPassesAndOneMoreDoesNot() {
        let most = [bpf_insn](repeating: Self.zero, count: 4094)
        #expect(violations(most).isEmpty)
        #expect(violations(most + [Self.zero]) == ["4097 instructions, at most 4096 are possible"])
    }

    @Test func newHelpersAreFound() {
        for helper: bpf_func_id in [BPF_FUNC_probe_read_kernel, BPF_FUNC_ringbuf_output, BPF_FUNC_sk_lookup_tcp] {
            let number = Int32(helper.rawValue)
            #expect(violations([Self.call(number)]) == ["instruction 0: helper \(number), the last one is 83"])
        }
    }

    @Test func helpersOfOtherProgramTypesAreFound() {
        let bytes = Int32(BPF_FUNC_skb_load_bytes.rawValue)
        #expect(violations([Self.call(bytes)]) == ["instruction 0: helper 26, not for this type of program"])
        let read = Int32(BPF_FUNC_perf_event_read_value.rawValue)
        #expect(violations([Self.call(read)]).count == 1)
        #expect(violations([Self.call(read)], type: BPF_PROG_TYPE_KPROBE).isEmpty)
    }

    @Test func typedTracepointsAreFound() {
        #expect(violations([], type: BPF_PROG_TYPE_TRACING).count == 1)
    }

    @Test func subprogramsAndKernelFunctionsAreFound() {
        #expect(violations([Self.call(0, source: 1)]).first?.contains("subprogram") == true)
        #expect(violations([Self.call(7, source: 2)]).first?.contains("kernel function") == true)
        #expect(violations([Self.instruction(0x8d)]).first?.contains("indirect") == true)
    }

    @Test func loopsAreFound() {
        // goto -1; and a counted loop around one addition.
        #expect(violations([Self.instruction(0x05, off: -1)]).contains("instruction 0: back-edge to 0"))
        let counted = [Self.zero, Self.instruction(0x07, imm: 1), Self.instruction(0xa5, off: -2, imm: 10)]
        #expect(violations(counted) == ["instruction 2: back-edge to 1"])
    }

    /// Compilers lay out code so that some jumps go to smaller addresses; without a way back that is no loop.
    @Test func aBackwardJumpThatIsNoLoopPasses() {
        let body = [
            Self.instruction(0x05, off: 2),  // 0: goto 3
            Self.zero, Self.exit,  // 1, 2
            Self.instruction(0x15, off: -3),  // 3: if r1 == 0 goto 1
        ]
        #expect(violations(body).isEmpty)
    }

    @Test func jumpsOutOfTheProgramAreFound() {
        #expect(violations([Self.instruction(0x05, off: 100)]) == ["instruction 0: leads to 101, outside of the program"])
        #expect(Linux419.violations(of: [Self.zero], type: BPF_PROG_TYPE_KPROBE).count == 1)
    }

    @Test(arguments: [
        (UInt8(0x16), "32-bit jump (5.1)"),  // if w1 == 0
        (0x06, "32-bit jump (5.1)"),  // gotol
        (0x91, "sign-extending load (6.6)"),  // r1 = *(s8 *)
        (0xd7, "unconditional byte swap (6.6)"),
        (0xc4, "32-bit arithmetic shift (5.0)"),
        (0xe5, "unknown jump"),  // may_goto
        (0x20, "packet load (BPF_LD_ABS, BPF_LD_IND)"),
        (0xd3, "atomic addition to less than 32 bits"),
    ])
    func newInstructionsAreFound(code: UInt8, why: String) {
        #expect(violations([Self.instruction(code)]) == ["instruction 0: \(why)"])
    }

    @Test func signedDivisionAndMovesAreFound() {
        for code: UInt8 in [0x37, 0x3f, 0xbf, 0xbc] {
            #expect(violations([Self.instruction(code, off: 1)]).count == 1)
        }
        #expect(violations([Self.instruction(0xbf, off: 8)]).count == 1)
    }

    @Test(arguments: [Int32(0x01), 0x40, 0x41, 0x50, 0xa0, 0xe1, 0xf1])
    func atomicsOtherThanAdditionAreFound(operation: Int32) {
        for code: UInt8 in [0xdb, 0xc3] {
            let found = violations([Self.instruction(code, source: 2, imm: operation)])
            #expect(found == ["instruction 0: atomic operation 0x\(String(operation, radix: 16)) (5.12)"])
        }
    }

    @Test(arguments: [UInt8(2), 3, 4, 5])
    func globalDataIsFound(source: UInt8) {
        let load = [Self.instruction(0x18, source: source), Self.instruction(0)]
        #expect(violations(load) == ["instruction 0: pseudo load \(source)"])
    }

    @Test func mapsAreChecked() {
        func check(_ type: bpf_map_type, flags: UInt32 = 0, isInternal: Bool = false) -> Int {
            Linux419.violations(ofMap: type, flags: flags, isInternal: isInternal).count
        }
        #expect(check(BPF_MAP_TYPE_HASH) == 0)
        #expect(check(BPF_MAP_TYPE_PERF_EVENT_ARRAY) == 0)
        #expect(check(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY) == 0)
        #expect(check(BPF_MAP_TYPE_UNSPEC) == 1)
        #expect(check(BPF_MAP_TYPE_RINGBUF) == 1)
        #expect(check(BPF_MAP_TYPE_QUEUE) == 1)
        #expect(check(BPF_MAP_TYPE_ARRAY, flags: UInt32(BPF_F_NO_PREALLOC)) == 0)
        #expect(check(BPF_MAP_TYPE_ARRAY, flags: UInt32(BPF_F_MMAPABLE)) == 1)
        #expect(check(BPF_MAP_TYPE_ARRAY, flags: UInt32(BPF_F_RDONLY_PROG), isInternal: true) == 2)
    }

    /// The objects for newer kernels break these limits: so the checker sees real objects too.
    @Test(arguments: ObjectImage.names(.btf))
    func newerObjectsAreRefused(name: String) throws {
        let object = try ObjectImage(name)
        let programs = object.programs.flatMap { Linux419.violations(of: $0.instructions, type: $0.type) }
        let maps = object.maps.flatMap { Linux419.violations(ofMap: $0.type, flags: $0.flags, isInternal: $0.isInternal) }
        #expect(!programs.isEmpty)
        #expect(!maps.isEmpty)
    }
}
