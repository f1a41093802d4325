/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Histogram buckets: powers of two, each divided into 4 equal parts, so a
 * bucket is at most a quarter of its lower edge wide. Values 0 to 7 have a bucket each.
 */
#ifndef PLUMBLINE_HISTOGRAM_H
#define PLUMBLINE_HISTOGRAM_H

#include "integers.h"

/* Buckets for any 64-bit value. */
#define HISTOGRAM_BUCKETS 252

static __attribute__((always_inline)) inline __u32 histogram_log2(__u64 value)
{
	__u32 result = 0;

	/* BPF has no instruction for it. */
	if (value >> 32) {
		value >>= 32;
		result += 32;
	}
	if (value >> 16) {
		value >>= 16;
		result += 16;
	}
	if (value >> 8) {
		value >>= 8;
		result += 8;
	}
	if (value >> 4) {
		value >>= 4;
		result += 4;
	}
	if (value >> 2) {
		value >>= 2;
		result += 2;
	}
	return result + (value >> 1);
}

/* The bucket of a value, 0 to HISTOGRAM_BUCKETS - 1. */
static __attribute__((always_inline)) inline __u32 histogram_bucket(__u64 value)
{
	__u32 power;

	if (value < 4)
		return value;
	power = histogram_log2(value);
	return (power - 1) * 4 + ((value >> (power - 2)) & 3);
}

/* The smallest value of a bucket. */
static __attribute__((always_inline)) inline __u64 histogram_lower(__u32 bucket)
{
	return bucket < 4 ? bucket : (__u64)(4 + bucket % 4) << (bucket / 4 - 1);
}

#endif
