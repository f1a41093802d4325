// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Testing

/// The structures of bpf/types are the same for the programs and for Swift.
@Suite struct SharedLayoutTests {
    /// Compares size, every member's offset, and that no member is missing here.
    private func compare<Structure>(
        _ type: Structure.Type, _ name: String, in source: String, _ members: [(String, PartialKeyPath<Structure>)]
    ) throws {
        for variant in ObjectVariant.allCases {
            let layout = try ObjectImage("\(source).\(variant.rawValue)").layout(of: name)
            #expect(layout.size == MemoryLayout<Structure>.size, "\(name), \(variant)")
            #expect(layout.size == MemoryLayout<Structure>.stride, "\(name), \(variant): an array would differ")
            #expect(layout.offsets.count == members.count, "\(name), \(variant)")
            for (member, path) in members {
                #expect(layout.offsets[member] == MemoryLayout<Structure>.offset(of: path), "\(name).\(member), \(variant)")
            }
        }
    }

    @Test func counters() throws {
        for source in ["eth_drop", "drop_summary"] {
            try compare(
                BPFTypes.counters.self, "counters", in: source,
                [
                    ("hits", \.hits), ("filtered", \.filtered), ("expected", \.expected), ("suppressed", \.suppressed),
                    ("emitted", \.emitted), ("map_full", \.map_full), ("stack_missed", \.stack_missed),
                    ("nested", \.nested),
                ])
        }
    }

    @Test func packetFilter() throws {
        try compare(
            packet_filter.self, "packet_filter", in: "eth_drop",
            [
                ("conditions", \.conditions), ("src", \.src), ("src_mask", \.src_mask), ("dst", \.dst),
                ("dst_mask", \.dst_mask), ("ether_type", \.ether_type), ("src_port", \.src_port),
                ("dst_port", \.dst_port), ("vlan_id", \.vlan_id), ("protocol", \.protocol), ("reserved", \.reserved),
            ])
    }

    @Test func dropFilter() throws {
        for source in ["eth_drop", "drop_summary"] {
            try compare(
                drop_filter.self, "drop_filter", in: source,
                [
                    ("packet", \.packet), ("interface_count", \.interface_count), ("location_count", \.location_count),
                    ("reason_count", \.reason_count), ("reserved", \.reserved), ("interfaces", \.interfaces),
                    ("locations", \.locations), ("reasons", \.reasons),
                ])
            try compare(drop_range.self, "drop_range", in: source, [("start", \.start), ("end", \.end)])
            try compare(drop_interface.self, "drop_interface", in: source, [("name", \.name)])
        }
    }

    @Test func ethDrop() throws {
        try compare(
            eth_drop_config.self, "eth_drop_config", in: "eth_drop",
            [
                ("filter", \.filter), ("rate_limit", \.rate_limit), ("capture_stack", \.capture_stack),
                ("include_expected", \.include_expected), ("reserved", \.reserved),
            ])
        try compare(
            eth_drop_event.self, "eth_drop_event", in: "eth_drop",
            [
                ("time_ns", \.time_ns), ("location", \.location), ("skb", \.skb), ("reason", \.reason),
                ("length", \.length), ("interface_index", \.interface_index), ("ingress_index", \.ingress_index),
                ("network_namespace", \.network_namespace), ("cpu", \.cpu), ("process", \.process),
                ("thread", \.thread), ("protocol", \.protocol), ("vlan_type", \.vlan_type), ("vlan_tci", \.vlan_tci),
                ("has_link", \.has_link), ("has_vlan", \.has_vlan), ("captured", \.captured), ("queue", \.queue),
                ("linear", \.linear), ("reserved", \.reserved), ("interface", \.interface), ("task", \.task),
                ("bytes", \.bytes), ("stack_size", \.stack_size), ("reserved_1", \.reserved_1), ("stack", \.stack),
            ])
        try compare(
            eth_drop_window.self, "eth_drop_window", in: "eth_drop", [("start_ns", \.start_ns), ("records", \.records)])
        try compare(
            drop_expected_place.self, "drop_expected_place", in: "eth_drop",
            [("location", \.location), ("reason", \.reason), ("reserved", \.reserved)])
    }

    @Test func dropSummary() throws {
        try compare(
            drop_summary_config.self, "drop_summary_config", in: "drop_summary",
            [("filter", \.filter), ("groups", \.groups), ("reserved", \.reserved)])
        try compare(
            drop_flow.self, "drop_flow", in: "drop_summary",
            [
                ("src", \.src), ("dst", \.dst), ("ether_type", \.ether_type), ("vlan_id", \.vlan_id),
                ("src_port", \.src_port), ("dst_port", \.dst_port), ("found", \.found), ("protocol", \.protocol),
                ("reserved", \.reserved),
            ])
        try compare(
            drop_summary_key.self, "drop_summary_key", in: "drop_summary",
            [
                ("location", \.location), ("reason", \.reason), ("epoch", \.epoch), ("stack", \.stack),
                ("interface_index", \.interface_index), ("network_namespace", \.network_namespace), ("flow", \.flow),
            ])
        try compare(
            drop_summary_value.self, "drop_summary_value", in: "drop_summary",
            [("packets", \.packets), ("bytes", \.bytes), ("interface", \.interface)])
    }

    /// A key is hashed whole, so every byte of it must belong to a member.
    @Test func keysHaveNoPadding() {
        let flow = 4 * 4 + 4 * 4 + 5 * 2 + 2
        #expect(MemoryLayout<drop_flow>.size == flow)
        #expect(MemoryLayout<drop_summary_key>.size == 8 + 5 * 4 + flow)
        #expect(MemoryLayout<drop_expected_place>.size == 8 + 4 + 4)
    }

    @Test(arguments: ObjectVariant.allCases)
    func mapsOfEthDrop(variant: ObjectVariant) throws {
        let object = try ObjectImage("eth_drop.\(variant.rawValue)")
        try size(object, "counters", key: 4, value: MemoryLayout<BPFTypes.counters>.size)
        try size(object, "rate_window", key: 4, value: MemoryLayout<eth_drop_window>.size)
        try size(object, "expected", key: MemoryLayout<drop_expected_place>.size, value: 8)
        try size(object, variant == .legacy ? "config" : ".rodata.config", key: 4, value: MemoryLayout<eth_drop_config>.size)
        if variant == .legacy { try size(object, "events", key: 4, value: 4) }
    }

    @Test(arguments: ObjectVariant.allCases)
    func mapsOfDropSummary(variant: ObjectVariant) throws {
        let object = try ObjectImage("drop_summary.\(variant.rawValue)")
        try size(object, "counters", key: 4, value: MemoryLayout<BPFTypes.counters>.size)
        try size(object, "drops", key: MemoryLayout<drop_summary_key>.size, value: MemoryLayout<drop_summary_value>.size)
        try size(object, "epoch", key: 4, value: 4)
        for stacks in ["stacks_0", "stacks_1"] { try size(object, stacks, key: 4, value: Int(DROP_SUMMARY_FRAMES) * 8) }
        try size(
            object, variant == .legacy ? "config" : ".rodata.config", key: 4, value: MemoryLayout<drop_summary_config>.size)
    }

    private func size(_ object: ObjectImage, _ name: String, key: Int, value: Int) throws {
        // libbpf names an internal map by the object's name and the section.
        let map = try #require(
            object.maps.first { $0.name == name || ($0.isInternal && $0.name.hasSuffix(name)) }, "\(object.name): \(name)")
        #expect(map.keySize == key, "\(object.name): key of \(name)")
        #expect(map.valueSize == value, "\(object.name): value of \(name)")
    }
}
