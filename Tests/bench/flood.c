/* SPDX-License-Identifier: Apache-2.0 */
/* flood ADDRESS PORT SECONDS THREADS: sends small UDP datagrams as fast as it can; prints how many. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define THREADS 64

static struct sockaddr_in target;
static double seconds;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void *flood(void *result)
{
	static char payload[16];
	struct iovec part = { payload, sizeof(payload) };
	struct mmsghdr messages[BATCH];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double end = now() + seconds;
	unsigned long sent = 0;
	int i, size = 1 << 20;

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_name = &target;
		messages[i].msg_hdr.msg_namelen = sizeof(target);
		messages[i].msg_hdr.msg_iov = &part;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (now() < end) {
		int done = sendmmsg(fd, messages, BATCH, 0);

		if (done > 0)
			sent += done;
	}
	*(unsigned long *)result = sent;
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	unsigned long sent[THREADS], total = 0;
	int i, count;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &target.sin_addr) != 1) {
		fprintf(stderr, "usage: flood ADDRESS PORT SECONDS THREADS\n");
		return 64;
	}
	target.sin_family = AF_INET;
	target.sin_port = htons(atoi(argv[2]));
	seconds = atof(argv[3]);
	count = atoi(argv[4]);
	if (count < 1 || count > THREADS)
		return 64;
	for (i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, flood, &sent[i]);
	for (i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		total += sent[i];
	}
	printf("%lu\n", total);
	return 0;
}
