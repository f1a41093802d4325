// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement

/// What drop-summary tells drops apart by.
struct DropGrouping: OptionSet, Sendable {
    let rawValue: Int

    static let location = DropGrouping(rawValue: 1)
    static let reason = DropGrouping(rawValue: 2)
    static let flow = DropGrouping(rawValue: 4)
    static let interface = DropGrouping(rawValue: 8)
    static let stack = DropGrouping(rawValue: 16)

    static let names: [(name: String, value: DropGrouping)] = [
        ("location", .location), ("reason", .reason), ("flow", .flow), ("interface", .interface), ("stack", .stack),
    ]

    /// Parses "location,flow".
    init(_ text: String) throws(ParseError) {
        var grouping: DropGrouping = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let known = Self.names.first(where: { $0.name == word.lowercased() }) else {
                throw ParseError("'\(word)' is not one of \(Self.names.map(\.name).joined(separator: ", "))")
            }
            grouping.insert(known.value)
        }
        self = grouping
    }

    init(rawValue: Int) { self.rawValue = rawValue }

    var description: String {
        Self.names.filter { contains($0.value) }.map(\.name).joined(separator: ",")
    }

    /// What the programs must tell apart for it; location and reason they always do.
    var programGroups: UInt32 {
        var groups: UInt32 = 0
        if contains(.flow) { groups |= UInt32(DROP_GROUP_FLOW.rawValue) }
        if contains(.interface) { groups |= UInt32(DROP_GROUP_INTERFACE.rawValue) }
        if contains(.stack) { groups |= UInt32(DROP_GROUP_STACK.rawValue) }
        return groups
    }
}

/// One group of drops: what of it the grouping tells apart, the rest empty.
struct DropGroup: Hashable {
    var location: UInt64 = 0
    var reason: String?
    var flow = Flow()
    var interfaceIndex: UInt32 = 0
    var namespace: UInt32 = 0
    /// Index in `DropTable.stacks`, -1: none.
    var stack = -1

    /// drop_flow, hashable.
    struct Flow: Hashable, Comparable {
        var value = drop_flow()

        static func == (left: Flow, right: Flow) -> Bool {
            withUnsafeBytes(of: left.value) { left in
                withUnsafeBytes(of: right.value) { right in left.elementsEqual(right) }
            }
        }

        static func < (left: Flow, right: Flow) -> Bool {
            withUnsafeBytes(of: left.value) { left in
                withUnsafeBytes(of: right.value) { right in left.lexicographicallyPrecedes(right) }
            }
        }

        func hash(into hasher: inout Hasher) {
            withUnsafeBytes(of: value) { hasher.combine(bytes: $0) }
        }
    }
}

/// What was counted of a group.
struct DropTally {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0
    /// Device name, where the grouping has it.
    var interface = ""
    /// The place behind location and reason.
    var place: DropPlace?

    mutating func add(_ other: DropTally) {
        packets += other.packets
        bytes += other.bytes
        if interface.isEmpty { interface = other.interface }
        if place == nil { place = other.place }
    }
}

/// Groups of drops, bounded: what comes when it is full is counted together.
struct DropTable {
    private(set) var groups: [DropGroup: DropTally] = [:]
    /// Drops of groups for which there was no room.
    private(set) var other = DropTally()
    private(set) var total = DropTally()
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    mutating func add(_ group: DropGroup, _ tally: DropTally) {
        total.packets += tally.packets
        total.bytes += tally.bytes
        if groups[group] != nil || groups.count < capacity {
            groups[group, default: DropTally()].add(tally)
        } else {
            other.add(tally)
        }
    }

    /// The largest groups first, at most `count`.
    func top(_ count: Int) -> [(group: DropGroup, tally: DropTally)] {
        // Ties in a fixed order, so that equal runs give equal reports.
        let sorted = groups.map { (group: $0.key, tally: $0.value) }.sorted { left, right in
            let (a, b) = (left.group, right.group)
            if left.tally.packets != right.tally.packets { return left.tally.packets > right.tally.packets }
            if (a.location, a.reason ?? "") != (b.location, b.reason ?? "") {
                return (a.location, a.reason ?? "") < (b.location, b.reason ?? "")
            }
            if (a.namespace, a.interfaceIndex, a.stack) != (b.namespace, b.interfaceIndex, b.stack) {
                return (a.namespace, a.interfaceIndex, a.stack) < (b.namespace, b.interfaceIndex, b.stack)
            }
            return a.flow < b.flow
        }
        return Array(sorted.prefix(count))
    }
}

/// Kernel stacks, each kept once, bounded.
struct StackTable {
    private var indices: [[UInt64]: Int] = [:]
    private(set) var stacks: [[UInt64]] = []
    /// Stacks for which there was no room.
    private(set) var overflow: UInt64 = 0
    private static let capacity = 16384

    /// The index of a stack; -1 when it is empty or the table is full.
    mutating func index(_ frames: [UInt64]) -> Int {
        guard !frames.isEmpty else { return -1 }
        if let known = indices[frames] { return known }
        guard stacks.count < Self.capacity else {
            overflow += 1
            return -1
        }
        stacks.append(frames)
        indices[frames] = stacks.count - 1
        return stacks.count - 1
    }
}
