// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFTypes
import Measurement

/// A frame type: a name, or a number of the Ethernet type field.
struct FrameType: Sendable {
    /// Nil: every type.
    let number: UInt16?
    let description: String

    static let names: [(name: String, number: Int32)] = [
        ("ipv4", PACKET_TYPE_IPV4), ("ipv6", PACKET_TYPE_IPV6), ("arp", PACKET_TYPE_ARP), ("rarp", PACKET_TYPE_RARP),
        ("lldp", PACKET_TYPE_LLDP), ("flow-control", PACKET_TYPE_FLOW_CONTROL),
    ]

    /// Parses "arp", "all", "0x8863".
    @Sendable static func parse(_ text: String) throws -> FrameType {
        let text = text.lowercased()
        if text == "all" { return FrameType(number: nil, description: text) }
        if let known = names.first(where: { $0.name == text }) {
            return FrameType(number: UInt16(known.number), description: text)
        }
        guard text.hasPrefix("0x"), let number = parseDigits(text.dropFirst(2), as: UInt16.self, radix: 16), number >= 0x600 else {
            let list = names.map(\.name).joined(separator: ", ")
            throw ValidationError("must be all, \(list), or 0x0600 to 0xffff.")
        }
        return FrameType(number: number, description: text)
    }
}

/// Which drops: the conditions of both packet-drop tools, tested in the kernel.
struct DropOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only frames of this type: all, ipv4, ipv6, arp, rarp, lldp, flow-control, or 0xNNNN.", valueName: "type"), transform: FrameType.parse)
    var type: FrameType?

    @OptionGroup(title: "Packet filter")
    var packets: PacketFilterOptions

    @Option(help: ArgumentHelp("Only packets with this VLAN id in any of their tags.", valueName: "id"))
    var vlanID: UInt16?

    @Option(help: ArgumentHelp("Only drops on this device, in any network namespace; followed by name when it is made anew (up to \(DROP_INTERFACES)).", valueName: "name"))
    var interface: [String] = []

    @Option(help: ArgumentHelp("Only drops for this reason (up to \(DROP_REASONS)).", valueName: "name"))
    var reason: [String] = []

    @Option(help: ArgumentHelp("Only drops in this kernel function (up to \(DROP_LOCATIONS)).", valueName: "function"))
    var location: [String] = []

    @Flag(help: "Report also frees that are known to be no drops; else they are only counted.")
    var includeExpected = false

    func validate() throws {
        if let vlanID, vlanID > 4095 {
            throw ValidationError("--vlan-id: must be 0 to 4095, not \(vlanID).")
        }
        for (name, count, limit) in [
            ("--interface", interface.count, DROP_INTERFACES), ("--reason", reason.count, DROP_REASONS),
            ("--location", location.count, DROP_LOCATIONS),
        ] where count > Int(limit) {
            throw ValidationError("\(name): given \(count) times, at most \(limit) are possible.")
        }
        for name in interface {
            guard !name.isEmpty, name.utf8.count < Int(DROP_NAME_LENGTH), !name.contains(where: { $0 == "/" || $0.isWhitespace })
            else {
                throw ValidationError("--interface: '\(name)' is no device name (1 to \(DROP_NAME_LENGTH - 1) characters, no / or blank).")
            }
        }
        if let number = type?.number, number != UInt16(PACKET_TYPE_IPV4), number != UInt16(PACKET_TYPE_IPV6),
            packets.ipProtocol != nil || packets.srcIP != nil || packets.dstIP != nil || packets.srcPort != nil
                || packets.dstPort != nil
        {
            throw ValidationError("--type \(type?.description ?? ""): such frames have no IP addresses, protocol or ports to filter by.")
        }
        for network in [packets.srcIP, packets.dstIP].compactMap({ $0 }) {
            if let number = type?.number, number != UInt16(network.isIPv6 ? PACKET_TYPE_IPV6 : PACKET_TYPE_IPV4) {
                throw ValidationError("--type \(type?.description ?? ""): \(network) is an address of the other family.")
            }
        }
    }

    /// Name and value of each condition, for the report's header.
    var descriptions: [(name: String, value: String)] {
        var list: [(name: String, value: String)] = []
        if let type, type.number != nil { list.append(("type", type.description)) }
        list += packets.descriptions
        if let vlanID { list.append(("vlan-id", "\(vlanID)")) }
        list += interface.map { ("interface", $0) }
        list += reason.map { ("reason", $0) }
        list += location.map { ("location", $0) }
        return list
    }
}
