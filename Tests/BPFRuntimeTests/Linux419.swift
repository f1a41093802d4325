// SPDX-License-Identifier: Apache-2.0
import CLibbpf

/// What the verifier of Linux 4.19 takes, as far as it can be told from an object that is not loaded.
///
/// Each function returns sentences, one per violation; none when the object keeps to 4.19.
enum Linux419 {
    /// BPF_MAXINSNS, include/uapi/linux/bpf_common.h.
    static let maximumInstructions = 4096

    /// The last one in enum bpf_func_id: skb_ancestor_cgroup_id.
    static let lastHelper: Int32 = 83

    /// The last one in enum bpf_map_type: BPF_MAP_TYPE_REUSEPORT_SOCKARRAY.
    static let lastMapType: UInt32 = 20

    /// BPF_F_NO_PREALLOC to BPF_F_STACK_BUILD_ID.
    static let mapFlags: UInt32 = 0x3f

    /// include/linux/license.h: license_is_gpl_compatible().
    static let licenses: Set<String> = [
        "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
    ]

    /// kernel/trace/bpf_trace.c: tracing_func_proto().
    private static let tracingHelpers: Set<Int32> = [
        1,  // map_lookup_elem
        2,  // map_update_elem
        3,  // map_delete_elem
        4,  // probe_read
        5,  // ktime_get_ns
        6,  // trace_printk
        7,  // get_prandom_u32
        8,  // get_smp_processor_id
        12,  // tail_call
        14,  // get_current_pid_tgid
        15,  // get_current_uid_gid
        16,  // get_current_comm
        22,  // perf_event_read
        35,  // get_current_task
        36,  // probe_write_user
        37,  // current_task_under_cgroup
        42,  // get_numa_node_id
        45,  // probe_read_str
        80,  // get_current_cgroup_id
    ]

    /// The same file: raw_tp_prog_func_proto(), tp_prog_func_proto(), kprobe_prog_func_proto().
    /// override_return (58) is left out: it needs CONFIG_BPF_KPROBE_OVERRIDE.
    static func helpers(for type: bpf_prog_type) -> Set<Int32>? {
        let output: Set<Int32> = [
            25,  // perf_event_output
            27,  // get_stackid
            67,  // get_stack
        ]
        switch type {
        case BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_TRACEPOINT: return tracingHelpers.union(output)
        case BPF_PROG_TYPE_KPROBE: return tracingHelpers.union(output).union([55])  // perf_event_read_value
        default: return nil
        }
    }

    // MARK: Programs

    static func violations(of program: [bpf_insn], type: bpf_prog_type) -> [String] {
        var found: [String] = []
        if program.count > maximumInstructions {
            found.append("\(program.count) instructions, at most \(maximumInstructions) are possible")
        }
        let allowed = helpers(for: type)
        if allowed == nil { found.append("program type \(type.rawValue) is not one of the tracing types of 4.19") }
        var at = 0
        while at < program.count {
            let instruction = program[at]
            if let why = violation(of: instruction, helpers: allowed ?? []) { found.append("instruction \(at): \(why)") }
            at += isWide(instruction) ? 2 : 1
        }
        return found + controlFlow(program)
    }

    /// Two instructions long: a 64-bit immediate value.
    private static func isWide(_ instruction: bpf_insn) -> Bool { instruction.code == 0x18 }

