/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Configuration that the packet-drop programs share. */
#ifndef PLUMBLINE_DROP_H
#define PLUMBLINE_DROP_H

#include "packet_filter.h"

#define DROP_NAME_LENGTH 16	/* IFNAMSIZ */
#define DROP_INTERFACES 4
#define DROP_LOCATIONS 8
#define DROP_REASONS 8
#define DROP_EXPECTED_PLACES 1024

/* The kernel gives no reason (before 5.17). */
#define DROP_REASON_NONE 0xffffffffU

/* Code addresses from start up to, not including, end. */
struct drop_range {
	__u64 start;
	__u64 end;
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
	__u32 reserved;
	struct drop_interface interfaces[DROP_INTERFACES];
	struct drop_range locations[DROP_LOCATIONS];
	__u32 reasons[DROP_REASONS];
};

/*
 * A place where frees are no drops. The reader, which knows the places by
 * symbol, enters each when it first meets it; from then on the program only counts there.
 */
struct drop_expected_place {
	__u64 location;
	__u32 reason;
	__u32 reserved;
};

#endif
