// SPDX-License-Identifier: Apache-2.0

// What is known of the places that call kfree_skb(), read from the sources of Linux 4.19.79, 5.10.13,
// 6.1.20, 6.12.0 and 6.18.26, and watched on a running 6.18.44 (x86-64).
//
// How a location comes about, and what makes a symbol differ from the function one reads in the source:
//
// - The tracepoint's `location` is a return address inside the function that called the out-of-line free:
//   kfree_skb() and kfree_skb_list() until 5.16; kfree_skb_reason() and kfree_skb_list_reason() since
//   5.17; sk_skb_reason_drop() since 6.11 (kfree_skb() itself is inline since 5.17).
// - Until 6.2 a list goes through kfree_skb() one by one, so its location is always kfree_skb_list (or
//   kfree_skb_list_reason), never the caller. Later it is the caller: a qdisc's drop is at kfree_skb_list
//   on 4.19 and at __dev_queue_xmit on 6.18.
// - skb_queue_purge(), skb_queue_purge_reason(), skb_rbtree_purge() and inet_frag_rbtree_purge() are real
//   functions and hide their caller. __skb_queue_purge() is inline: the location is the function that
//   purges.
// - A static function may be inlined, and then its caller's symbol appears. A void function that ends with
//   kfree_skb(skb) may be compiled as a jump, and then its caller's symbol appears too (seen on 6.18:
//   arp_error_report's NEIGH_FAILED is at neigh_invalidate). Kernels with CONFIG_FRAME_POINTER are built
//   without such jumps (4.19: always on arm64, rarely on x86-64).
// - net_tx_action() reports itself, with offset 0, for every skb given to dev_kfree_skb_irq(): do not
//   subtract one from a location before looking up its symbol.
//
// What never reaches the tracepoint before 5.18: everything TCP discards by tcp_drop() (out of window, old
// data, pruned queues), for tcp_drop() called __kfree_skb(); a SYN refused by a full listener (consumed);
// and everything a driver frees with dev_kfree_skb() or, outside interrupts, with dev_kfree_skb_any().

/// A place where freeing an skb through kfree_skb() is not a drop.
///
/// The tracer counts a matching event apart, under its own heading; it must never discard one silently.
struct ExpectedFree: Sendable {
  /// Kernel function that holds the location, without .isra, .constprop, .part or .cold suffixes.
  let symbol: String
  /// Drop reason the event must carry, without the SKB_DROP_REASON_ prefix; nil if any reason, or none
  /// on a kernel without reasons, will do. An entry with a reason never matches before 5.17.
  let reason: String?
  /// The read kernels in whose source the entry holds. For the reader; matching does not need it, as the
  /// symbol does not free packets in another sense on the other kernels.
  let kernels: String
  /// File, function and why this is not a drop.
  let why: String
}

