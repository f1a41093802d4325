// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Measurement

/// Takes drop-summary's counts out of the kernel, interval by interval.
final class DropReader {
    /// Set when the probes are in.
    var places: DropPlaces?
    /// All drops since the start.
    private(set) var totals: DropTable
    /// All frees since the start that are no drops, grouped; only with --include-expected.
    private(set) var expectedTotals: DropTable
    private(set) var stacks = StackTable()
    /// Frees that are no drops.
    private(set) var expected = ExpectedTally()

    private let grouping: DropGrouping
    private let includeExpected: Bool
    private let capacity: Int
    private let drops: BPFMap<drop_summary_key, drop_summary_value>
    private let epochMap: BPFMap<UInt32, UInt32>
    private let stackMaps: [StackMap]
    private var epoch: UInt32 = 0
    /// Whether it was certain each time that no program was still writing to what was read.
    private(set) var isSettled = true

    init(
        object: borrowing BPFObject, grouping: DropGrouping, includeExpected: Bool, capacity: Int
    ) throws(RuntimeError) {
        self.grouping = grouping
        self.includeExpected = includeExpected
        self.capacity = capacity
        // Room for what many intervals bring, and still bounded.
        totals = DropTable(capacity: max(capacity, 65_536))
        expectedTotals = DropTable(capacity: 4096)
        drops = try object.map("drops", drop_summary_key.self, drop_summary_value.self)
        epochMap = try object.map("epoch", UInt32.self, UInt32.self)
        stackMaps = [try object.stackMap("stacks_0"), try object.stackMap("stacks_1")]
    }

    /// What was counted since the last call.
    ///
    /// The programs are turned to the other half of the map and the other stack map first; the half they
    /// leave is read and emptied only when none of them can still be writing to it. So each drop is in
    /// exactly one interval.
    ///
    /// - Parameter halves: 2 at the end, when no program runs any more, to leave nothing behind.
    func drain(halves: Int = 1) -> DropTable {
        var table = DropTable(capacity: max(capacity, 1))
        for _ in 0..<halves { drainHalf(into: &table) }
        return table
    }

    private func drainHalf(into table: inout DropTable) {
        let old = epoch
        // Refused, the programs go on filling the old half: it is left for the next time.
        guard (try? epochMap.update(0, 1 - old)) != nil else { return }
        epoch = 1 - old
        isSettled = waitForPrograms() && isSettled
        // Keys of the new half, inserted meanwhile, are walked over too; the map has room for twice the capacity.
        drops.forEachKey(limit: 4 * capacity + 1) { key in
            guard key.epoch == old else { return }
            guard let value = drops.lookup(key) else { return }
            drops.delete(key)
            add(key, value, to: &table)
        }
        if grouping.contains(.stack) { stackMaps[Int(old)].clear() }
    }

    private func add(_ key: drop_summary_key, _ value: drop_summary_value, to table: inout DropTable) {
        let place = places?.place(key.location, key.reason)
        let isExpected = place?.expected != nil
        if let place, isExpected {
            expected.add(place, value.packets)
            if !includeExpected { return }
        }
        var group = DropGroup()
        if grouping.contains(.location) { group.location = key.location }
        if grouping.contains(.reason) { group.reason = place?.reasonText }
        if grouping.contains(.flow) { group.flow.value = key.flow }
        var interface = ""
        if grouping.contains(.interface) {
            group.interfaceIndex = key.interface_index
            group.namespace = key.network_namespace
            interface = withUnsafeBytes(of: value.interface) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        if grouping.contains(.stack) {
            let frames = stackMaps[Int(key.epoch)].frames(key.stack)
            group.stack = stacks.index(Array(DropPlaces.trimmed(frames, location: key.location)))
        }
        let tally = DropTally(packets: value.packets, bytes: value.bytes, interface: interface, place: place)
        if isExpected {
            expectedTotals.add(group, tally)
        } else {
            table.add(group, tally)
            totals.add(group, tally)
        }
    }
}
