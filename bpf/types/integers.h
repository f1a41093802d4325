/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's fixed-width integer names, for headers that BPF C and Swift
 * both read. BPF C has no libc headers; Swift gets them from the kernel's
 * user-space headers.
 */
#ifndef PLUMBLINE_INTEGERS_H
#define PLUMBLINE_INTEGERS_H

#ifdef __bpf__
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;
#else
#include <linux/types.h>
#endif

#endif
