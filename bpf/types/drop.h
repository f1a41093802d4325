/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Configuration that the packet-drop programs share. */
#ifndef PLUMBLINE_DROP_H
#define PLUMBLINE_DROP_H

#include "packet_filter.h"

#define DROP_NAME_LENGTH 16	/* IFNAMSIZ */
#define DROP_INTERFACES 4
#define DROP_LOCATIONS 8
#define DROP_REASONS 8
#define DROP_EXPECTED_RULES 48

/* The kernel gives no reason (before 5.17). */
#define DROP_REASON_NONE 0xffffffffU

/* Code addresses from start up to, not including, end. */
struct drop_range {
	__u64 start;
	__u64 end;
};

/* Frees that are no drops: at these addresses and, unless DROP_REASON_NONE, with this reason. */
struct drop_expected_rule {
	__u64 start;
	__u64 end;
	__u32 reason;
	__u32 reserved;
};

/* Interface names, zero padded, compared whole. */
struct drop_interface {
	__u64 name[2];
};

/* Counts of zero: no condition. */
struct drop_filter {
	struct packet_filter packet;
	__u32 interface_count;
	__u32 location_count;
	__u32 reason_count;
	__u32 expected_count;
	__u32 include_expected;	/* expected frees pass as well */
	__u32 reserved;
	struct drop_interface interfaces[DROP_INTERFACES];
	struct drop_range locations[DROP_LOCATIONS];
	__u32 reasons[DROP_REASONS];
	struct drop_expected_rule expected[DROP_EXPECTED_RULES];
};

/* Frees that each rule of drop_filter.expected took, per CPU. */
struct drop_expected_counts {
	__u64 count[DROP_EXPECTED_RULES];
};

#endif
