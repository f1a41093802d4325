/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types and fields that the programs read, and no others.
 *
 * Offsets are relocated at load time (CO-RE), so order and gaps mean nothing
 * here; names and types must be the kernel's. Each type names the file it
 * comes from. Fields that only some kernels have are read only behind
 * bpf_core_field_exists().
 */
#ifndef PLUMBLINE_KERNEL_TYPES_H
#define PLUMBLINE_KERNEL_TYPES_H

#include "integers.h"

typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

/* include/uapi/linux/bpf.h: what the programs use of it, checked against 6.18. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_STACK_TRACE = 7,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_NOEXIST = 1,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
};

/*
 * Registers at a kprobe, whole and in the kernel's order, for they are read as
 * the program's context: arch/x86/include/asm/ptrace.h,
 * arch/arm64/include/uapi/asm/ptrace.h.
 */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
struct pt_regs;
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/ns_common.h */
struct ns_common {
	unsigned int inum;
};

/* include/net/net_namespace.h */
struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device;

/* include/linux/netdevice.h */
struct netdev_queue {
	struct net_device *dev;
};

/* include/linux/netdevice.h */
struct net_device {
	char name[16];
	int ifindex;
	unsigned short type;
	struct netdev_queue *_tx;
	possible_net_t nd_net;
};

/*
 * include/linux/skbuff.h. vlan_present is a bit of its own from 5.0 to 6.1;
 * before, it is bit 12 of vlan_tci; from 6.2 on (commit 354259fa73e2),
 * vlan_all, the union of vlan_proto and vlan_tci, is non-zero instead.
 */
struct sk_buff {
	struct net_device *dev;
	unsigned int len;
	__u8 vlan_present : 1;
	int skb_iif;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u32 vlan_all;
	__u16 queue_mapping;
	__be16 protocol;
	__u16 network_header;
	__u16 mac_header;
	unsigned int tail;
	unsigned char *head;
	unsigned char *data;
};

#pragma clang attribute pop

/*
 * include/net/dropreason-core.h (5.17 to 6.1: include/linux/skbuff.h and
 * include/net/dropreason.h); only what exists in the kernel matters here, not
 * the values.
 */
enum skb_drop_reason {
	SKB_NOT_DROPPED_YET = 0,
	SKB_DROP_REASON_TCP_OLD_DATA,
};

#endif
