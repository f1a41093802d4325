// SPDX-License-Identifier: Apache-2.0
import BPFTypes

extension CapturedPacket {
    /// The packet's headers as fields of a record, absent ones left out; docs/output.md lists them.
    public func writeFields(_ fields: inout FieldWriter) {
        if has(PACKET_HAS_LINK) {
            fields.field("eth_src") { output in bytesAt(6) { output.ethernetAddress($0) } }
            fields.field("eth_dst") { output in bytesAt(0) { output.ethernetAddress($0) } }
        } else {
            fields.absent("eth_src")
            fields.absent("eth_dst")
        }
        if has(PACKET_HAS_TYPE) {
            fields.field("eth_type") { output in
                output.text("0x")
                output.hex(UInt64(packet.ether_type), width: 4)
            }
        } else {
            fields.absent("eth_type")
        }
        writeVLANs(&fields, "vlan") { output, _, tci in output.decimal(UInt64(tci & 0xfff)) }
        writeVLANs(&fields, "vlan_type") { output, type, _ in
            output.text("0x")
            output.hex(UInt64(type), width: 4)
        }
        writeVLANs(&fields, "vlan_priority") { output, _, tci in output.decimal(UInt64(tci >> 13)) }
        writeIPFields(&fields)
        writeTransportFields(&fields)
        writeARPFields(&fields)
        if !has(PACKET_HAS_IPV4) && !has(PACKET_HAS_IPV6) {
            fields.field("data") { writeHexPrefix(to: $0) }
        } else {
            fields.absent("data")
        }
        fields.field("cut_off", has(PACKET_TRUNCATED))
    }

    /// One value per tag, outermost first, with points between: "100.200".
    private func writeVLANs(
        _ fields: inout FieldWriter, _ name: StaticString, _ value: (OutputBuffer, UInt16, UInt16) -> Void
    ) {
        guard packet.vlan_count > 0 else { return fields.absent(name) }
        fields.field(name) { output in
            var separator = false
            withVLANs { type, tci in
                if separator { output.byte(0x2e) }
                separator = true
                value(output, type, tci)
            }
        }
    }

    private func writeIPFields(_ fields: inout FieldWriter) {
        if has(PACKET_HAS_IPV4) || has(PACKET_HAS_IPV6) {
            fields.field("src") { $0.address(packet.src, found: packet.found) }
            fields.field("dst") { $0.address(packet.dst, found: packet.found) }
        } else {
            fields.absent("src")
            fields.absent("dst")
        }
        optional(&fields, "protocol", has(PACKET_HAS_PROTOCOL) ? UInt64(packet.protocol) : nil)
        optional(&fields, "ip_length", ipLength.map { UInt64($0) })
        optional(&fields, "ttl", ttl.map { UInt64($0) })
        optional(&fields, "tos", tos.map { UInt64($0) })
        optional(&fields, "ip_id", ipID.map { UInt64($0) })
        fields.field("fragment", has(PACKET_IS_FRAGMENT))
        optional(&fields, "fragment_offset", fragmentOffset.map { UInt64($0) })
    }

    private func writeTransportFields(_ fields: inout FieldWriter) {
        let ports = has(PACKET_HAS_PORTS)
        optional(&fields, "src_port", ports ? UInt64(packet.src_port) : nil)
        optional(&fields, "dst_port", ports ? UInt64(packet.dst_port) : nil)
        if let flags = tcpFlags {
            fields.field("tcp_flags") { $0.tcpFlags(flags) }
        } else {
            fields.absent("tcp_flags")
        }
        optional(&fields, "tcp_seq", tcpSequence.map { UInt64($0) })
        optional(&fields, "tcp_ack", tcpAcknowledgement.map { UInt64($0) })
        let icmp = has(PACKET_HAS_ICMP)
        optional(&fields, "icmp_type", icmp ? UInt64(packet.icmp_type) : nil)
        optional(&fields, "icmp_code", icmp ? UInt64(packet.icmp_code) : nil)
        let echo = isICMPEcho ? transport : nil
        optional(&fields, "icmp_id", echo.flatMap { u16($0 + 4) }.map { UInt64($0) })
        optional(&fields, "icmp_seq", echo.flatMap { u16($0 + 6) }.map { UInt64($0) })
    }

    private func writeARPFields(_ fields: inout FieldWriter) {
        guard isARP, let network, byte(network + 27) != nil else {
            fields.absent("arp_operation")
            fields.absent("arp_src")
            fields.absent("arp_dst")
            fields.absent("arp_src_mac")
            fields.absent("arp_dst_mac")
            return
        }
        optional(&fields, "arp_operation", u16(network + 6).map { UInt64($0) })
        fields.field("arp_src") { output in bytesAt(network + 14) { output.ipv4($0.loadUnaligned(as: UInt32.self)) } }
        fields.field("arp_dst") { output in bytesAt(network + 24) { output.ipv4($0.loadUnaligned(as: UInt32.self)) } }
        fields.field("arp_src_mac") { output in bytesAt(network + 8) { output.ethernetAddress($0) } }
        fields.field("arp_dst_mac") { output in bytesAt(network + 18) { output.ethernetAddress($0) } }
    }

    private func optional(_ fields: inout FieldWriter, _ name: StaticString, _ value: UInt64?) {
        if let value { fields.field(name, value) } else { fields.absent(name) }
    }
}
