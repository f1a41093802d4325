/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drop-summary: drops counted in the kernel by location, reason, flow, interface and stack. */
#include "admit.h"
#include "drop_summary.h"

CONFIG(struct drop_summary_config)

_Static_assert(offsetof(struct drop_summary_key, flow) == DROP_SUMMARY_SHORT_KEY, "the short key ends where the flow starts");

/*
 * max_entries is set before load; so is the size of the key, which leaves out
 * the flow where flows are not told apart: half the bytes to hash per drop.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(struct drop_summary_key));
	__uint(value_size, sizeof(struct drop_summary_value));
} drops SEC(".maps");

/*
 * The half of drops and the stack map that are being filled. The reader flips
 * it, waits until no program can still use the old half, and empties that:
 * nothing is lost between reading and clearing.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} epoch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4096);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, DROP_SUMMARY_FRAMES * sizeof(__u64));
} stacks_0 SEC(".maps"), stacks_1 SEC(".maps");

struct drop_summary_scratch {
	struct drop drop;
	struct drop_summary_key key;
	struct drop_summary_value first;
};

SCRATCH(struct drop_summary_scratch)

INLINE void key_flow(struct drop_flow *flow, const struct packet *packet)
{
	__builtin_memcpy(flow->src, packet->src, sizeof(flow->src));
	__builtin_memcpy(flow->dst, packet->dst, sizeof(flow->dst));
	flow->ether_type = packet->ether_type;
	flow->vlan_id = packet->vlan_count ? packet->vlan_tci[0] & 0xfff : 0xffff;
	flow->protocol = packet->protocol;
	flow->found = packet->found & DROP_FLOW_FOUND;
	if (packet->found & PACKET_HAS_ICMP) {
		flow->src_port = packet->icmp_type;
		flow->dst_port = packet->icmp_code;
	} else {
		flow->src_port = packet->src_port;
		flow->dst_port = packet->dst_port;
	}
}

INLINE void tally(void *ctx, const struct drop_summary_config *cfg, struct drop_summary_scratch *scratch,
		  const struct sk_buff *skb, const struct net_device *dev,
		  struct counters *count, const bool direct)
{
	const struct drop *drop = &scratch->drop;
	struct drop_summary_key *key = &scratch->key;
	struct drop_summary_value *value;
	__u32 zero = 0;
	__u32 *half = bpf_map_lookup_elem(&epoch, &zero);

	if (!half)
		return;
	__builtin_memset(key, 0, DROP_SUMMARY_SHORT_KEY);
	key->location = drop->location;
	key->reason = drop->reason;
	key->epoch = *half;
	key->stack = DROP_SUMMARY_NO_STACK;
	if (cfg->groups & DROP_GROUP_FLOW) {
		__builtin_memset(&key->flow, 0, sizeof(key->flow));
		key_flow(&key->flow, &drop->packet);
	}
	if (dev && (cfg->groups & DROP_GROUP_INTERFACE)) {
		key->interface_index = FIELD(direct, dev, ifindex);
		key->network_namespace = device_namespace(dev, direct);
	}
	if (cfg->groups & DROP_GROUP_STACK) {
		/* No BPF_F_REUSE_STACKID: a collision must not show another stack. */
		long stack = key->epoch ? bpf_get_stackid(ctx, &stacks_1, 0) : bpf_get_stackid(ctx, &stacks_0, 0);

		if (stack < 0)
			atomic_add(&count->stack_missed, 1);
		else
			key->stack = stack;
	}
	value = bpf_map_lookup_elem(&drops, key);
	if (!value) {
		struct drop_summary_value *first = &scratch->first;

		__builtin_memset(first, 0, sizeof(*first));
		if (dev && (cfg->groups & DROP_GROUP_INTERFACE))
			bpf_core_read(first->interface, sizeof(first->interface), &dev->name);
		bpf_map_update_elem(&drops, key, first, BPF_NOEXIST);
		value = bpf_map_lookup_elem(&drops, key);
		if (!value) {
			atomic_add(&count->map_full, 1);
			return;
		}
	}
	atomic_add(&value->packets, 1);
	atomic_add(&value->bytes, FIELD(direct, skb, len));
}

INLINE void handle(void *ctx, const struct sk_buff *skb, __u64 location, __u32 reason, enum drop_probe probe,
		   const bool direct)
{
	const struct drop_summary_config *cfg = config_get();
	struct counters *count = counters_get();
	const struct net_device *dev;
	struct drop_summary_scratch *scratch;
	__u32 details = 0;

	if (!cfg || !count)
		return;
	atomic_add(&count->hits[probe], 1);
	scratch = scratch_get();
	if (!scratch) {
		atomic_add(&count->nested, 1);
		return;
	}
	drop_start(&scratch->drop, location, reason);
	if (cfg->groups & DROP_GROUP_INTERFACE)
		details |= DROP_DETAIL_DEVICE;
	if (cfg->groups & DROP_GROUP_FLOW)
		details |= DROP_DETAIL_PACKET;
	dev = drop_device(skb, &cfg->filter, direct, details);
	if (drop_admit(&scratch->drop, skb, dev, &cfg->filter, count, direct, details))
		tally(ctx, cfg, scratch, skb, dev, count, direct);
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
