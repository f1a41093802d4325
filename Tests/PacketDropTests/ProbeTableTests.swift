// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Foundation
import Testing

@testable import PacketDrop

/// The probe tables, kprobe_functions.txt, and the functions of a 4.19.90 host agree.
@Suite struct ProbeTableTests {
    /// Every probe of every tool.
    private static let probes: [Probe] = [DropSession.freeProbe, DropSession.tcpProbe]

    private struct Line {
        let name: String
        let isTracepoint: Bool
        let status: String
        let reason: String
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func lines() throws -> [Line] {
        let text = try String(contentsOf: Self.root.appendingPathComponent("kprobe_functions.txt"), encoding: .utf8)
        return try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            var words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
            let isTracepoint = words.first == "tracepoint"
            if isTracepoint { words.removeFirst() }
            try #require(words.count >= 3, "no status or no reason: \(line)")
            return Line(
                name: words[0], isTracepoint: isTracepoint, status: words[1],
                reason: words.dropFirst(2).joined(separator: " "))
        }
    }

    private func line(_ hook: Hook, in lines: [Line]) -> Line? {
        switch hook {
        case .rawTracepoint(let name): lines.first { $0.name == name && $0.isTracepoint }
        case .kprobe(let name), .kprobeClone(let name): lines.first { $0.name == name && !$0.isTracepoint }
        }
    }

    @Test func everyHookIsInTheFile() throws {
        let lines = try lines()
        for probe in Self.probes {
            for candidate in probe.candidates {
                #expect(line(candidate.hook, in: lines) != nil, "\(probe.name): \(candidate.hook)")
            }
        }
    }

    @Test func everyLineIsAHook() throws {
        let hooks = Self.probes.flatMap(\.candidates).map(\.hook)
        for entry in try lines() {
            let isUsed = hooks.contains { hook in
                switch hook {
                case .rawTracepoint(let name): entry.isTracepoint && entry.name == name
                case .kprobe(let name), .kprobeClone(let name): !entry.isTracepoint && entry.name == name
                }
            }
            #expect(isUsed, "\(entry.name) is probed nowhere")
        }
    }

    @Test func everyLineIsWellFormed() throws {
        let lines = try lines()
        #expect(Set(lines.map { "\($0.isTracepoint) \($0.name)" }).count == lines.count)
        for entry in lines {
            #expect(["present", "optional", "clone", "newer"].contains(entry.status), "\(entry.name)")
            #expect(!entry.reason.isEmpty, "\(entry.name)")
            #expect(!entry.name.contains("."), "\(entry.name): a clone's name is not the function's")
        }
    }

    /// A probe that a measurement cannot do without has a candidate that 4.19 is sure to have.
    @Test func requiredProbesArePresent() throws {
        let lines = try lines()
        for probe in Self.probes where probe.silences == nil {
            #expect(probe.candidates.contains { line($0.hook, in: lines)?.status == "present" }, "\(probe.name)")
        }
    }

    @Test func aCloneIsMarkedAsOne() throws {
        let lines = try lines()
        for candidate in Self.probes.flatMap(\.candidates) {
            if case .kprobeClone = candidate.hook { #expect(line(candidate.hook, in: lines)?.status == "clone") }
        }
    }

    /// Hits are counted by the place in this list.
    @Test func theNamesOfHitsAreThoseOfTheProbes() {
        #expect(DropSession.probeNames == Self.probes.map(\.name))
    }

    // MARK: A 4.19.90 host

    /// The list of functions that such a host lets be probed; nil where it does not lie beside the checkout.
    private static let hostList: URL? = {
        let shared =
            ProcessInfo.processInfo.environment["PLUMBLINE_SHARED"].map { URL(fileURLWithPath: $0) }
            ?? root.deletingLastPathComponent().appendingPathComponent("shared")
        let list = shared.appendingPathComponent("data/kprobes-4.19.90-x86_64-host.txt")
        guard FileManager.default.fileExists(atPath: list.path) else {
            print("skipped: \(list.path) is not there, so kprobe_functions.txt is not held to a 4.19.90 host")
            return nil
        }
        return list
    }()

    @Test(.enabled(if: ProbeTableTests.hostList != nil, "no list of a 4.19.90 host's functions beside the checkout"))
    func presentMeansPresentOn4_19() throws {
        let text = try String(contentsOf: try #require(Self.hostList), encoding: .utf8)
        let functions = Set(text.split(separator: "\n"))
        #expect(functions.count > 10_000)
        for entry in try lines() where !entry.isTracepoint {
            let isThere = functions.contains(Substring(entry.name))
            switch entry.status {
            case "present": #expect(isThere, "\(entry.name)")
            case "newer": #expect(!isThere, "\(entry.name) is not newer than 4.19")
            case "clone":
                let clones = functions.filter { $0.hasPrefix("\(entry.name).isra.") || $0.hasPrefix("\(entry.name).constprop.") }
                #expect(isThere || !clones.isEmpty, "\(entry.name)")
            default: break
            }
        }
    }
}
