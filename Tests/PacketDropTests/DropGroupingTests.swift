// SPDX-License-Identifier: Apache-2.0
import BPFTypes
import Measurement
import Testing

@testable import PacketDrop

@Suite struct DropGroupingTests {
    @Test func words() throws {
        #expect(try DropGrouping("location") == .location)
        #expect(try DropGrouping("flow,interface") == [.flow, .interface])
        #expect(try DropGrouping("stack,reason,location,flow,interface") == [.location, .reason, .flow, .interface, .stack])
        #expect(try DropGrouping("Reason,REASON") == .reason)
    }

    @Test(arguments: ["", ",", "location,", ",flow", "location,,flow", "locations", "location flow", "location, flow", "all"])
    func badInput(text: String) {
        let error = #expect(throws: ParseError.self) { _ = try DropGrouping(text) }
        #expect(error?.description.hasSuffix("is not one of location, reason, flow, interface, stack") == true)
    }

    @Test func descriptionsAreInOneOrder() throws {
        #expect(try DropGrouping("stack,flow,location").description == "location,flow,stack")
        for text in DropGrouping.names.map(\.name) { #expect(try DropGrouping(text).description == text) }
    }

    /// Location and reason the programs always tell apart.
    @Test func whatTheProgramsTellApart() throws {
        #expect(try DropGrouping("location,reason").programGroups == 0)
        #expect(try DropGrouping("flow").programGroups == DROP_GROUP_FLOW.rawValue)
        #expect(try DropGrouping("interface").programGroups == DROP_GROUP_INTERFACE.rawValue)
        #expect(try DropGrouping("stack").programGroups == DROP_GROUP_STACK.rawValue)
        #expect(try DropGrouping("flow,stack,interface,reason").programGroups == 7)
    }
}

/// Groups and stacks are kept in bounded tables, and what has no room is counted.
@Suite struct DropTableTests {
    private func group(_ location: UInt64) -> DropGroup {
        var group = DropGroup()
        group.location = location
        return group
    }

    @Test func sums() {
        var table = DropTable(capacity: 10)
        table.add(group(1), DropTally(packets: 3, bytes: 300))
        table.add(group(2), DropTally(packets: 5, bytes: 500, interface: "eth0"))
        table.add(group(1), DropTally(packets: 4, bytes: 40, interface: "eth1"))
        #expect(table.total.packets == 12 && table.total.bytes == 840)
        #expect(table.groups[group(1)]?.packets == 7 && table.groups[group(1)]?.bytes == 340)
        #expect(table.groups[group(1)]?.interface == "eth1" && table.groups[group(2)]?.interface == "eth0")
        #expect(table.other.packets == 0)
    }

    @Test func whatHasNoRoomIsCountedTogether() {
        var table = DropTable(capacity: 2)
        for location in 1...5 { table.add(group(UInt64(location)), DropTally(packets: UInt64(location), bytes: 10)) }
        // A group that is known goes on being counted.
        table.add(group(1), DropTally(packets: 100, bytes: 1))
        #expect(table.groups.count == 2)
        #expect(table.groups[group(1)]?.packets == 101)
        #expect(table.other.packets == 3 + 4 + 5 && table.other.bytes == 30)
        #expect(table.total.packets == 115)
        #expect(table.groups.values.reduce(0) { $0 + $1.packets } + table.other.packets == table.total.packets)
    }

    @Test func noRoomAtAll() {
        var table = DropTable(capacity: 0)
        table.add(group(1), DropTally(packets: 2, bytes: 3))
        #expect(table.groups.isEmpty && table.other.packets == 2 && table.total.packets == 2)
        #expect(table.top(10).isEmpty)
    }

    @Test func theLargestFirst() {
        var table = DropTable(capacity: 10)
        for (location, packets) in [(1, 5), (2, 9), (3, 5), (4, 1)] {
            table.add(group(UInt64(location)), DropTally(packets: UInt64(packets), bytes: 0))
        }
        #expect(table.top(10).map(\.group.location) == [2, 1, 3, 4])
        #expect(table.top(2).map(\.tally.packets) == [9, 5])
        #expect(table.top(0).isEmpty)
    }

    /// Groups of one size come in the same order in every run, whatever tells them apart.
    @Test func tiesAreInAFixedOrder() {
        var groups: [DropGroup] = []
        for number in 0..<4 {
            var reason = DropGroup()
            reason.reason = "R\(number)"
            var interface = DropGroup()
            interface.interfaceIndex = UInt32(number) + 1
            var stack = DropGroup()
            stack.stack = number
            var flow = DropGroup()
            flow.flow.value.src_port = UInt16(number) + 1
            groups += [group(UInt64(number) + 1), reason, interface, stack, flow]
        }
        func order(_ groups: [DropGroup]) -> [DropGroup] {
            var table = DropTable(capacity: 100)
            for group in groups { table.add(group, DropTally(packets: 1, bytes: 1)) }
            return table.top(100).map(\.group)
        }
        let first = order(groups)
        #expect(first.count == groups.count)
        #expect(order(groups.reversed()) == first)
        #expect(order(groups.shuffled()) == first)
    }

    @Test func groupsDifferInEveryMember() {
        var groups: [DropGroup] = [DropGroup()]
        func add(_ change: (inout DropGroup) -> Void) {
            var group = DropGroup()
            change(&group)
            groups.append(group)
        }
        add { $0.location = 1 }
        add { $0.reason = "NO_SOCKET" }
        add { $0.interfaceIndex = 1 }
        add { $0.namespace = 1 }
        add { $0.stack = 0 }
        add { $0.flow.value.src.0 = 1 }
        add { $0.flow.value.dst.3 = 1 }
        add { $0.flow.value.src_port = 1 }
        add { $0.flow.value.vlan_id = 1 }
        add { $0.flow.value.protocol = 1 }
        #expect(Set(groups).count == groups.count)
        #expect(Set(groups + groups).count == groups.count)
    }

    // MARK: Stacks

    @Test func eachStackOnce() {
        var table = StackTable()
        #expect(table.index([1, 2, 3]) == 0)
        #expect(table.index([1, 2]) == 1)
        #expect(table.index([1, 2, 3]) == 0)
        #expect(table.stacks == [[1, 2, 3], [1, 2]])
        #expect(table.index([]) == -1)
        #expect(table.overflow == 0)
    }

    @Test func stacksAreBounded() {
        var table = StackTable()
        for number in 0..<20_000 { _ = table.index([UInt64(number) + 1]) }
        #expect(table.stacks.count == 16_384)
        #expect(table.overflow == 20_000 - 16_384)
        #expect(table.index([20_000]) == -1)
        #expect(table.index([1]) == 0)
        #expect(table.index([16_384]) == 16_383)
    }
}
