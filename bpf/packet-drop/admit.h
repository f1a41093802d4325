/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which freed skbs are drops that the user asked for. */
#ifndef PLUMBLINE_ADMIT_H
#define PLUMBLINE_ADMIT_H

#include "target.h"
#include "count.h"
#include "skb.h"
#include "drop.h"

/* Indices of counters.hits. */
enum drop_probe {
	DROP_PROBE_KFREE_SKB = 0,
	DROP_PROBE_TCP_DROP = 1,
};

/*
 * One freed skb, as far as it was looked at. It lives in map memory, so it
 * holds no pointers: they would lose their type for the verifier there.
 */
struct drop {
	__u64 location;
	__u32 reason;
	struct packet_source source;
	struct packet packet;
};

/* The reason argument of skb:kfree_skb came with enum skb_drop_reason (5.17, commit c504e5c2f964). */
INLINE __u32 drop_reason(const __u64 *ctx)
{
	if (bpf_core_type_exists(enum skb_drop_reason))
		return ctx[2];
	return DROP_REASON_NONE;
}

/*
 * tcp_drop() frees without the tracepoint until TCP got drop reasons of its own
 * (5.18, TCP_OLD_DATA among them): what TCP itself discards is then only seen
 * at its entry. Later it is tcp_drop_reason(), which passes the tracepoint, and
 * this probe would count twice.
 */
INLINE bool drop_tcp_is_silent(void)
{
	return !bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_TCP_OLD_DATA);
}

INLINE void drop_start(struct drop *drop, __u64 location, __u32 reason)
{
	drop->location = location;
	drop->reason = reason;
}

INLINE bool drop_location_match(const struct drop_filter *filter, __u64 location)
{
	__u32 i;

	if (!filter->location_count)
		return true;
#pragma unroll
	for (i = 0; i < DROP_LOCATIONS; i++) {
		if (i >= filter->location_count)
			break;
		if (location >= filter->locations[i].start && location < filter->locations[i].end)
			return true;
	}
	return false;
}

INLINE bool drop_reason_match(const struct drop_filter *filter, __u32 reason)
{
	__u32 i;

	if (!filter->reason_count)
		return true;
#pragma unroll
	for (i = 0; i < DROP_REASONS; i++) {
		if (i >= filter->reason_count)
			break;
		if (filter->reasons[i] == reason)
			return true;
	}
	return false;
}

INLINE bool drop_interface_match(const struct drop_filter *filter, const struct net_device *dev)
{
	struct drop_interface name = {};
	__u32 i;

	if (!filter->interface_count)
		return true;
	if (!dev || bpf_core_read(&name, sizeof(name), &dev->name))
		return false;
#pragma unroll
	for (i = 0; i < DROP_INTERFACES; i++) {
		if (i >= filter->interface_count)
			break;
		if (filter->interfaces[i].name[0] == name.name[0] &&
		    filter->interfaces[i].name[1] == name.name[1])
			return true;
	}
	return false;
}

/* What a program reads of every drop beyond location and reason; the filters may need more. */
enum drop_detail {
	DROP_DETAIL_DEVICE = 1 << 0,
	DROP_DETAIL_SOURCE = 1 << 1,	/* drop->source */
	DROP_DETAIL_PACKET = 1 << 2,	/* drop->packet */
};

/* The device of a freed skb, read only where somebody asks for it. */
INLINE const struct net_device *drop_device(const struct sk_buff *skb, const struct drop_filter *filter,
					    const bool direct, __u32 details)
{
	if (!details && !filter->interface_count && !filter->packet.conditions)
		return NULL;
	return skb_device(skb, direct);
}

/*
 * Decides about one freed skb and counts the decision. drop_start() came
 * before. dev is drop_device()'s answer, details enum drop_detail.
 */
INLINE bool drop_admit(struct drop *drop, const struct sk_buff *skb, const struct net_device *dev,
		       const struct drop_filter *filter, struct counters *count, const bool direct, __u32 details)
{
	if (!drop_location_match(filter, drop->location) || !drop_reason_match(filter, drop->reason) ||
	    !drop_interface_match(filter, dev))
		goto filtered;
	if ((details & (DROP_DETAIL_SOURCE | DROP_DETAIL_PACKET)) || filter->packet.conditions)
		skb_source(skb, dev, direct, &drop->source);
	if ((details & DROP_DETAIL_PACKET) || filter->packet.conditions) {
		__builtin_memset(&drop->packet, 0, sizeof(drop->packet));
		packet_parse(&drop->source, &drop->packet);
		if (!packet_filter_match(&filter->packet, &drop->packet))
			goto filtered;
	}
	return true;

filtered:
	atomic_add(&count->filtered, 1);
	return false;
}

#endif
