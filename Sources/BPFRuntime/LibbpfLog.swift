// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc
import Synchronization

/// Where libbpf's own messages go.
///
/// libbpf has one print function for the whole process and passes it no context, so this is the
/// one piece of state here that is global.
public enum LibbpfLog {
    private struct State {
        var lines: [String] = []
        var echo = false
    }

    /// Lines kept; older ones are dropped.
    private static let capacity = 4096
    private static let state = Mutex(State())

    /// Routes libbpf's messages here. With `echo`, every line also goes to standard error.
    public static func install(echo: Bool) {
        state.withLock {
            $0.echo = echo
            $0.lines.removeAll()
        }
        _ = libbpf_set_print { level, format, arguments in
            guard let format, let arguments, level != LIBBPF_DEBUG || LibbpfLog.isEchoing else { return 0 }
            // Whole, however long: a verifier's log comes in one message, and its end is what counts.
            guard let text = clibbpf_format(format, arguments) else { return 0 }
            defer { free(text) }
            LibbpfLog.append(String(cString: text))
            return Int32(clamping: strlen(text))
        }
    }

    private static var isEchoing: Bool { state.withLock { $0.echo } }

    private static func append(_ text: String) {
        let lines = text.split(separator: "\n").map(String.init)
        let echo = state.withLock { state in
            state.lines.append(contentsOf: lines)
            if state.lines.count > capacity { state.lines.removeFirst(state.lines.count - capacity) }
            return state.echo
        }
        if echo {
            for line in lines { writeError(line) }
        }
    }

    /// The lines since `install` that tell why the last load failed, at most `limit`: the end of the
    /// verifier's log where there is one, else libbpf's last words.
    public static func failure(limit: Int = 8) -> [String] {
        let lines = state.withLock { $0.lines }
        if let end = lines.lastIndex(where: { $0.contains("END PROG LOAD LOG") }) {
            let begin = lines[..<end].lastIndex(where: { $0.contains("BEGIN PROG LOAD LOG") }) ?? 0
            let body = lines[(begin + 1)..<end].filter {
                !$0.hasPrefix("processed ") && !$0.hasPrefix("verification time") && !$0.hasPrefix("stack depth")
            }
            if !body.isEmpty { return Array(body.suffix(limit)) }
        }
        return Array(lines.suffix(limit))
    }
}
