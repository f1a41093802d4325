// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Why something of the kernel's could not be had, in a sentence a person can act on.
public struct RuntimeError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// What the user gave is no good; nothing has been loaded.
        case badInput
        /// The process lacks the rights, or the kernel is locked down.
        case notPermitted
        /// The kernel refused the object, or a probe that the measurement cannot do without.
        case loadFailed
        /// The kernel cannot do it at all, or a file it needs is missing.
        case unsupported
    }

    public let kind: Kind
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// The message of an error number, negative or positive.
func errorText(_ number: Int) -> String {
    let number = Int32(truncatingIfNeeded: abs(number))
    guard let text = strerror(number) else { return "error \(number)" }
    return "\(String(cString: text)) (\(number))"
}

/// Writes a line to standard error.
public func writeError(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
