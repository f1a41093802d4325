// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Measurement
import PacketDrop

/// All measurements in one executable: chosen by the name it is called by, or by its first word.
struct Plumbline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plumbline",
        abstract: "Measure where packets are dropped and where they wait, on virtualised Linux hosts.",
        version: plumblineVersion,
        subcommands: [EthDrop.self, DropSummary.self])
}

let called = CommandLine.arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
let words = Array(CommandLine.arguments.dropFirst())
let tools = Plumbline.configuration.subcommands
if let tool = tools.first(where: { $0.configuration.commandName == called }) {
    CommandLineTool.run(tool, arguments: words)
} else if let tool = tools.first(where: { $0.configuration.commandName == words.first }) {
    CommandLineTool.run(tool, arguments: Array(words.dropFirst()))
} else {
    CommandLineTool.run(Plumbline.self, arguments: words)
}
