// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFTypes

/// An IP protocol, by name or number.
public struct IPProtocol: Sendable, Equatable {
    public let number: UInt8

    /// Names of /etc/protocols that are in use here; getprotobyname() is not for static executables.
    public static let names: [(name: StaticString, number: UInt8)] = [
        ("icmp", 1), ("igmp", 2), ("ipip", 4), ("tcp", 6), ("udp", 17), ("dccp", 33), ("gre", 47), ("esp", 50),
        ("ah", 51), ("icmpv6", 58), ("ospf", 89), ("vrrp", 112), ("sctp", 132), ("udplite", 136),
    ]

    /// Parses "tcp" or "6".
    @Sendable public static func parse(_ text: String) throws -> IPProtocol {
        if let number = parseDigits(text, as: UInt8.self) { return IPProtocol(number: number) }
        guard let known = names.first(where: { $0.name.description == text.lowercased() }) else {
            let list = names.map(\.name.description).joined(separator: ", ")
            throw ValidationError("must be 0 to 255 or one of \(list).")
        }
        return IPProtocol(number: known.number)
    }

    /// The name of a protocol number; nil when it has none here.
    public static func name(_ number: UInt8) -> StaticString? {
        names.first { $0.number == number }?.name
    }
}

/// Which packets: directional conditions that must all hold, tested in the kernel.
public struct PacketFilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only packets from this IPv4 or IPv6 address or network.", valueName: "address[/length]"), transform: network)
    public var srcIP: IPNetwork?

    @Option(help: ArgumentHelp("Only packets to this IPv4 or IPv6 address or network.", valueName: "address[/length]"), transform: network)
    public var dstIP: IPNetwork?

    @Option(help: ArgumentHelp("Only packets from this port.", valueName: "port"), transform: port)
    public var srcPort: UInt16?

    @Option(help: ArgumentHelp("Only packets to this port.", valueName: "port"), transform: port)
    public var dstPort: UInt16?

    @Option(name: .customLong("protocol"), help: ArgumentHelp("Only this IP protocol: tcp, udp, icmp, icmpv6, ... or a number.", valueName: "protocol"), transform: IPProtocol.parse)
    public var ipProtocol: IPProtocol?

    public init() {}

    @Sendable static func port(_ text: String) throws -> UInt16 {
        guard let port = parseDigits(text, as: UInt16.self) else { throw ValidationError("must be 0 to 65535.") }
        return port
    }

    @Sendable static func network(_ text: String) throws -> IPNetwork {
        do {
            return try IPNetwork(text)
        } catch {
            throw ValidationError(error.description)
        }
    }

    public func validate() throws {
        if let srcIP, let dstIP, srcIP.isIPv6 != dstIP.isIPv6 {
            throw ValidationError("--src-ip and --dst-ip must be of one family, IPv4 or IPv6.")
        }
        let hasPorts: Set<UInt8> = [6, 17, 33, 132, 136]
        if srcPort != nil || dstPort != nil, let ipProtocol, !hasPorts.contains(ipProtocol.number) {
            throw ValidationError(
                "\(srcPort != nil ? "--src-port" : "--dst-port"): protocol \(IPProtocol.name(ipProtocol.number)?.description ?? "\(ipProtocol.number)") has no ports.")
        }
    }

    /// The conditions as the programs test them.
    public var filter: packet_filter {
        var filter = packet_filter()
        func set(_ condition: packet_filter_condition) { filter.conditions |= UInt32(condition.rawValue) }
        if let ipProtocol {
            filter.protocol = ipProtocol.number
            set(PACKET_FILTER_PROTOCOL)
        }
        if let srcIP {
            filter.src = words(srcIP.address)
            filter.src_mask = words(srcIP.mask)
            set(PACKET_FILTER_SRC)
        }
        if let dstIP {
            filter.dst = words(dstIP.address)
            filter.dst_mask = words(dstIP.mask)
            set(PACKET_FILTER_DST)
        }
        if srcIP?.isIPv6 ?? dstIP?.isIPv6 ?? false { set(PACKET_FILTER_IPV6) }
        if let srcPort {
            filter.src_port = srcPort
            set(PACKET_FILTER_SRC_PORT)
        }
        if let dstPort {
            filter.dst_port = dstPort
            set(PACKET_FILTER_DST_PORT)
        }
        return filter
    }

    private func words(_ values: [UInt32]) -> (UInt32, UInt32, UInt32, UInt32) {
        (values[0], values[1], values[2], values[3])
    }

    /// Name and value of each condition, for the report's header.
    public var descriptions: [(name: String, value: String)] {
        var list: [(name: String, value: String)] = []
        if let srcIP { list.append(("src-ip", srcIP.description)) }
        if let dstIP { list.append(("dst-ip", dstIP.description)) }
        if let srcPort { list.append(("src-port", "\(srcPort)")) }
        if let dstPort { list.append(("dst-port", "\(dstPort)")) }
        if let ipProtocol {
            list.append(("protocol", IPProtocol.name(ipProtocol.number)?.description ?? "\(ipProtocol.number)"))
        }
        return list
    }
}
