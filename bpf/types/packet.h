/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a packet's headers, from the link layer to the ports.
 *
 * The same code runs in BPF on an skb's linear bytes and in user space on a
 * copy of them, so a filter in the kernel and a decoded line in a report
 * cannot disagree.
 */
#ifndef PLUMBLINE_PACKET_H
#define PLUMBLINE_PACKET_H

#include "integers.h"

/* Ethernet types, include/uapi/linux/if_ether.h. */
#define PACKET_TYPE_IPV4 0x0800
#define PACKET_TYPE_ARP 0x0806
#define PACKET_TYPE_RARP 0x8035
#define PACKET_TYPE_VLAN 0x8100
#define PACKET_TYPE_IPV6 0x86dd
#define PACKET_TYPE_FLOW_CONTROL 0x8808
#define PACKET_TYPE_QINQ 0x88a8
#define PACKET_TYPE_LLDP 0x88cc
#define PACKET_TYPE_QINQ_OLD 0x9100
/* Smaller values of the field are an 802.3 length. */
#define PACKET_TYPE_MINIMUM 0x0600

/* IP protocols, include/uapi/linux/in.h and in6.h. */
#define PACKET_PROTOCOL_HOP_BY_HOP 0
#define PACKET_PROTOCOL_ICMP 1
#define PACKET_PROTOCOL_TCP 6
#define PACKET_PROTOCOL_UDP 17
#define PACKET_PROTOCOL_ROUTING 43
#define PACKET_PROTOCOL_FRAGMENT 44
#define PACKET_PROTOCOL_ICMPV6 58
#define PACKET_PROTOCOL_DESTINATION 60
#define PACKET_PROTOCOL_UDPLITE 136
#define PACKET_PROTOCOL_SCTP 132
#define PACKET_PROTOCOL_DCCP 33

/* Tags that are read: one in the skb and two in the bytes, or three in the bytes. */
#define PACKET_VLAN_TAGS 3
/* IPv6 extension headers that are followed before the upper protocol is given up. */
#define PACKET_IPV6_EXTENSIONS 6

#define PACKET_LINK_LENGTH 14
#define PACKET_OFFSET_NONE 0xffff

/* What was found; bits of packet.found. */
enum packet_found {
	PACKET_HAS_LINK = 1 << 0,	/* link header, ether_type from it */
	PACKET_HAS_TYPE = 1 << 1,	/* ether_type is known */
	PACKET_HAS_IPV4 = 1 << 2,
	PACKET_HAS_IPV6 = 1 << 3,
	PACKET_HAS_PROTOCOL = 1 << 4,	/* protocol is known */
	PACKET_HAS_PORTS = 1 << 5,	/* src_port and dst_port are known */
	PACKET_HAS_ICMP = 1 << 6,	/* icmp_type, icmp_code are known */
	PACKET_IS_FRAGMENT = 1 << 7,	/* fragment, first or later */
	PACKET_IS_LATER_FRAGMENT = 1 << 8,	/* no upper header in it */
	PACKET_TRUNCATED = 1 << 9,	/* a header was cut off by the end of the linear bytes */
};

/* Where the bytes are, and what the skb says that the bytes do not. */
struct packet_source {
	/* Link header when has_link, else the network header. */
	const unsigned char *start;
	/* Linear bytes readable from start. */
	__u32 length;
	/* skb->protocol, host byte order: the type when there is no link header. */
	__u16 protocol;
	/* Hardware tag, valid when has_vlan; host byte order. */
	__u16 vlan_type;
	__u16 vlan_tci;
	__u8 has_link;
	__u8 has_vlan;
};

/* A packet's headers. Addresses and masks in network byte order, the rest in host byte order. */
struct packet {
	__u32 src[4];	/* IPv4 in src[0], the rest zero */
	__u32 dst[4];
	__u32 found;	/* enum packet_found */
	__u16 ether_type;	/* behind all tags */
	__u16 vlan_type[PACKET_VLAN_TAGS];	/* outermost first */
	__u16 vlan_tci[PACKET_VLAN_TAGS];
	__u16 src_port;
	__u16 dst_port;
	__u16 network_offset;	/* from packet_source.start, PACKET_OFFSET_NONE if unknown */
	__u16 transport_offset;
	__u8 vlan_count;
	__u8 protocol;
	__u8 icmp_type;
	__u8 icmp_code;
};

