/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that Swift's Glibc module lacks. Negative results are -errno. */
#ifndef PLUMBLINE_CLINUX_H
#define PLUMBLINE_CLINUX_H

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* Runs this thread on every CPU it may run on, in turn; then lets it go where it could before. */
static inline int clinux_visit_cpus(void)
{
	enum { CPUS = 8192 };
	unsigned char all[CPUS / 8], one[CPUS / 8];
	long size = syscall(SYS_sched_getaffinity, 0, sizeof(all), all);
	int cpu, result = 0;

	if (size < 0)
		return -errno;
	for (cpu = 0; cpu < size * 8 && !result; cpu++) {
		if (!(all[cpu / 8] & 1 << cpu % 8))
			continue;
		memset(one, 0, sizeof(one));
		one[cpu / 8] = 1 << cpu % 8;
		/* A CPU that went offline meanwhile runs no program. */
		if (syscall(SYS_sched_setaffinity, 0, size, one) && errno != EINVAL)
			result = -errno;
	}
	syscall(SYS_sched_setaffinity, 0, size, all);
	return result;
}

/*
 * Returns when no BPF program that was running at the call runs any more:
 * MEMBARRIER_CMD_GLOBAL is an RCU grace period (kernel/sched/membarrier.c, 4.3
 * and later, under the name MEMBARRIER_CMD_SHARED before 4.16). Kernels with
 * nohz_full refuse it; there each CPU is visited: where this thread runs, no
 * program that disabled preemption before still does.
 */
static inline int clinux_wait_for_programs(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0) ? clinux_visit_cpus() : 0;
}

/* An anonymous file in memory, closed on exec. */
static inline int clinux_memory_file(const char *name)
{
	int fd = syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */);

	return fd < 0 ? -errno : fd;
}

/*
 * Large blocks go back to the system when they are freed. glibc would raise
 * its limit for that after the first one, and keep the memory that the
 * kernel's types took for a moment.
 */
static inline void clinux_return_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

/* The signals that end a run: those of SIGINT, SIGTERM and SIGHUP that are not ignored (nohup ignores SIGHUP). */
static inline void clinux_end_signals(sigset_t *set)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;
	unsigned int i;

	sigemptyset(set);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!sigaction(numbers[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(set, numbers[i]);
	}
}

/* Makes sure that descriptors 0 to 2 are open, so that no file of ours becomes one of them. */
static inline void clinux_open_standard_files(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= 2)
		fd = dup(fd);
	if (fd > 2)
		close(fd);
}

/* Holds back the signals that end a run, and ignores SIGPIPE. */
static inline void clinux_hold_signals(void)
{
	sigset_t set;

	clinux_end_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* A descriptor that is readable while a signal that ends a run is held back. */
static inline int clinux_signal_file(void)
{
	sigset_t set;
	int fd;

	clinux_end_signals(&set);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * Waits until descriptor can be written to, at most milliseconds: 1; 0 when it
 * cannot; 2 when it cannot and a signal that ends a run is held back (stop: its
 * descriptor, -1: none).
 */
static inline int clinux_wait_writable(int descriptor, int stop, int milliseconds)
{
	struct pollfd files[2] = { { .fd = descriptor, .events = POLLOUT }, { .fd = stop, .events = POLLIN } };

	if (poll(files, 1, milliseconds) > 0)
		return 1;
	return poll(&files[1], 1, 0) > 0 ? 2 : 0;
}

/* Bytes that a write takes without blocking once the descriptor polls writable; pipes promise no more. */
static inline size_t clinux_write_size(int descriptor)
{
	struct stat status;

	return !fstat(descriptor, &status) && S_ISREG(status.st_mode) ? 1 << 20 : 4096;
}

/* Takes one held-back signal: its number, or 0. */
static inline int clinux_read_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

/*
 * Waits until one of two descriptors (-1: none) is readable, at most
 * nanoseconds (negative: for ever). Bit 0, bit 1: which one; 0: time, or a signal.
 */
static inline int clinux_wait_readable(int first, int second, int64_t nanoseconds)
{
	struct pollfd files[2] = { { .fd = first, .events = POLLIN }, { .fd = second, .events = POLLIN } };
	struct timespec timeout = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };

	if (syscall(SYS_ppoll, files, 2, nanoseconds < 0 ? NULL : &timeout, NULL, 0) < 0)
		return 0;
	return (files[0].revents ? 1 : 0) | (files[1].revents ? 2 : 0);
}

#endif