    private static func violation(of instruction: bpf_insn, helpers: Set<Int32>) -> String? {
        let code = instruction.code
        let mode = code & 0xe0
        let operation = code & 0xf0
        switch code & 7 {
        case 0:  // BPF_LD
            guard isWide(instruction) else { return "packet load (BPF_LD_ABS, BPF_LD_IND)" }
            // 0: a number, 1: a map. 2 and above: map values (5.2), variables, functions.
            return instruction.src_reg > 1 ? "pseudo load \(instruction.src_reg)" : nil
        case 1:  // BPF_LDX
            return mode == 0x60 ? nil : "sign-extending load (6.6)"
        case 2:  // BPF_ST
            return mode == 0x60 ? nil : "unknown store"
        case 3:  // BPF_STX
            if mode == 0x60 { return nil }
            guard mode == 0xc0 else { return "unknown store" }
            guard instruction.imm == 0 else { return "atomic operation 0x\(String(instruction.imm, radix: 16)) (5.12)" }
            return code & 0x18 == 0 || code & 0x18 == 0x18 ? nil : "atomic addition to less than 32 bits"
        case 4, 7:  // BPF_ALU, BPF_ALU64
            let is64 = code & 7 == 7
            if instruction.off != 0 { return "signed division or sign-extending move (6.6)" }
            if operation > 0xd0 { return "unknown arithmetic" }
            if is64 && operation == 0xd0 { return "unconditional byte swap (6.6)" }
            if !is64 && operation == 0xc0 { return "32-bit arithmetic shift (5.0)" }
            return nil
        case 5:  // BPF_JMP
            if operation > 0xd0 { return "unknown jump" }
            return operation == 0x80 ? violation(ofCall: instruction, helpers: helpers) : nil
        default:  // BPF_JMP32
            return "32-bit jump (5.1)"
        }
    }

    private static func violation(ofCall call: bpf_insn, helpers: Set<Int32>) -> String? {
        if call.code != 0x85 { return "indirect call" }
        switch call.src_reg {
        case 0: break
        case 1: return "call of a subprogram, whose instructions are not counted here"
        default: return "call of a kernel function (5.13)"
        }
        if call.imm < 1 || call.imm > lastHelper { return "helper \(call.imm), the last one is \(lastHelper)" }
        return helpers.contains(call.imm) ? nil : "helper \(call.imm), not for this type of program"
    }

    /// Loops, and jumps out of the program, found as check_cfg() finds them (kernel/bpf/verifier.c): a
    /// back-edge leads to an instruction from which the search is still under way. A jump to a smaller
    /// address is none as long as nothing leads back from there.
    private static func controlFlow(_ program: [bpf_insn]) -> [String] {
        enum Mark { case unseen, open, done }
        var found: [String] = []
        var marks = [Mark](repeating: .unseen, count: program.count)
        var path: [(at: Int, next: [Int])] = []
        func open(_ at: Int) {
            marks[at] = .open
            path.append((at, successors(of: program[at], at: at)))
        }
        if !program.isEmpty { open(0) }
        while let top = path.last {
            guard let next = top.next.last else {
                marks[top.at] = .done
                path.removeLast()
                continue
            }
            path[path.count - 1].next.removeLast()
            guard program.indices.contains(next) else {
                found.append("instruction \(top.at): leads to \(next), outside of the program")
                continue
            }
            switch marks[next] {
            case .unseen: open(next)
            case .open: found.append("instruction \(top.at): back-edge to \(next)")
            case .done: break
            }
        }
        return found
    }

    private static func successors(of instruction: bpf_insn, at: Int) -> [Int] {
        if isWide(instruction) { return [at + 2] }
        let target = at + 1 + Int(instruction.off)
        switch instruction.code {
        case 0x95: return []  // exit
        case 0x05: return [target]  // goto
        case 0x06: return [at + 1 + Int(instruction.imm)]  // goto with a 32-bit distance
        default: break
        }
        let isJump = instruction.code & 7 == 5 || instruction.code & 7 == 6
        return isJump && instruction.code & 0xf0 != 0x80 ? [target, at + 1] : [at + 1]
    }

    // MARK: Maps

    static func violations(ofMap type: bpf_map_type, flags: UInt32, isInternal: Bool) -> [String] {
        var found: [String] = []
        if type.rawValue == 0 || type.rawValue > lastMapType {
            found.append("map type \(type.rawValue), the last one is \(lastMapType)")
        }
        if flags & ~mapFlags != 0 { found.append("map flags 0x\(String(flags, radix: 16))") }
        if isInternal { found.append("a data section (5.2)") }
        return found
    }
}
