/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All that differs between the two objects made from one source.
 *
 * btf:    kernels with their own BTF and a ring buffer (5.8 and later).
 *         Configuration is read-only data that the verifier folds away,
 *         tracepoints are typed, fields are read without a helper call.
 * legacy: 4.19 and later. Configuration is a one-element array map, events go
 *         through a perf buffer, fields are read by bpf_probe_read, no global
 *         data, no helper or map type newer than 4.19.
 */
#ifndef PLUMBLINE_TARGET_H
#define PLUMBLINE_TARGET_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

#ifdef PLUMBLINE_LEGACY
/* bpf_probe_read_kernel came with 5.5; both read kernel memory on x86-64 and arm64. */
#define bpf_probe_read_kernel bpf_probe_read
#endif

#include <bpf/bpf_core_read.h>
/* Makes bpf_tracing.h use the kernel's names of registers, as kernel_types.h does. */
#define __VMLINUX_H__
#include <bpf/bpf_tracing.h>

#define INLINE static __always_inline

/*
 * *pointer += value for a __u64, in one instruction that interrupts and other
 * CPUs see whole. Written out, for the compiler may choose the form that also
 * fetches, which kernels before 5.12 refuse.
 */
INLINE void atomic_add(__u64 *pointer, __u64 value)
{
	asm volatile("lock *(u64 *)(%0 + 0) += %1" : : "r"(pointer), "r"(value) : "memory");
}

/* A licence that the kernel accepts as GPL-compatible (include/linux/license.h). */
#define LICENSE char program_license[] SEC("license") = "Dual BSD/GPL"

#ifdef PLUMBLINE_LEGACY

#define RAW_TRACEPOINT(name) SEC("raw_tp/" #name)

#define CONFIG(record)                                                             \
	struct {                                                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                 \
		__uint(max_entries, 1);                                           \
		__type(key, __u32);                                               \
		__type(value, record);                                             \
	} config SEC(".maps");                                                    \
	INLINE const record *config_get(void)                                       \
	{                                                                         \
		__u32 zero = 0;                                                   \
		return bpf_map_lookup_elem(&config, &zero);                       \
	}

#define DIRECT_READS 0

#define EVENTS                                                                    \
	struct {                                                                  \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);                      \
		__uint(key_size, sizeof(__u32));                                  \
		__uint(value_size, sizeof(__u32));                                \
	} events SEC(".maps");                                                    \
	INLINE void event_output(void *ctx, void *data, __u64 size)               \
	{                                                                         \
		bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, data, size); \
	}

#else

#define RAW_TRACEPOINT(name) SEC("tp_btf/" #name)

/*
 * The address goes through a register that the compiler cannot see through:
 * else it would fold the zeroes that stand here before the loader writes.
 */
#define CONFIG(record)                                                             \
	const record config SEC(".rodata.config") = {};                             \
	INLINE const record *config_get(void)                                       \
	{                                                                         \
		const record *pointer = &config;                                    \
		barrier_var(pointer);                                             \
		return pointer;                                                   \
	}

#define DIRECT_READS 1

/*
 * The reader polls on a timer, so a record wakes it only when the buffer is a
 * quarter full: an interrupt per record would cost more than the record.
 */
#define EVENTS                                                                    \
	struct {                                                                  \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                               \
		__uint(max_entries, 4096);                                        \
	} events SEC(".maps");                                                    \
	INLINE void event_output(void *ctx, void *data, __u64 size)               \
	{                                                                         \
		(void)ctx;                                                        \
		__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);    \
		__u64 room = bpf_ringbuf_query(&events, BPF_RB_RING_SIZE);        \
		bpf_ringbuf_output(&events, data, size,                           \
				   waiting > room / 4 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP); \
	}

#endif

/* The address that the function entered at a kprobe will return to. */
INLINE __u64 kprobe_caller(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), (const void *)PT_REGS_SP(ctx));
	return address;
#elif defined(__TARGET_ARCH_arm64)
	return PT_REGS_RET(ctx);	/* the link register */
#endif
}

/*
 * Reads pointer->field. direct is a constant: true where pointer is typed for
 * the verifier (an argument of a RAW_TRACEPOINT, or reached from one).
 */
#define FIELD(direct, pointer, field)                                             \
	({                                                                        \
		__auto_type __pointer = (pointer);                                \
		__typeof_unqual__(__pointer->field) __value;                      \
		if ((direct) && DIRECT_READS)                                     \
			__value = __pointer->field;                               \
		else                                                              \
			bpf_core_read(&__value, sizeof(__value), &__pointer->field); \
		__value;                                                          \
	})

#endif
