# SPDX-License-Identifier: Apache-2.0
"""Ways to lose packets in exact numbers, and where and why the kernel says it lost them."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import struct
from dataclasses import dataclass
from typing import Iterator

from topologies.netns import End, Network, TwoNamespaces


@dataclass(frozen=True)
class Place:
    """Functions that the location may lie in, one per era of kernels, and the reason's names."""

    functions: frozenset[str]
    reasons: frozenset[str]

    def holds(self, record: dict) -> bool:
        return record["function"].partition(".")[0] in self.functions and record["reason"] in self.reasons


def _place(functions: str, reasons: str) -> Place:
    return Place(frozenset(functions.split()), frozenset(reasons.split()))


UDP_CLOSED = _place("__udp4_lib_rcv", "NO_SOCKET")
UDP6_CLOSED = _place("__udp6_lib_rcv", "NO_SOCKET")
TCP_CLOSED = _place("tcp_v4_rcv", "NO_SOCKET")
TCP6_CLOSED = _place("tcp_v6_rcv", "NO_SOCKET")
# nft_do_chain() frees by itself since NF_DROP_REASON() came (6.7).
NETFILTER = _place("nf_hook_slow nft_do_chain", "NETFILTER_DROP")
TTL = _place("ip_forward", "IP_INHDR")
HOP_LIMIT = _place("ip6_forward", "IP_INHDR")
# A list went through kfree_skb() one by one until 6.2.
QDISC = _place("__dev_queue_xmit kfree_skb_list kfree_skb_list_reason", "QDISC_DROP QDISC_OVERLIMIT")
UNHANDLED = _place("__netif_receive_skb_core __netif_receive_skb_one_core", "UNHANDLED_PROTO")


def udp(source: Network, address: str, port: int, count: int, size: int = 32, ttl: int = 64) -> None:
    """Sends exactly count datagrams."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with source.socket(family, socket.SOCK_DGRAM) as sender:
        if family == socket.AF_INET6:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        for _ in range(count):
            sender.sendto(bytes(size), (address, port))


def syn(source: Network, address: str, port: int, count: int) -> None:
    """Sends exactly count SYNs to a port that refuses them."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(count):
        with source.socket(family, socket.SOCK_STREAM) as sender:
            sender.settimeout(30)
            assert sender.connect_ex((address, port)) == 111, "ECONNREFUSED was expected"


def drop_by_netfilter(network: Network, port: int, hook: str = "input") -> None:
    """Makes a namespace's firewall drop UDP datagrams to a port."""
    rules = (
        "add table inet plumbline\n"
        "add chain inet plumbline in { type filter hook HOOK priority 0 ; }\n".replace("HOOK", hook) +
        f"add rule inet plumbline in udp dport {port} drop\n"
    )
    network.run("nft", "-f", "-", input=rules)


def drop_resets(network: Network) -> None:
    """Keeps a namespace from sending TCP resets."""
    rules = (
        "add table inet resets\n"
        "add chain inet resets out { type filter hook output priority 0 ; }\n"
        "add rule inet resets out tcp flags & rst == rst drop\n"
    )
    network.run("nft", "-f", "-", input=rules)


def drop_at_ingress(end: End) -> None:
    """Makes the netdev ingress hook of an interface drop all frames."""
    rules = (
        "add table netdev plumbline\n"
        f"add chain netdev plumbline in {{ type filter hook ingress device {end.name} priority 0 ; }}\n"
        "add rule netdev plumbline in drop\n"
    )
    end.network.run("nft", "-f", "-", input=rules)


def route_through_right(net: TwoNamespaces) -> None:
    """Makes left send 10.77.0.0/24 and fd77::/64 to right, which forwards (back, as it were)."""
    net.right.sysctl("net/ipv4/ip_forward", "1")
    net.right.sysctl("net/ipv6/conf/all/forwarding", "1")
    net.left.ip("route", "add", "10.77.0.0/24", "via", net.right_end.ipv4_address)
    net.right.ip("route", "add", "10.77.0.0/24", "via", net.left_end.ipv4_address)
    net.left.ip("-6", "route", "add", "fd77::/64", "via", net.right_end.ipv6_address)
    net.right.ip("-6", "route", "add", "fd77::/64", "via", net.left_end.ipv6_address)


def narrow(end: End) -> None:
    """Puts a token bucket filter on an interface that is full after a few packets, all of them the test's own."""
    # Else multicast listener reports would be among those that the filter counts.
    end.network.sysctl(f"net/ipv6/conf/{end.name}/disable_ipv6", "1")
    end.network.run("tc", "qdisc", "replace", "dev", end.name, "root", "tbf", "rate", "8kbit", "burst", "1600", "limit", "2000")


def narrow_drops(end: End) -> int:
    """Packets that the token bucket filter says it dropped."""
    shown = json.loads(end.network.run("tc", "-s", "-j", "qdisc", "show", "dev", end.name).stdout)
    (qdisc,) = [q for q in shown if q["kind"] == "tbf"]
    return int(qdisc["drops"])


def frame(source: End, destination: End, tags: list[tuple[int, int]], kind: int = 0x0800, payload: bytes = b"") -> bytes:
    """An Ethernet frame with (type, id) tags; for IPv4 a UDP datagram from port 4000 to port 9 in it."""
    header = bytes.fromhex(destination.mac.replace(":", "")) + bytes.fromhex(source.mac.replace(":", ""))
    for tag_type, vlan in tags:
        header += struct.pack("!HH", tag_type, vlan)
    header += struct.pack("!H", kind)
    if kind == 0x0800 and not payload:
        datagram = struct.pack("!HHHH", 4000, 9, 8 + 18, 0) + bytes(18)
        addresses = socket.inet_aton(source.ipv4_address) + socket.inet_aton(destination.ipv4_address)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0) + addresses
        payload = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:] + datagram
    return header + payload.ljust(46, b"\0")


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def tcp_frame(source: End, destination: End, source_port: int, destination_port: int, sequence: int) -> bytes:
    """An Ethernet frame with a TCP segment, ACK set and two bytes in it."""
    addresses = socket.inet_aton(source.ipv4_address) + socket.inet_aton(destination.ipv4_address)
    segment = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, 1, 5 << 4, 0x10, 1000, 0, 0) + b"xx"
    pseudo = addresses + struct.pack("!BBH", 0, 6, len(segment))
    segment = segment[:16] + struct.pack("!H", _checksum(pseudo + segment)) + segment[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0) + addresses
    return frame(source, destination, [], kind=0x0800, payload=ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:] + segment)


def inject(end: End, data: bytes, count: int) -> None:
    """Sends a frame as it is out of an interface, exactly count times."""
    with end.network.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((end.name, 0))
        for _ in range(count):
            # A full queue tells the sender so, beside dropping the frame.
            with _no_buffer_space():
                sender.send(data)


@contextlib.contextmanager
def _no_buffer_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOBUFS:
            raise