#ifdef __bpf__
#define PACKET_INLINE static __attribute__((always_inline)) inline
#define PACKET_COPY(to, from, size) bpf_probe_read_kernel(to, size, from)
#else
#define PACKET_INLINE static inline
#define PACKET_COPY(to, from, size) (__builtin_memcpy(to, from, size), 0)
#endif

/* Copies size bytes at offset; 0, or -1 where the linear bytes end before. */
#define PACKET_READ(to, source, offset, size) \
	((__u32)(offset) + (size) > (source)->length ? \
		 -1 : \
		 (int)PACKET_COPY(to, (source)->start + (offset), size))

#define PACKET_U16(bytes, at) ((__u16)((bytes)[at] << 8 | (bytes)[(at) + 1]))

PACKET_INLINE int packet_is_vlan_type(__u16 type)
{
	return type == PACKET_TYPE_VLAN || type == PACKET_TYPE_QINQ || type == PACKET_TYPE_QINQ_OLD;
}

PACKET_INLINE void packet_parse_transport(const struct packet_source *source, struct packet *packet,
					  __u32 offset)
{
	__u8 bytes[4];

	packet->transport_offset = offset;
	if (packet->protocol == PACKET_PROTOCOL_ICMP || packet->protocol == PACKET_PROTOCOL_ICMPV6) {
		if (PACKET_READ(bytes, source, offset, 2)) {
			packet->found |= PACKET_TRUNCATED;
			return;
		}
		packet->icmp_type = bytes[0];
		packet->icmp_code = bytes[1];
		packet->found |= PACKET_HAS_ICMP;
	} else if (packet->protocol == PACKET_PROTOCOL_TCP || packet->protocol == PACKET_PROTOCOL_UDP ||
		   packet->protocol == PACKET_PROTOCOL_SCTP || packet->protocol == PACKET_PROTOCOL_DCCP ||
		   packet->protocol == PACKET_PROTOCOL_UDPLITE) {
		if (PACKET_READ(bytes, source, offset, 4)) {
			packet->found |= PACKET_TRUNCATED;
			return;
		}
		packet->src_port = PACKET_U16(bytes, 0);
		packet->dst_port = PACKET_U16(bytes, 2);
		packet->found |= PACKET_HAS_PORTS;
	}
}

PACKET_INLINE void packet_parse_ipv4(const struct packet_source *source, struct packet *packet, __u32 offset)
{
	__u8 bytes[20];
	__u16 fragment;

	if (PACKET_READ(bytes, source, offset, 20)) {
		packet->found |= PACKET_TRUNCATED;
		return;
	}
	if (bytes[0] >> 4 != 4 || (bytes[0] & 15) < 5)
		return;
	__builtin_memcpy(&packet->src[0], bytes + 12, 4);
	__builtin_memcpy(&packet->dst[0], bytes + 16, 4);
	packet->protocol = bytes[9];
	packet->found |= PACKET_HAS_IPV4 | PACKET_HAS_PROTOCOL;
	fragment = PACKET_U16(bytes, 6);
	if (fragment & 0x3fff)	/* more fragments, or an offset */
		packet->found |= PACKET_IS_FRAGMENT;
	if (fragment & 0x1fff) {
		packet->found |= PACKET_IS_LATER_FRAGMENT;
		return;
	}
	packet_parse_transport(source, packet, offset + (bytes[0] & 15) * 4);
}

/* Headers between IPv6 and the upper protocol. AH and ESP count as the upper protocol, as in IPv4. */
PACKET_INLINE int packet_is_ipv6_extension(__u8 next)
{
	return next == PACKET_PROTOCOL_HOP_BY_HOP || next == PACKET_PROTOCOL_ROUTING ||
	       next == PACKET_PROTOCOL_DESTINATION || next == PACKET_PROTOCOL_FRAGMENT;
}

