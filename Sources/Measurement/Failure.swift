// SPDX-License-Identifier: Apache-2.0
import BPFRuntime

/// Exit statuses, from sysexits.h.
public enum ExitStatus {
    public static let usage: Int32 = 64
    public static let software: Int32 = 70
    public static let inputOutput: Int32 = 74
    public static let notPermitted: Int32 = 77
}

/// A measurement that cannot go on: one sentence and the exit status.
public struct Failure: Error, Sendable, CustomStringConvertible {
    public let status: Int32
    public let description: String

    public init(_ status: Int32, _ description: String) {
        self.status = status
        self.description = description
    }

    /// Bad input: names the option and the reason.
    public static func usage(_ description: String) -> Failure { Failure(ExitStatus.usage, description) }

    public init(_ error: RuntimeError) {
        switch error.kind {
        case .badInput: self.init(ExitStatus.usage, error.description)
        case .notPermitted: self.init(ExitStatus.notPermitted, error.description)
        case .loadFailed, .unsupported: self.init(ExitStatus.software, error.description)
        }
    }
}
