/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which packets a user asked for. Conditions are directional and all must
 * hold; a packet in which the field is unknown (a port in a later fragment, an
 * address in an ARP frame) does not meet the condition.
 */
#ifndef PLUMBLINE_PACKET_FILTER_H
#define PLUMBLINE_PACKET_FILTER_H

#include "packet.h"

/* Conditions that are set; bits of packet_filter.conditions. */
enum packet_filter_condition {
	PACKET_FILTER_TYPE = 1 << 0,
	PACKET_FILTER_PROTOCOL = 1 << 1,
	PACKET_FILTER_SRC = 1 << 2,
	PACKET_FILTER_DST = 1 << 3,
	PACKET_FILTER_SRC_PORT = 1 << 4,
	PACKET_FILTER_DST_PORT = 1 << 5,
	PACKET_FILTER_VLAN = 1 << 6,
	PACKET_FILTER_IPV6 = 1 << 7,	/* src and dst are IPv6, else IPv4 */
};

/* All zero: every packet. */
struct packet_filter {
	__u32 conditions;	/* enum packet_filter_condition */
	__u32 src[4];		/* network byte order, already masked; IPv4 in src[0] */
	__u32 src_mask[4];
	__u32 dst[4];
	__u32 dst_mask[4];
	__u16 ether_type;	/* host byte order, as the ports */
	__u16 src_port;
	__u16 dst_port;
	__u16 vlan_id;		/* of any tag, 0 to 4095 */
	__u8 protocol;
	__u8 reserved[3];
};

PACKET_INLINE int packet_filter_address(const __u32 *address, const __u32 *want, const __u32 *mask)
{
	return (address[0] & mask[0]) == want[0] && (address[1] & mask[1]) == want[1] &&
	       (address[2] & mask[2]) == want[2] && (address[3] & mask[3]) == want[3];
}

/* 1 when the packet meets every condition. */
PACKET_INLINE int packet_filter_match(const struct packet_filter *filter, const struct packet *packet)
{
	__u32 set = filter->conditions;
	__u32 family;

	if ((set & PACKET_FILTER_TYPE) &&
	    (!(packet->found & PACKET_HAS_TYPE) || packet->ether_type != filter->ether_type))
		return 0;
	if ((set & PACKET_FILTER_PROTOCOL) &&
	    (!(packet->found & PACKET_HAS_PROTOCOL) || packet->protocol != filter->protocol))
		return 0;
	if (set & (PACKET_FILTER_SRC | PACKET_FILTER_DST)) {
		family = set & PACKET_FILTER_IPV6 ? PACKET_HAS_IPV6 : PACKET_HAS_IPV4;
		if (!(packet->found & family))
			return 0;
	}
	if ((set & PACKET_FILTER_SRC) && !packet_filter_address(packet->src, filter->src, filter->src_mask))
		return 0;
	if ((set & PACKET_FILTER_DST) && !packet_filter_address(packet->dst, filter->dst, filter->dst_mask))
		return 0;
	if ((set & (PACKET_FILTER_SRC_PORT | PACKET_FILTER_DST_PORT)) && !(packet->found & PACKET_HAS_PORTS))
		return 0;
	if ((set & PACKET_FILTER_SRC_PORT) && packet->src_port != filter->src_port)
		return 0;
	if ((set & PACKET_FILTER_DST_PORT) && packet->dst_port != filter->dst_port)
		return 0;
	if (set & PACKET_FILTER_VLAN) {
		__u8 tags = packet->vlan_count;

		if (!((tags > 0 && (packet->vlan_tci[0] & 0xfff) == filter->vlan_id) ||
		      (tags > 1 && (packet->vlan_tci[1] & 0xfff) == filter->vlan_id) ||
		      (tags > 2 && (packet->vlan_tci[2] & 0xfff) == filter->vlan_id)))
			return 0;
	}
	return 1;
}

#endif
