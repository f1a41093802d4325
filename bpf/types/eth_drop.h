/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eth-drop: one record per dropped packet. */
#ifndef PLUMBLINE_ETH_DROP_H
#define PLUMBLINE_ETH_DROP_H

#include "drop.h"

/* Bytes of the packet that a record carries, from the link header on. */
#define ETH_DROP_BYTES 128
/* Frames of a kernel stack. */
#define ETH_DROP_FRAMES 32

struct eth_drop_config {
	struct drop_filter filter;
	__u32 rate_limit;	/* records per second over all CPUs, 0: no limit */
	__u32 capture_stack;	/* records carry a stack */
	__u32 include_expected;	/* no look-up in the map of expected places */
	__u32 reserved;
};

struct eth_drop_event {
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u64 location;		/* return address of the call that freed the skb */
	__u64 skb;		/* address, an identity while the skb lives */
	__u32 reason;		/* enum skb_drop_reason, or DROP_REASON_NONE */
	__u32 length;		/* skb->len at the drop: headers already pulled do not count */
	__u32 interface_index;	/* 0: no device known */
	__u32 ingress_index;	/* skb->skb_iif */
	__u32 network_namespace; /* inode number, 0: unknown */
	__u32 cpu;
	__u32 process;		/* thread group id */
	__u32 thread;
	__u16 protocol;		/* packet_source's fields */
	__u16 vlan_type;
	__u16 vlan_tci;
	__u8 has_link;
	__u8 has_vlan;
	__u16 captured;		/* valid in bytes */
	__u16 queue;		/* skb->queue_mapping */
	__u16 linear;		/* linear bytes in the skb from the same start, at most 65535 */
	__u16 reserved;
	char interface[DROP_NAME_LENGTH];
	char task[16];
	__u8 bytes[ETH_DROP_BYTES];
	/* Only with capture_stack: */
	__s32 stack_size;	/* bytes in stack, negative: an error */
	__u32 reserved_1;
	__u64 stack[ETH_DROP_FRAMES];
};

/* The rate limiter's second. */
struct eth_drop_window {
	__u64 start_ns;
	__u64 records;
};

#endif