PACKET_INLINE void packet_parse_ipv6(const struct packet_source *source, struct packet *packet, __u32 offset)
{
	__u8 bytes[40];
	__u8 next;
	int i;

	if (PACKET_READ(bytes, source, offset, 40)) {
		packet->found |= PACKET_TRUNCATED;
		return;
	}
	if (bytes[0] >> 4 != 6)
		return;
	__builtin_memcpy(packet->src, bytes + 8, 16);
	__builtin_memcpy(packet->dst, bytes + 24, 16);
	packet->found |= PACKET_HAS_IPV6;
	next = bytes[6];
	offset += 40;
#pragma unroll
	for (i = 0; i < PACKET_IPV6_EXTENSIONS; i++) {
		__u8 extension[4];
		__u32 length;

		if (!packet_is_ipv6_extension(next))
			break;
		if (PACKET_READ(extension, source, offset, 4)) {
			packet->found |= PACKET_TRUNCATED;
			return;
		}
		if (next == PACKET_PROTOCOL_FRAGMENT) {
			packet->found |= PACKET_IS_FRAGMENT;
			if (PACKET_U16(extension, 2) & 0xfff8) {
				packet->found |= PACKET_IS_LATER_FRAGMENT;
				/* An extension header here: the upper protocol is in the first fragment alone. */
				if (!packet_is_ipv6_extension(extension[0])) {
					packet->found |= PACKET_HAS_PROTOCOL;
					packet->protocol = extension[0];
				}
				return;
			}
			length = 8;
		} else {
			length = (extension[1] + 1) * 8;
		}
		next = extension[0];
		offset += length;
	}
	packet->protocol = next;
	packet->found |= PACKET_HAS_PROTOCOL;
	packet_parse_transport(source, packet, offset);
}

/* Fills *packet, which the caller has zeroed. Never fails: found says what is known. */
PACKET_INLINE void packet_parse(const struct packet_source *source, struct packet *packet)
{
	__u8 bytes[PACKET_LINK_LENGTH];
	__u32 offset = 0;
	__u16 type = source->protocol;
	__u8 tags = 0;
	int i;

	packet->network_offset = PACKET_OFFSET_NONE;
	packet->transport_offset = PACKET_OFFSET_NONE;
	if (source->has_vlan) {
		packet->vlan_type[0] = source->vlan_type;
		packet->vlan_tci[0] = source->vlan_tci;
		tags = 1;
		packet->vlan_count = tags;
	}
	if (source->has_link) {
		if (PACKET_READ(bytes, source, 0, PACKET_LINK_LENGTH)) {
			packet->found |= PACKET_TRUNCATED;
			return;
		}
		type = PACKET_U16(bytes, 12);
		offset = PACKET_LINK_LENGTH;
		packet->found |= PACKET_HAS_LINK;
	}
#pragma unroll
	for (i = 0; i < PACKET_VLAN_TAGS; i++) {
		if (!packet_is_vlan_type(type) || (i == PACKET_VLAN_TAGS - 1 && source->has_vlan))
			break;
		if (PACKET_READ(bytes, source, offset, 4)) {
			packet->found |= PACKET_TRUNCATED;
			return;
		}
		if (source->has_vlan && i + 1 < PACKET_VLAN_TAGS) {
			packet->vlan_type[i + 1] = type;
			packet->vlan_tci[i + 1] = PACKET_U16(bytes, 0);
		} else {
			packet->vlan_type[i] = type;
			packet->vlan_tci[i] = PACKET_U16(bytes, 0);
		}
		tags++;
		packet->vlan_count = tags;
		type = PACKET_U16(bytes, 2);
		offset += 4;
	}
	packet->ether_type = type;
	if (type)	/* skbs that are no network packets have none */
		packet->found |= PACKET_HAS_TYPE;
	packet->network_offset = offset;
	if (type == PACKET_TYPE_IPV4)
		packet_parse_ipv4(source, packet, offset);
	else if (type == PACKET_TYPE_IPV6)
		packet_parse_ipv6(source, packet, offset);
}

#endif