/// Frees that are housekeeping, not drops.
///
/// Rule of admission: in every kernel named, *every* call from that symbol (with that reason, if one is
/// given) frees something no user of the network would call dropped: a queue purged because its socket was
/// closed or reset by its owner, a private copy, a message made for the local process, a connection
/// request's AF_UNIX embryo. If one true drop shares the symbol and the reason, there is no entry.
///
/// Left out by that rule, though mostly benign:
///
/// - tcp_v4_rcv, tcp_v6_rcv (NOT_SPECIFIED): every segment that meets TIME_WAIT, also the peer's FIN after
///   a local close(), ends here on all kernels, together with late data and truncated headers.
/// - icmp_rcv (until 6.1, NO_SOCKET on 6.1) and ping_rcv (6.18, NO_SOCKET): one event for each echo reply
///   to a ping that uses a raw socket, which had its clone; the same for a reply nobody waits for.
/// - icmpv6_rcv until 5.10: echo requests, neighbour discovery and MLD were freed here after use, as were
///   bad checksums.
/// - ip6_mc_input, __udp4_lib_rcv, __udp4_lib_mcast_deliver (NOT_SPECIFIED): multicast or broadcast that
///   nobody here joined.
/// - ip_rcv_core, ip6_rcv_core (OTHERHOST): frames for others on a promiscuous device, but also frames
///   sent to a stale hardware address.
/// - igmp_rcv, br_stp_rcv: accepted messages and malformed ones.
/// - skb_queue_purge, skb_queue_purge_reason (QUEUE_PURGE): AF_PACKET and netlink sockets closed unread,
///   but also xfrm's hold queue, tun, and wireless queues.
/// - kfree_skb_list, skb_release_data before 6.2: also the fragments of an skb that was consumed.
/// - skb_rbtree_purge: closing sockets, but also tcp_fin() throwing away data after a FIN.
/// - net_tx_action, __dev_kfree_skb_any (6.1), dev_kfree_skb_any_reason: drivers that report a sent packet
///   as dropped, but also drivers' true drops.
/// - __neigh_event_send, neigh_timer_handler on 4.19: neigh_probe()'s clone, when that is inlined, but also
///   true drops.
/// - queue_userspace_packet: the VLAN-tagged copy of an upcall, but also an upcall that cannot be built.
///
/// Uncertain: inlining may move an event to the caller's symbol, and then it counts as a drop, which is the
/// safe side. Distribution kernels carry backports that the versions named here do not tell.
let expectedFrees: [ExpectedFree] = [
  // Internet sockets that go away.
  ExpectedFree(
    symbol: "inet_sock_destruct", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/ipv4/af_inet.c:inet_sock_destruct: the last reference to a closed socket is gone;"
      + " its unread receive queue and error queue are purged"),
  ExpectedFree(
    symbol: "sk_stream_kill_queues", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/core/stream.c:sk_stream_kill_queues: from inet_csk_destroy_sock() of a TCP socket already"
      + " closed by its owner; often only the peer's FIN is left in the queue"),
  ExpectedFree(
    symbol: "tcp_disconnect", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/ipv4/tcp.c:tcp_disconnect: purges the unread data of a connection its owner aborts, or that"
      + " was never accepted when its listener closed"),
  ExpectedFree(
    symbol: "mptcp_destroy_common", reason: nil, kernels: "6.1, 6.12, 6.18",
    why: "net/mptcp/protocol.c:mptcp_destroy_common: unread data of an MPTCP socket that is destroyed"),
  ExpectedFree(
    symbol: "udp_destruct_sock", reason: nil, kernels: "4.19, 5.10; where udp_destruct_common is inlined also later",
    why: "net/ipv4/udp.c:udp_destruct_sock: datagrams a closed UDP socket had not read"),
  ExpectedFree(
    symbol: "udp_destruct_common", reason: nil, kernels: "6.1, 6.12, 6.18",
    why: "net/ipv4/udp.c:udp_destruct_common: datagrams a closed UDP socket had not read (NOT_SPECIFIED)"),
  ExpectedFree(
    symbol: "inet6_destroy_sock", reason: nil, kernels: "4.19, 5.10, 6.1",
    why: "net/ipv6/af_inet6.c:inet6_destroy_sock: copy kept for IPV6_2292PKTOPTIONS and an unread"
      + " path MTU notice"),
  ExpectedFree(
    symbol: "inet6_cleanup_sock", reason: nil, kernels: "6.12, 6.18",
    why: "net/ipv6/af_inet6.c:inet6_cleanup_sock: as inet6_destroy_sock before"),
  ExpectedFree(
    symbol: "do_ipv6_setsockopt", reason: nil, kernels: "4.19, 5.10",
    why: "net/ipv6/ipv6_sockglue.c:do_ipv6_setsockopt: IPV6_ADDRFORM gives up the copy kept for"
      + " IPV6_2292PKTOPTIONS"),
  ExpectedFree(
    symbol: "tcp_v6_reqsk_destructor", reason: nil, kernels: "4.19, 5.10 (consume_skb() in 6.1)",
    why: "net/ipv6/tcp_ipv6.c:tcp_v6_reqsk_destructor: the request's extra reference to its SYN;"
      + " void and last, so often seen at the caller instead"),

  // Messages made for the local process: error queue, path MTU.
  ExpectedFree(
    symbol: "sock_recv_errqueue", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/core/sock.c:sock_recv_errqueue: an error queue message (transmit timestamp) after it was"
      + " copied to the reader"),
  ExpectedFree(
    symbol: "skb_errqueue_purge", reason: nil, kernels: "6.12, 6.18",
    why: "net/core/skbuff.c:skb_errqueue_purge: the process turned IP_RECVERR or IPV6_RECVERR off"),
  ExpectedFree(
    symbol: "ipv6_recv_rxpmtu", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/ipv6/datagram.c:ipv6_recv_rxpmtu: a path MTU notice after it was copied to the reader"),
  ExpectedFree(
    symbol: "ipv6_local_rxpmtu", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/ipv6/datagram.c:ipv6_local_rxpmtu: an older path MTU notice replaced by a newer one"),

  // AF_UNIX.
  ExpectedFree(
    symbol: "unix_release_sock", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12, 6.18",
    why: "net/unix/af_unix.c:unix_release_sock: unread AF_UNIX messages, or unaccepted connections, of a"
      + " closed socket (SOCKET_CLOSE on 6.18)"),
  ExpectedFree(
    symbol: "skb_queue_purge_reason", reason: "SOCKET_CLOSE", kernels: "6.18",
    why: "net/core/skbuff.c:skb_queue_purge_reason: only unix_sock_destructor() gives this reason"),
  ExpectedFree(
    symbol: "unix_gc", reason: nil, kernels: "4.19, 5.10, 6.1",
    why: "net/unix/garbage.c:unix_gc: messages of AF_UNIX sockets that only refer to one another"),
  ExpectedFree(
    symbol: "__unix_gc", reason: nil, kernels: "6.12, 6.18",
    why: "net/unix/garbage.c:__unix_gc: messages of AF_UNIX sockets that only refer to one another"),
  ExpectedFree(
    symbol: "unix_stream_connect", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12 (consume_skb() in 6.18)",
    why: "net/unix/af_unix.c:unix_stream_connect: the empty message of a connect() that fails; the caller"
      + " gets the error"),
  ExpectedFree(
    symbol: "unix_stream_sendmsg", reason: nil, kernels: "4.19, 5.10, 6.1, 6.12 (consume_skb() in 6.18)",
    why: "net/unix/af_unix.c:unix_stream_sendmsg: a message that was never sent; the caller gets the error"),

  // Netlink.
  ExpectedFree(
    symbol: "netlink_sock_destruct", reason: nil, kernels: "4.19, 5.10, 6.1",
    why: "net/netlink/af_netlink.c:netlink_sock_destruct: the request of a dump whose reader closed"),
  ExpectedFree(
    symbol: "netlink_release", reason: nil, kernels: "6.12, 6.18",
    why: "net/netlink/af_netlink.c:netlink_release: the request of a dump whose reader closed (NOT_SPECIFIED)"),

  // Copies.
  ExpectedFree(
    symbol: "__pskb_pull_tail", reason: nil, kernels: "4.19, 5.10 (consume_skb() in 6.1)",
    why: "net/core/skbuff.c:__pskb_pull_tail: a fragment whose bytes were copied to the head, or a spare"
      + " clone; if pulling fails the caller frees the packet itself"),
  ExpectedFree(
    symbol: "neigh_probe", reason: nil, kernels: "4.19 (consume_skb() in 5.10)",
    why: "net/core/neighbour.c:neigh_probe: the clone that lent its address to an ARP or ND request;"
      + " void, last and small, so mostly seen at __neigh_event_send or neigh_timer_handler"),
]

/// The drop reason a modern kernel would give at a place, for kernels that give none.
struct DerivedReason: Sendable {
  /// Kernel function that holds the location, without .isra, .constprop, .part or .cold suffixes.
  let symbol: String
  /// The reason, without the SKB_DROP_REASON_ prefix. Open vSwitch's own begin with OVS_DROP_, as its
  /// subsystem names them.
  let reason: String
  /// Other reasons the same symbol can stand for, likelier ones first. NOT_SPECIFIED stands for a free the
  /// modern kernel does not name either. Empty if the symbol admits only one.
  let alternatives: [String]
  /// File and function with the evidence, by default as in 4.19.
  let source: String
}

/// Reasons derived from the symbol at the location, for kernels before 5.17.
///
/// Rule of admission: the 6.18 kernel names a reason at the same place (same function, or the function into
/// which 4.19's or 5.10's code moved), and it is the only one there or plainly the commonest. Where 6.18
/// itself says NOT_SPECIFIED (macvlan, veth, geneve, xfrm, OVS upcalls, ip_fragment, dst_discard, an NFQUEUE
/// verdict, a generic XDP program's verdict) there is no entry: the symbol says all there is.
///
/// A derived reason is a reading, not a measurement; print it as such, with its alternatives. A symbol may
/// also stand here for benign frees that no table can tell apart: see the list at `expectedFrees`, which
/// is to be consulted first.
let derivedReasons: [DerivedReason] = [
  // Device, receive side.
  DerivedReason(
    symbol: "enqueue_to_backlog", reason: "CPU_BACKLOG", alternatives: ["DEV_READY"],
    source: "net/core/dev.c:enqueue_to_backlog: netdev_max_backlog or flow limit; or the device is down"),
  DerivedReason(
    symbol: "flush_backlog", reason: "DEV_READY", alternatives: [],
    source: "net/core/dev.c:flush_backlog: the device is being unregistered"),
  DerivedReason(
    symbol: "__netif_receive_skb_core", reason: "UNHANDLED_PROTO", alternatives: ["TC_INGRESS", "PFMEMALLOC"],
    source: "net/core/dev.c:__netif_receive_skb_core: no handler for the protocol, or the inactive side of a"
      + " bond; sch_handle_ingress is inlined here"),
  DerivedReason(
    symbol: "sch_handle_ingress", reason: "TC_INGRESS", alternatives: [],
    source: "net/core/dev.c:sch_handle_ingress: a filter's verdict, TC_ACT_SHOT"),
  DerivedReason(
    symbol: "do_xdp_generic", reason: "XDP", alternatives: [],
    source: "net/core/dev.c:do_xdp_generic: a generic XDP redirect failed"),
  DerivedReason(
    symbol: "packet_rcv", reason: "PACKET_SOCK_ERROR", alternatives: [],
    source: "net/packet/af_packet.c:packet_rcv: a capture's receive buffer is full; the packet itself goes on"),
  DerivedReason(
    symbol: "tpacket_rcv", reason: "PACKET_SOCK_ERROR", alternatives: [],
    source: "net/packet/af_packet.c:tpacket_rcv: a capture's ring is full; the packet itself goes on"),

  // Device, transmit side.
  DerivedReason(
    symbol: "kfree_skb_list", reason: "QDISC_DROP",
    alternatives: ["QDISC_OVERLIMIT", "QDISC_CONGESTED", "QUEUE_PURGE", "NOT_SPECIFIED"],
    source: "net/core/dev.c:__dev_xmit_skb frees what the qdisc refused; also a queue reset, a device that is"
      + " down, a failed fragmentation, and the fragment list of any freed skb (net/core/skbuff.c:skb_release_data)"),
  DerivedReason(
    symbol: "__dev_queue_xmit", reason: "TC_EGRESS", alternatives: [],
    source: "net/core/dev.c:sch_handle_egress, inlined; the qdisc's drops are at kfree_skb_list"),
  DerivedReason(
    symbol: "sch_handle_egress", reason: "TC_EGRESS", alternatives: [],
    source: "net/core/dev.c:sch_handle_egress: a filter's verdict, TC_ACT_SHOT"),
  DerivedReason(
    symbol: "skb_queue_purge", reason: "QUEUE_PURGE", alternatives: [],
    source: "net/core/skbuff.c:skb_queue_purge: whole queue thrown away; AF_PACKET, netlink and AF_UNIX sockets"
      + " that close, but also xfrm's hold queue and drivers"),

  // Neighbours.
  DerivedReason(
    symbol: "__neigh_event_send", reason: "NEIGH_QUEUEFULL", alternatives: ["NEIGH_FAILED", "NEIGH_DEAD"],
    source: "net/core/neighbour.c:__neigh_event_send: unres_qlen_bytes reached; on 4.19 also neigh_probe's clone,"
      + " which is no drop"),
  DerivedReason(
    symbol: "arp_error_report", reason: "NEIGH_FAILED", alternatives: [],
    source: "net/ipv4/arp.c:arp_error_report: no ARP reply"),
  DerivedReason(
    symbol: "neigh_invalidate", reason: "NEIGH_FAILED", alternatives: ["QUEUE_PURGE", "NOT_SPECIFIED"],
    source: "net/core/neighbour.c:neigh_invalidate: arp_error_report and ndisc_error_report end in a jump, so"
      + " their frees are seen here (checked on 6.18); else the rest of the entry's queue"),
  DerivedReason(
    symbol: "neigh_flush_dev", reason: "QUEUE_PURGE", alternatives: [],
    source: "net/core/neighbour.c:neigh_flush_dev: the device went away; packets that waited for an address"),
  DerivedReason(
    symbol: "neigh_destroy", reason: "QUEUE_PURGE", alternatives: [],
    source: "net/core/neighbour.c:neigh_destroy: packets that waited for an address"),
  DerivedReason(
    symbol: "neigh_resolve_output", reason: "NEIGH_HH_FILLFAIL", alternatives: [],
    source: "net/core/neighbour.c:neigh_resolve_output: the link header cannot be built"),
  DerivedReason(
    symbol: "neigh_connected_output", reason: "NEIGH_HH_FILLFAIL", alternatives: [],
    source: "net/core/neighbour.c:neigh_connected_output: the link header cannot be built"),
  DerivedReason(
    symbol: "arp_rcv", reason: "PKT_TOO_SMALL", alternatives: ["NOT_SPECIFIED"],
    source: "net/ipv4/arp.c:arp_rcv: too short, or wrong address lengths"),

  // Netfilter.
  DerivedReason(
    symbol: "nf_hook_slow", reason: "NETFILTER_DROP", alternatives: [],
    source: "net/netfilter/core.c:nf_hook_slow: verdict NF_DROP"),

  // IPv4.
  DerivedReason(
    symbol: "ip_rcv_core", reason: "OTHERHOST",
    alternatives: ["IP_CSUM", "IP_INHDR", "PKT_TOO_SMALL", "NOT_SPECIFIED"],
    source: "net/ipv4/ip_input.c:ip_rcv_core: PACKET_OTHERHOST first, then the header's checks"),
  DerivedReason(
    symbol: "ip_rcv", reason: "OTHERHOST",
    alternatives: ["IP_CSUM", "IP_INHDR", "PKT_TOO_SMALL", "NOT_SPECIFIED"],
    source: "net/ipv4/ip_input.c:ip_rcv_core, inlined"),
  DerivedReason(
    symbol: "ip_rcv_finish_core", reason: "IP_RPFILTER",
    alternatives: [
      "IP_INVALID_SOURCE", "IP_INVALID_DEST", "IP_LOCALNET", "UNICAST_IN_L2_MULTICAST", "IP_INHDR",
      "NOT_SPECIFIED"
    ],
    source: "net/ipv4/ip_input.c:ip_rcv_finish_core: ip_route_input_noref() failed, -EXDEV is the reverse"
      + " path filter"),
  DerivedReason(
    symbol: "ip_rcv_finish", reason: "IP_RPFILTER",
    alternatives: [
      "IP_INVALID_SOURCE", "IP_INVALID_DEST", "IP_LOCALNET", "UNICAST_IN_L2_MULTICAST", "IP_INHDR",
      "NOT_SPECIFIED"
    ],
    source: "net/ipv4/ip_input.c:ip_rcv_finish_core, inlined"),
  DerivedReason(
    symbol: "ip_error", reason: "IP_INADDRERRORS", alternatives: ["IP_INNOROUTES", "NOT_SPECIFIED"],
    source: "net/ipv4/route.c:ip_error: not ours and forwarding is off; on a router no route (IP_INNOROUTES)"),
  DerivedReason(
    symbol: "ip_forward", reason: "IP_INHDR", alternatives: ["PKT_TOO_BIG", "XFRM_POLICY", "NOT_SPECIFIED"],
    source: "net/ipv4/ip_forward.c:ip_forward: TTL exceeded (IP_INHDR); MTU with DF; IPsec policy"),
  DerivedReason(
    symbol: "ip_local_deliver_finish", reason: "IP_NOPROTO", alternatives: ["XFRM_POLICY"],
    source: "net/ipv4/ip_input.c:ip_local_deliver_finish: no transport protocol (until 4.20)"),
  DerivedReason(
    symbol: "ip_protocol_deliver_rcu", reason: "IP_NOPROTO", alternatives: ["XFRM_POLICY"],
    source: "5.10 net/ipv4/ip_input.c:ip_protocol_deliver_rcu: no transport protocol"),
  DerivedReason(
    symbol: "ip_finish_output2", reason: "NEIGH_CREATEFAIL", alternatives: ["NOMEM"],
    source: "net/ipv4/ip_output.c:ip_finish_output2: neighbour table full, or no head room"),
  DerivedReason(
    symbol: "ip_finish_output", reason: "BPF_CGROUP_EGRESS", alternatives: [],
    source: "net/ipv4/ip_output.c:ip_finish_output: a cgroup's BPF program refused"),
  DerivedReason(
    symbol: "ip_mc_finish_output", reason: "BPF_CGROUP_EGRESS", alternatives: [],
    source: "net/ipv4/ip_output.c:ip_mc_finish_output: a cgroup's BPF program refused"),
  DerivedReason(
    symbol: "__ip_queue_xmit", reason: "IP_OUTNOROUTES", alternatives: [],
    source: "net/ipv4/ip_output.c:__ip_queue_xmit: no route"),
  DerivedReason(
    symbol: "ip_queue_xmit", reason: "IP_OUTNOROUTES", alternatives: [],
    source: "net/ipv4/ip_output.c:__ip_queue_xmit, under its older name or inlined"),
  DerivedReason(
    symbol: "ip_expire", reason: "FRAG_REASM_TIMEOUT", alternatives: [],
    source: "net/ipv4/ip_fragment.c:ip_expire: first fragment of a datagram that stayed incomplete"),
  DerivedReason(
    symbol: "inet_frag_rbtree_purge", reason: "FRAG_REASM_TIMEOUT", alternatives: ["FRAG_TOO_FAR"],
    source: "net/ipv4/inet_fragment.c:inet_frag_rbtree_purge: other fragments of it; also overlap (4.19 kills the"
      + " queue) and ip_frag_reinit"),
  DerivedReason(
    symbol: "inet_frag_destroy", reason: "FRAG_REASM_TIMEOUT", alternatives: [],
    source: "net/ipv4/inet_fragment.c:inet_frag_destroy: as inet_frag_rbtree_purge"),
  DerivedReason(
    symbol: "ip_frag_queue", reason: "DUP_FRAG", alternatives: ["NOT_SPECIFIED"],
    source: "net/ipv4/ip_fragment.c:ip_frag_queue: duplicate; also malformed or overlapping"),
  DerivedReason(
    symbol: "icmp_rcv", reason: "NO_SOCKET",
    alternatives: ["INVALID_PROTO", "UNHANDLED_PROTO", "ICMP_CSUM", "XFRM_POLICY", "NOT_SPECIFIED"],
    source: "net/ipv4/icmp.c:icmp_rcv: mostly echo replies without a ping socket, also those a raw socket got a"
      + " clone of, which are no drop"),
  DerivedReason(
    symbol: "ping_queue_rcv_skb", reason: "SOCKET_RCVBUFF", alternatives: ["SOCKET_FILTER", "PROTO_MEM"],
    source: "net/ipv4/ping.c:ping_queue_rcv_skb: the ping socket cannot take the reply"),
  DerivedReason(
    symbol: "raw_rcv", reason: "SOCKET_RCVBUFF", alternatives: ["SOCKET_FILTER", "XFRM_POLICY", "PROTO_MEM"],
    source: "net/ipv4/raw.c:raw_rcv with raw_rcv_skb inlined"),
  DerivedReason(
    symbol: "raw_rcv_skb", reason: "SOCKET_RCVBUFF", alternatives: ["SOCKET_FILTER", "PROTO_MEM"],
    source: "net/ipv4/raw.c:raw_rcv_skb: sock_queue_rcv_skb() refused"),

  // IPv6.
  DerivedReason(
    symbol: "ip6_rcv_core", reason: "OTHERHOST",
    alternatives: [
      "IP_INHDR", "PKT_TOO_SMALL", "IPV6DISABLED", "UNICAST_IN_L2_MULTICAST", "UNHANDLED_PROTO",
      "NOT_SPECIFIED"
    ],
    source: "net/ipv6/ip6_input.c:ip6_rcv_core: PACKET_OTHERHOST first, then the header's checks"),
  DerivedReason(
    symbol: "ipv6_rcv", reason: "OTHERHOST",
    alternatives: [
      "IP_INHDR", "PKT_TOO_SMALL", "IPV6DISABLED", "UNICAST_IN_L2_MULTICAST", "UNHANDLED_PROTO",
      "NOT_SPECIFIED"
    ],
    source: "net/ipv6/ip6_input.c:ip6_rcv_core, inlined"),
  DerivedReason(
    symbol: "ip6_pkt_drop", reason: "IP_INNOROUTES", alternatives: ["IP_OUTNOROUTES", "IP_INADDRERRORS"],
    source: "net/ipv6/route.c:ip6_pkt_drop: no route, received or sent"),
  DerivedReason(
    symbol: "ip6_forward", reason: "IP_INHDR",
    alternatives: ["PKT_TOO_BIG", "IP_INADDRERRORS", "XFRM_POLICY", "NOT_SPECIFIED"],
    source: "net/ipv6/ip6_output.c:ip6_forward: hop limit exceeded (IP_INHDR); MTU; source address; IPsec policy"),
  DerivedReason(
    symbol: "ip6_input_finish", reason: "IP_NOPROTO",
    alternatives: ["XFRM_POLICY", "IP_INADDRERRORS", "NOT_SPECIFIED"],
    source: "net/ipv6/ip6_input.c:ip6_input_finish: no transport protocol (until 4.20)"),
  DerivedReason(
    symbol: "ip6_protocol_deliver_rcu", reason: "IP_NOPROTO",
    alternatives: ["XFRM_POLICY", "IP_INADDRERRORS", "NOT_SPECIFIED"],
    source: "5.10 net/ipv6/ip6_input.c:ip6_protocol_deliver_rcu: no transport protocol"),
  DerivedReason(
    symbol: "ip6_output", reason: "IPV6DISABLED", alternatives: [],
    source: "net/ipv6/ip6_output.c:ip6_output: disable_ipv6 on the output device"),
  DerivedReason(
    symbol: "ip6_finish_output", reason: "BPF_CGROUP_EGRESS", alternatives: [],
    source: "net/ipv6/ip6_output.c:ip6_finish_output: a cgroup's BPF program refused"),
  DerivedReason(
    symbol: "ip6_finish_output2", reason: "NEIGH_CREATEFAIL", alternatives: ["NOT_SPECIFIED"],
    source: "net/ipv6/ip6_output.c:ip6_finish_output2: neighbour table full; also multicast kept on the host"),
  DerivedReason(
    symbol: "ip6_frag_queue", reason: "DUP_FRAG", alternatives: ["NOT_SPECIFIED"],
    source: "net/ipv6/reassembly.c:ip6_frag_queue: duplicate; also malformed or overlapping"),
  DerivedReason(
    symbol: "ip6_tlvopt_unknown", reason: "UNHANDLED_PROTO", alternatives: [],
    source: "net/ipv6/exthdrs.c:ip6_tlvopt_unknown: option the sender wants dropped if unknown"),
  DerivedReason(
    symbol: "ip6_parse_tlv", reason: "IP_INHDR", alternatives: ["UNHANDLED_PROTO"],
    source: "net/ipv6/exthdrs.c:ip6_parse_tlv: malformed options"),
  DerivedReason(
    symbol: "rawv6_rcv", reason: "SOCKET_RCVBUFF",
    alternatives: ["SKB_CSUM", "SOCKET_FILTER", "XFRM_POLICY", "PROTO_MEM"],
    source: "net/ipv6/raw.c:rawv6_rcv with rawv6_rcv_skb inlined"),

  // UDP.
  DerivedReason(
    symbol: "__udp4_lib_rcv", reason: "NO_SOCKET", alternatives: ["UDP_CSUM", "PKT_TOO_SMALL", "NOT_SPECIFIED"],
    source: "net/ipv4/udp.c:__udp4_lib_rcv: no socket; multicast without a member if"
      + " __udp4_lib_mcast_deliver is inlined"),
  DerivedReason(
    symbol: "__udp6_lib_rcv", reason: "NO_SOCKET", alternatives: ["UDP_CSUM", "PKT_TOO_SMALL", "NOT_SPECIFIED"],
    source: "net/ipv6/udp.c:__udp6_lib_rcv: no socket; multicast without a member if"
      + " __udp6_lib_mcast_deliver is inlined"),
  DerivedReason(
    symbol: "udp_queue_rcv_skb", reason: "SOCKET_RCVBUFF",
    alternatives: ["PROTO_MEM", "SOCKET_FILTER", "UDP_CSUM", "XFRM_POLICY"],
    source: "net/ipv4/udp.c:udp_queue_rcv_skb with __udp_queue_rcv_skb inlined:"
      + " __udp_enqueue_schedule_skb() refused"),
  DerivedReason(
    symbol: "udp_queue_rcv_one_skb", reason: "SOCKET_RCVBUFF",
    alternatives: ["PROTO_MEM", "SOCKET_FILTER", "UDP_CSUM", "XFRM_POLICY"],
    source: "5.10 net/ipv4/udp.c:udp_queue_rcv_one_skb with __udp_queue_rcv_skb inlined"),
  DerivedReason(
    symbol: "__udp_queue_rcv_skb", reason: "SOCKET_RCVBUFF", alternatives: ["PROTO_MEM"],
    source: "net/ipv4/udp.c:__udp_queue_rcv_skb: __udp_enqueue_schedule_skb() gave -ENOMEM"),
  DerivedReason(
    symbol: "udpv6_queue_rcv_skb", reason: "SOCKET_RCVBUFF",
    alternatives: ["PROTO_MEM", "SOCKET_FILTER", "UDP_CSUM", "XFRM_POLICY"],
    source: "net/ipv6/udp.c:udpv6_queue_rcv_skb with __udpv6_queue_rcv_skb inlined"),
  DerivedReason(
    symbol: "udpv6_queue_rcv_one_skb", reason: "SOCKET_RCVBUFF",
    alternatives: ["PROTO_MEM", "SOCKET_FILTER", "UDP_CSUM", "XFRM_POLICY"],
    source: "5.10 net/ipv6/udp.c:udpv6_queue_rcv_one_skb with __udpv6_queue_rcv_skb inlined"),
  DerivedReason(
    symbol: "__udpv6_queue_rcv_skb", reason: "SOCKET_RCVBUFF", alternatives: ["PROTO_MEM"],
    source: "net/ipv6/udp.c:__udpv6_queue_rcv_skb: __udp_enqueue_schedule_skb() gave -ENOMEM"),
  DerivedReason(
    symbol: "udp_recvmsg", reason: "UDP_CSUM", alternatives: ["NOT_SPECIFIED"],
    source: "net/ipv4/udp.c:udp_recvmsg: checksum found wrong while copying; also a bad user buffer"),
  DerivedReason(
    symbol: "udpv6_recvmsg", reason: "UDP_CSUM", alternatives: ["NOT_SPECIFIED"],
    source: "net/ipv6/udp.c:udpv6_recvmsg: checksum found wrong while copying; also a bad user buffer"),
  DerivedReason(
    symbol: "first_packet_length", reason: "UDP_CSUM", alternatives: [],
    source: "net/ipv4/udp.c:__first_packet_length, inlined: checksum found wrong at poll()"),
  DerivedReason(
    symbol: "__first_packet_length", reason: "UDP_CSUM", alternatives: [],
    source: "net/ipv4/udp.c:__first_packet_length: checksum found wrong at poll()"),

  // TCP: only what comes before the socket's state machine is seen before 5.18.
  DerivedReason(
    symbol: "tcp_v4_rcv", reason: "NO_SOCKET",
    alternatives: [
      "NOT_SPECIFIED", "SOCKET_BACKLOG", "SOCKET_FILTER", "TCP_LISTEN_OVERFLOW", "TCP_CSUM", "XFRM_POLICY",
      "TCP_MINTTL", "PKT_TOO_SMALL"
    ],
    source: "net/ipv4/tcp_ipv4.c:tcp_v4_rcv: no socket; NOT_SPECIFIED is any segment that met TIME_WAIT,"
      + " usual and harmless"),
  DerivedReason(
    symbol: "tcp_v6_rcv", reason: "NO_SOCKET",
    alternatives: [
      "NOT_SPECIFIED", "SOCKET_BACKLOG", "SOCKET_FILTER", "TCP_LISTEN_OVERFLOW", "TCP_CSUM", "XFRM_POLICY",
      "TCP_MINTTL", "PKT_TOO_SMALL"
    ],
    source: "net/ipv6/tcp_ipv6.c:tcp_v6_rcv: no socket; NOT_SPECIFIED is any segment that met TIME_WAIT,"
      + " usual and harmless"),
  DerivedReason(
    symbol: "__sk_receive_skb", reason: "SOCKET_RCVBUFF",
    alternatives: ["SOCKET_BACKLOG", "SOCKET_FILTER", "PFMEMALLOC"],
    source: "net/core/sock.c:__sk_receive_skb: PPPoE and DCCP sockets"),

  // tun, tap, VXLAN.
  DerivedReason(
    symbol: "tun_net_xmit", reason: "FULL_RING",
    alternatives: ["DEV_READY", "TAP_TXFILTER", "SOCKET_FILTER", "TAP_FILTER", "NOMEM", "SKB_UCOPY_FAULT"],
    source: "drivers/net/tun.c:tun_net_xmit: the reader (vhost, qemu) does not keep up; or no reader is attached"),
  DerivedReason(
    symbol: "tap_handle_frame", reason: "FULL_RING", alternatives: ["SKB_GSO_SEG", "SKB_CSUM"],
    source: "drivers/net/tap.c:tap_handle_frame: the reader of a macvtap or ipvtap does not keep up"),
  DerivedReason(
    symbol: "vxlan_rcv", reason: "VXLAN_VNI_NOT_FOUND",
    alternatives: [
      "VXLAN_INVALID_HDR", "LOCAL_MAC", "MAC_INVALID_SOURCE", "VXLAN_ENTRY_EXISTS", "IP_TUNNEL_ECN", "NOMEM"
    ],
    source: "drivers/net/vxlan.c:vxlan_rcv: no device for the network identifier"),
  DerivedReason(
    symbol: "vxlan_xmit", reason: "NO_TX_TARGET", alternatives: ["TUNNEL_TXINFO"],
    source: "drivers/net/vxlan.c:vxlan_xmit: no forwarding entry or no remote"),
  DerivedReason(
    symbol: "vxlan_encap_bypass", reason: "DEV_READY", alternatives: [],
    source: "drivers/net/vxlan.c:vxlan_encap_bypass: the local peer device is down"),

  // Bridge.
  DerivedReason(
    symbol: "br_handle_frame", reason: "BRIDGE_INGRESS_STP_STATE",
    alternatives: ["MAC_IEEE_MAC_CONTROL", "MAC_INVALID_SOURCE", "NOT_SPECIFIED"],
    source: "net/bridge/br_input.c:br_handle_frame: the port is blocked or listening; pause frames; bad source"),
  DerivedReason(
    symbol: "br_handle_frame_finish", reason: "NO_TX_TARGET",
    alternatives: ["BRIDGE_INGRESS_STP_STATE", "NOT_SPECIFIED"],
    source: "net/bridge/br_input.c:br_handle_frame_finish: br_flood and br_multicast_flood end in a jump,"
      + " so their frees"
      + " are seen here; else the port is learning or disabled"),
  DerivedReason(
    symbol: "br_flood", reason: "NO_TX_TARGET", alternatives: ["NOMEM", "NOT_SPECIFIED"],
    source: "net/bridge/br_forward.c:br_flood: no port to send to"),
  DerivedReason(
    symbol: "br_multicast_flood", reason: "NO_TX_TARGET", alternatives: ["NOMEM", "NOT_SPECIFIED"],
    source: "net/bridge/br_forward.c:br_multicast_flood: no port to send to"),

  // Open vSwitch. A flow without actions is consumed before 6.6, and never seen.
  DerivedReason(
    symbol: "do_execute_actions", reason: "OVS_DROP_ACTION_ERROR", alternatives: ["DEV_READY", "PKT_TOO_BIG"],
    source: "net/openvswitch/actions.c:do_execute_actions: an action failed; with do_output inlined, no"
      + " such port or MRU"),
  DerivedReason(
    symbol: "do_output", reason: "DEV_READY", alternatives: ["PKT_TOO_BIG"],
    source: "net/openvswitch/actions.c:do_output: no such port; or larger than the device may send"),
  DerivedReason(
    symbol: "clone_execute", reason: "OVS_DROP_DEFERRED_LIMIT", alternatives: [],
    source: "net/openvswitch/actions.c:clone_execute: the queue of deferred actions is full"),
  DerivedReason(
    symbol: "ovs_execute_actions", reason: "OVS_DROP_RECURSION_LIMIT",
    alternatives: ["OVS_DROP_DEFERRED_LIMIT", "OVS_DROP_ACTION_ERROR"],
    source: "net/openvswitch/actions.c:ovs_execute_actions: too many nested executions"),
  DerivedReason(
    symbol: "ovs_ct_execute", reason: "OVS_DROP_CONNTRACK", alternatives: ["NOT_SPECIFIED"],
    source: "net/openvswitch/conntrack.c:ovs_ct_execute: lookup or commit failed; ovs_skb_network_trim inlined"),
  DerivedReason(
    symbol: "ovs_fragment", reason: "OVS_DROP_FRAG_L2_TOO_LONG", alternatives: ["OVS_DROP_FRAG_INVALID_PROTO"],
    source: "net/openvswitch/actions.c:ovs_fragment: cannot be fragmented"),
  DerivedReason(
    symbol: "ovs_vport_output", reason: "NOMEM", alternatives: [],
    source: "net/openvswitch/actions.c:ovs_vport_output: no head room for the saved link header"),
]
