/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drop-summary: drops counted in the kernel. */
#ifndef PLUMBLINE_DROP_SUMMARY_H
#define PLUMBLINE_DROP_SUMMARY_H

#include "drop.h"

/* What the counts are told apart by, beside location and reason; bits. */
enum drop_group {
	DROP_GROUP_FLOW = 1 << 0,
	DROP_GROUP_INTERFACE = 1 << 1,
	DROP_GROUP_STACK = 1 << 2,
};

#define DROP_SUMMARY_FRAMES 32
#define DROP_SUMMARY_NO_STACK (-1)

struct drop_summary_config {
	struct drop_filter filter;
	__u32 groups;		/* enum drop_group */
	__u32 reserved;
};

/* What of packet.found tells flows apart: nothing that a report does not show. */
#define DROP_FLOW_FOUND                                                           \
	(PACKET_HAS_TYPE | PACKET_HAS_IPV4 | PACKET_HAS_IPV6 | PACKET_HAS_PROTOCOL | \
	 PACKET_HAS_PORTS | PACKET_HAS_ICMP | PACKET_IS_FRAGMENT)

/* Addresses in network byte order, the rest in host byte order. */
struct drop_flow {
	__u32 src[4];
	__u32 dst[4];
	__u16 ether_type;
	__u16 vlan_id;		/* of the outermost tag, 0xffff: none */
	__u16 src_port;		/* ICMP: type */
	__u16 dst_port;		/* ICMP: code */
	__u16 found;		/* enum packet_found */
	__u8 protocol;
	__u8 reserved;
};

struct drop_summary_key {
	__u64 location;
	__u32 reason;
	__u32 epoch;		/* 0 or 1: the half that is being filled */
	__s32 stack;		/* id in the epoch's stack map, or negative */
	__u32 interface_index;
	__u32 network_namespace;
	struct drop_flow flow;	/* last: see DROP_SUMMARY_SHORT_KEY */
};

/* Size of the key where flows are not told apart. */
#define DROP_SUMMARY_SHORT_KEY 28

struct drop_summary_value {
	__u64 packets;
	__u64 bytes;
	char interface[DROP_NAME_LENGTH];
};

#endif
