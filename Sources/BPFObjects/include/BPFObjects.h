/* SPDX-License-Identifier: Apache-2.0 */
/* Files that `make bpf` made, embedded in the executable. */
#ifndef PLUMBLINE_BPF_OBJECTS_H
#define PLUMBLINE_BPF_OBJECTS_H

#include <stddef.h>

struct embedded_file {
	/* "eth_drop.btf", "eth_drop.legacy"; for kernel types the release, "4.19.90-2003.4.0.0036.oe1.x86_64". */
	const char *name;
	/* Aligned to 8 bytes. */
	const void *data;
	size_t size;
};

/* Compiled BPF objects; *count receives their number. */
const struct embedded_file *embedded_objects(size_t *count);

/* Minimised BTF of kernels that have none of their own. */
const struct embedded_file *embedded_btf(size_t *count);

#endif
