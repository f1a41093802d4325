// SPDX-License-Identifier: Apache-2.0

/// Why something of the kernel's could not be had, in a sentence a person can act on.
public struct RuntimeError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
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
    Errno(number).text
}

import Glibc

struct Errno {
    let number: Int32

    init(_ number: Int) { self.number = Int32(truncatingIfNeeded: abs(number)) }

    var text: String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard __xpg_strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
        return "\(String(cString: buffer)) (\(number))"
    }
}
