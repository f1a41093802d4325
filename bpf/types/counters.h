/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every program counts, per CPU: the numbers that say how complete a report is. */
#ifndef PLUMBLINE_COUNTERS_H
#define PLUMBLINE_COUNTERS_H

#include "integers.h"

/* Probes of one object that can be told apart. */
#define COUNTERS_PROBES 16

struct counters {
	__u64 hits[COUNTERS_PROBES];	/* calls of each probe */
	__u64 filtered;		/* hits that the filters refused */
	__u64 expected;		/* hits that are no event by the tool's own knowledge */
	__u64 suppressed;	/* matching hits above the rate limit */
	__u64 emitted;		/* records handed to the event buffer, lost ones included */
	__u64 map_full;		/* matching hits without room in a map */
	__u64 stack_missed;	/* matching hits whose stack could not be taken */
	__u64 nested;		/* hits on a CPU whose scratch records were all in use */
};

#endif
