/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the place of libbpf's btf__load_vmlinux_btf() (--wrap at link time):
 * libbpf reads the kernel's types into one buffer and copies them to another,
 * 11 MB at once for a kernel of today, which is most of what a tool would
 * need in memory. Here the kernel's own copy is mapped where it can be
 * (6.16 and later); elsewhere libbpf's own way is taken.
 */
#include "CLibbpf.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <stdint.h>
#include <sys/stat.h>

struct btf *__real_btf__load_vmlinux_btf(void);
struct btf *__wrap_btf__load_vmlinux_btf(void);

/*
 * Takes the executable's code out of this process's memory, to be mapped again
 * from the page cache where it runs on: what parsing the arguments needed of
 * it is not needed again, and this is when a tool needs the most memory. Of a
 * dynamically linked executable this leaves the libraries alone.
 */
static void forget_code(void)
{
	extern char __executable_start, etext;
	uintptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)&__executable_start + page - 1) & ~(page - 1);
	uintptr_t end = (uintptr_t)&etext & ~(page - 1);

	if (end > start)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	struct btf *types = NULL;
	struct stat status;
	void *data;

	forget_code();
	if (fd < 0)
		return __real_btf__load_vmlinux_btf();
	if (!fstat(fd, &status) && status.st_size > 0) {
		data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data != MAP_FAILED) {
			types = btf__new(data, status.st_size);
			munmap(data, status.st_size);
		}
	}
	close(fd);
	return types ? types : __real_btf__load_vmlinux_btf();
}
