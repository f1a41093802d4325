/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libbpf as a Swift module, and what of it Swift cannot express.
 */
#ifndef PLUMBLINE_CLIBBPF_H
#define PLUMBLINE_CLIBBPF_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <unistd.h>

/* A message of libbpf's, whole, to be freed; NULL without memory. */
char *clibbpf_format(const char *format, va_list arguments);

/* libbpf's pointers to errors: 0, or the negative error number. */
static inline long clibbpf_error(const void *pointer)
{
	return libbpf_get_error(pointer);
}

/*
 * Whether the kernel lets programs read a map's value as data at a fixed
 * address (global data, 5.2 and later): 1, 0, or -errno when the trial itself
 * was refused.
 */
static inline int clibbpf_probe_global_data(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "plumbline_probe", sizeof(int), 32, 1, NULL);
	struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	if (map < 0)
		return map;
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "plumbline_probe", "GPL", program,
			   sizeof(program) / sizeof(program[0]), NULL);
	close(map);
	if (fd < 0)
		return fd == -EPERM ? fd : 0;
	close(fd);
	return 1;
}

#endif
