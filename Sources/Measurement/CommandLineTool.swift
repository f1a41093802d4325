// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFRuntime
import CLinux
import Glibc

/// One measurement: its options, and what it does with them.
public protocol MeasurementCommand: ParsableCommand {
    /// Measures, and prints header, rows and summary to standard output.
    /// - Throws: `Failure` or `RuntimeError`; nothing is left in the kernel.
    func measure() throws
}

extension MeasurementCommand {
    public mutating func run() throws { try measure() }
}

/// The version that every report names.
public let plumblineVersion = "0.1.0"

/// How every executable of the toolkit starts and ends.
public enum CommandLineTool {
    /// Runs a command with the process's arguments, or those given, and ends the process.
    ///
    /// Bad input: one sentence, status 64. Not permitted: 77. Load failure: 70. A report made: 0.
    public static func run(_ type: any ParsableCommand.Type, arguments: [String]? = nil) -> Never {
        clinux_open_standard_files()
        RunLoop.holdSignals()
        clinux_return_memory()
        let name = type.configuration.commandName ?? "plumbline"
        let arguments = arguments ?? Array(CommandLine.arguments.dropFirst())
        var command: any ParsableCommand
        do {
            command = try type.parseAsRoot(arguments)
        } catch {
            fail(name, type, error)
        }
        do {
            try command.run()
        } catch let failure as Failure {
            end(name, failure)
        } catch let error as RuntimeError {
            end(name, Failure(error))
        } catch {
            fail(name, type, error)
        }
        exit(0)
    }

    private static func end(_ name: String, _ failure: Failure) -> Never {
        writeError("\(name): \(failure)")
        exit(failure.status)
    }

    /// What the argument parser throws: a request for help, or bad input.
    private static func fail(_ name: String, _ type: any ParsableCommand.Type, _ error: any Error) -> Never {
        let code = type.exitCode(for: error)
        guard code != .success else {
            print(type.fullMessage(for: error))
            exit(0)
        }
        // The first line alone: usage text would bury the sentence.
        let message = type.message(for: error).split(separator: "\n").first.map(String.init) ?? "bad input"
        end(name, .usage(message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message))
    }
}
