/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eth-drop: one record per dropped packet, with its first bytes. */
#include "admit.h"
#include "eth_drop.h"

CONFIG(struct eth_drop_config)
EVENTS

/* Too large for the stack; and in map memory a verifier of old does not tell paths apart by its content. */
struct eth_drop_scratch {
	struct drop drop;
	struct eth_drop_event event;
};

SCRATCH(struct eth_drop_scratch)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eth_drop_window);
} rate_window SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DROP_EXPECTED_PLACES);
	__type(key, struct drop_expected_place);
	__type(value, __u64);
} expected SEC(".maps");

/* Counts a free that the reader has found to be no drop. */
INLINE bool is_expected(const struct drop *drop, struct counters *count)
{
	struct drop_expected_place place = { .location = drop->location, .reason = drop->reason };
	__u64 *frees = bpf_map_lookup_elem(&expected, &place);

	if (!frees)
		return false;
	atomic_add(frees, 1);
	atomic_add(&count->expected, 1);
	return true;
}

/*
 * True when this second has had its records. CPUs that meet in the same
 * instant may let one record too many through each; none is lost uncounted.
 */
INLINE bool rate_exceeded(__u32 limit, __u64 now)
{
	__u32 zero = 0;
	struct eth_drop_window *window;

	if (!limit)
		return false;
	window = bpf_map_lookup_elem(&rate_window, &zero);
	if (!window)
		return false;
	if (now - window->start_ns >= 1000000000ULL) {
		window->start_ns = now;
		window->records = 0;
	}
	if (window->records >= limit)
		return true;
	atomic_add(&window->records, 1);
	return false;
}

/* Copies what the packet has, up to ETH_DROP_BYTES; the rest of bytes keeps older content. */
INLINE void copy_bytes(struct eth_drop_event *event, const struct packet_source *source)
{
	__u32 size = source->length;

	event->captured = 0;
	event->linear = size < 0xffff ? size : 0xffff;
	if (size >= ETH_DROP_BYTES) {
		if (!bpf_probe_read_kernel(event->bytes, ETH_DROP_BYTES, source->start))
			event->captured = ETH_DROP_BYTES;
		return;
	}
	/* The mask shows the bound to verifiers of old; the barrier keeps the compiler from removing it. */
	barrier_var(size);
	size &= ETH_DROP_BYTES - 1;
	if (size && !bpf_probe_read_kernel(event->bytes, size, source->start))
		event->captured = size;
}

INLINE void emit(void *ctx, const struct eth_drop_config *cfg, struct eth_drop_scratch *scratch,
		 const struct sk_buff *skb, const struct net_device *dev,
		 struct counters *count, const bool direct)
{
	const struct drop *drop = &scratch->drop;
	struct eth_drop_event *event = &scratch->event;
	__u64 size = offsetof(struct eth_drop_event, stack_size);
	__u64 now = bpf_ktime_get_ns();
	__u64 id;

	if (rate_exceeded(cfg->rate_limit, now)) {
		atomic_add(&count->suppressed, 1);
		return;
	}
	event->time_ns = now;
	event->location = drop->location;
	event->skb = (__u64)skb;
	event->reason = drop->reason;
	event->length = FIELD(direct, skb, len);
	event->ingress_index = FIELD(direct, skb, skb_iif);
	event->queue = FIELD(direct, skb, queue_mapping);
	event->cpu = bpf_get_smp_processor_id();
	id = bpf_get_current_pid_tgid();
	event->process = id >> 32;
	event->thread = id;
	bpf_get_current_comm(event->task, sizeof(event->task));
	event->protocol = drop->source.protocol;
	event->vlan_type = drop->source.vlan_type;
	event->vlan_tci = drop->source.vlan_tci;
	event->has_link = drop->source.has_link;
	event->has_vlan = drop->source.has_vlan;
	if (dev) {
		event->interface_index = FIELD(direct, dev, ifindex);
		event->network_namespace = device_namespace(dev, direct);
		bpf_core_read(event->interface, sizeof(event->interface), &dev->name);
	} else {
		event->interface_index = 0;
		event->network_namespace = 0;
		event->interface[0] = 0;
	}
	copy_bytes(event, &drop->source);
	if (cfg->capture_stack) {
		event->stack_size = bpf_get_stack(ctx, event->stack, sizeof(event->stack), 0);
		if (event->stack_size < 0)
			atomic_add(&count->stack_missed, 1);
		size = sizeof(*event);
	}
	atomic_add(&count->emitted, 1);
	event_output(ctx, event, size);
}

INLINE void handle(void *ctx, const struct sk_buff *skb, __u64 location, __u32 reason, enum drop_probe probe,
		   const bool direct)
{
	const struct eth_drop_config *cfg = config_get();
	struct counters *count = counters_get();
	const __u32 details = DROP_DETAIL_DEVICE | DROP_DETAIL_SOURCE;
	const struct net_device *dev;
	struct eth_drop_scratch *scratch;

	if (!cfg || !count)
		return;
	atomic_add(&count->hits[probe], 1);
	scratch = scratch_get();
	if (!scratch) {
		atomic_add(&count->nested, 1);
		return;
	}
	drop_start(&scratch->drop, location, reason);
	dev = drop_device(skb, &cfg->filter, direct, details);
	if (drop_admit(&scratch->drop, skb, dev, &cfg->filter, count, direct, details) &&
	    (cfg->include_expected || !is_expected(&scratch->drop, count)))
		emit(ctx, cfg, scratch, skb, dev, count, direct);
	scratch_put();
}

RAW_TRACEPOINT(kfree_skb)
int kfree_skb(__u64 *ctx)
{
	handle(ctx, (const struct sk_buff *)ctx[0], ctx[1], drop_reason(ctx), DROP_PROBE_KFREE_SKB, true);
	return 0;
}

/* static void tcp_drop(struct sock *sk, struct sk_buff *skb), net/ipv4/tcp_input.c, 4.19 to 5.17 */
SEC("kprobe")
int tcp_drop(struct pt_regs *ctx)
{
	if (drop_tcp_is_silent())
		handle(ctx, (const struct sk_buff *)PT_REGS_PARM2(ctx), kprobe_caller(ctx), DROP_REASON_NONE,
		       DROP_PROBE_TCP_DROP, false);
	return 0;
}

LICENSE;
