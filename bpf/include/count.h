/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The per-CPU counters of an object, and the scratch records of its programs. */
#ifndef PLUMBLINE_COUNT_H
#define PLUMBLINE_COUNT_H

#include "target.h"
#include "counters.h"

/* Only to be changed by atomic_add: an interrupt can run a program on top of itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

INLINE struct counters *counters_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

/*
 * Records that are too large for the 512-byte stack, per CPU and per nesting
 * level: an interrupt can run a program on top of itself (kernels before 6.1
 * do not keep raw tracepoint programs from that). Each successful scratch_get
 * needs its scratch_put.
 */
#define SCRATCH_LEVELS 4

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} scratch_depth SEC(".maps");

#define SCRATCH(record)                                                            \
	struct {                                                                  \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                          \
		__uint(max_entries, SCRATCH_LEVELS);                              \
		__type(key, __u32);                                               \
		__type(value, record);                                             \
	} scratch SEC(".maps");                                                   \
	INLINE record *scratch_get(void)                                            \
	{                                                                         \
		__u32 zero = 0;                                                   \
		__u32 level;                                                      \
		__u32 *depth = bpf_map_lookup_elem(&scratch_depth, &zero);        \
		if (!depth)                                                       \
			return NULL;                                              \
		level = *depth;                                                   \
		if (level >= SCRATCH_LEVELS)                                      \
			return NULL;                                              \
		*depth = level + 1;                                               \
		return bpf_map_lookup_elem(&scratch, &level);                     \
	}

INLINE void scratch_put(void)
{
	__u32 zero = 0;
	__u32 *depth = bpf_map_lookup_elem(&scratch_depth, &zero);

	if (depth)
		*depth -= 1;
}

#endif
