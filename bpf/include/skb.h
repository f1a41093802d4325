/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an skb says about its packet and its device. */
#ifndef PLUMBLINE_SKB_H
#define PLUMBLINE_SKB_H

#include "target.h"
#include <bpf/bpf_endian.h>
#include "packet.h"

/* include/uapi/linux/if_arp.h */
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772

/* Bit of vlan_tci before 5.0 (include/linux/if_vlan.h, 4.19: VLAN_TAG_PRESENT). */
#define VLAN_TAG_PRESENT_BEFORE_5_0 0x1000

#define SKB_HEADER_UNSET 0xffff

/*
 * The skb's device, or NULL. skb->dev shares its memory with an rbtree node
 * and with dev_scratch while the skb is queued on a socket, so the pointer is
 * taken for a device only if its first transmit queue points back at it
 * (struct netdev_queue.dev, the same from 4.19 to 6.18).
 */
INLINE const struct net_device *skb_device(const struct sk_buff *skb, const bool direct)
{
	const struct net_device *dev = FIELD(direct, skb, dev);
	struct netdev_queue *queue;

	/* Kernel addresses have the top bit set; kernels 5.1 to 5.7 warn about reads elsewhere. */
	if ((long)dev >= 0)
		return NULL;
	/* A helper call: a stale pointer must read as failure, whatever it points at. */
	if (bpf_core_read(&queue, sizeof(queue), &dev->_tx) || !queue)
		return NULL;
	{
		struct net_device *owner = NULL;

		if (bpf_core_read(&owner, sizeof(owner), &queue->dev) || owner != dev)
			return NULL;
	}
	return dev;
}

/* The network namespace of a device, as the inode number that /proc/PID/ns/net shows. */
INLINE __u32 device_namespace(const struct net_device *dev, const bool direct)
{
	struct net *net = FIELD(direct, dev, nd_net.net);

	return net ? FIELD(direct, net, ns.inum) : 0;
}

INLINE void skb_vlan(const struct sk_buff *skb, const bool direct, struct packet_source *source)
{
	__u16 tci = FIELD(direct, skb, vlan_tci);
	__be16 type;

	if (bpf_core_field_exists(skb->vlan_all)) {
		source->has_vlan = FIELD(direct, skb, vlan_all) != 0;
	} else if (bpf_core_field_exists(skb->vlan_present)) {
		source->has_vlan = BPF_CORE_READ_BITFIELD_PROBED(skb, vlan_present);
	} else {
		source->has_vlan = (tci & VLAN_TAG_PRESENT_BEFORE_5_0) != 0;
		tci &= ~VLAN_TAG_PRESENT_BEFORE_5_0;
	}
	source->vlan_tci = tci;
	type = FIELD(direct, skb, vlan_proto);
	source->vlan_type = bpf_ntohs(type);
}

/*
 * Where the packet starts. The link header is used where the skb has one that
 * is Ethernet and not the network header itself (devices without a link
 * header set both to the same place). A network header before the link header
 * is either left over from an earlier use, and then the data starts behind
 * both, or it is the outer one of a packet just encapsulated, whose link
 * header is still the inner packet's; then the data starts at it or before.
 */
INLINE void skb_source(const struct sk_buff *skb, const struct net_device *dev, const bool direct,
		       struct packet_source *source)
{
	unsigned char *head = FIELD(direct, skb, head);
	__u32 mac = FIELD(direct, skb, mac_header);
	__u32 network = FIELD(direct, skb, network_header);
	__u32 tail = FIELD(direct, skb, tail);
	__be16 protocol = FIELD(direct, skb, protocol);
	__u32 data = (__u32)(FIELD(direct, skb, data) - head);
	bool has_network = network != 0 && network != SKB_HEADER_UNSET;
	__u32 start = network;
	__u16 type = dev ? FIELD(direct, dev, type) : ARPHRD_ETHER;

	source->protocol = bpf_ntohs(protocol);
	source->has_link = 0;
	if (mac != SKB_HEADER_UNSET && (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK) &&
	    (!has_network || network >= mac + PACKET_LINK_LENGTH || (network < mac && data > network))) {
		source->has_link = 1;
		start = mac;
	} else if (!has_network) {
		start = data;
	}
	source->start = head + start;
	source->length = tail > start ? tail - start : 0;
	skb_vlan(skb, direct, source);
}

#endif
