# SPDX-License-Identifier: Apache-2.0
"""eth-drop: every packet lost on purpose appears exactly as often as it was sent, where and why it was lost."""

from __future__ import annotations

import re
import signal
import time

import drops
import pytest
from plumbline import GRACE_PERIOD, Tool
from topologies.netns import TwoNamespaces, VethPair


def test_udp_to_a_closed_port(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 37)
        tool.stop()
    events = tool.of("event", src=net.left_end.ipv4_address, dst=net.right_end.ipv4_address, protocol=17, dst_port=9)
    assert len(events) == 37
    for event in events:
        assert drops.UDP_CLOSED.holds(event), event
        assert event["interface"] == "veth-right" and event["ifindex"] == net.right_end.index
        assert event["eth_src"] == net.left_end.mac and event["eth_dst"] == net.right_end.mac
        assert event["ip_length"] == 20 + 8 + 32 and event["ttl"] == 64 and event["is_drop"]
    assert tool.header["object"] == variant
    assert tool.summary["complete"] is True


def test_syn_to_a_closed_port(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", variant=variant) as tool:
        drops.syn(net.left, net.right_end.ipv4_address, 81, 11)
        tool.stop()
    events = tool.of("event", dst=net.right_end.ipv4_address, protocol=6, dst_port=81)
    assert len(events) == 11
    assert all(drops.TCP_CLOSED.holds(e) and e["tcp_flags"].startswith("SYN") and e["interface"] == "veth-right" for e in events)


def test_ipv6(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv6_address, 9, 13)
        drops.syn(net.left, net.right_end.ipv6_address, 81, 7)
        tool.stop()
    datagrams = tool.of("event", src="fd66::1", dst="fd66::2", protocol=17, dst_port=9, eth_type="0x86dd")
    syns = tool.of("event", src="fd66::1", dst="fd66::2", protocol=6, dst_port=81)
    assert len(datagrams) == 13 and all(drops.UDP6_CLOSED.holds(e) for e in datagrams)
    assert len(syns) == 7 and all(drops.TCP6_CLOSED.holds(e) for e in syns)


def test_netfilter(net: TwoNamespaces, variant: str) -> None:
    drops.drop_by_netfilter(net.right, 7777)
    with Tool("eth-drop", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 7777, 23)
        tool.stop()
    events = tool.of("event", dst_port=7777)
    assert len(events) == 23 and all(drops.NETFILTER.holds(e) for e in events), events[:1]


def test_ttl(net: TwoNamespaces, variant: str) -> None:
    drops.route_through_right(net)
    with Tool("eth-drop", variant=variant) as tool:
        drops.udp(net.left, "10.77.0.9", 5000, 5, ttl=1)
        drops.udp(net.left, "fd77::9", 5000, 3, ttl=1)
        tool.stop()
    ipv4 = tool.of("event", dst="10.77.0.9", ttl=1)
    ipv6 = tool.of("event", dst="fd77::9", ttl=1)
    assert len(ipv4) == 5 and all(drops.TTL.holds(e) for e in ipv4), ipv4[:1]
    assert len(ipv6) == 3 and all(drops.HOP_LIMIT.holds(e) for e in ipv6), ipv6[:1]


def test_full_queue(net: TwoNamespaces, variant: str) -> None:
    drops.narrow(net.left_end)
    with Tool("eth-drop", "--src-ip", net.left_end.ipv4_address, "--dst-port", "6000", "--interface", "veth-left", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 6000, 50, size=400)
        dropped = drops.narrow_drops(net.left_end)
        tool.stop()
    events = tool.of("event")
    assert 0 < dropped < 50
    assert len(events) == dropped == tool.summary["printed"]
    assert all(drops.QDISC.holds(e) and e["interface"] == "veth-left" for e in events), events[:1]


@pytest.mark.needs("ingress")
def test_vlan_in_the_skb(net: TwoNamespaces, variant: str) -> None:
    """The kernel takes the tag out of the bytes on receipt, before the ingress hook where the frames are dropped."""
    drops.drop_at_ingress(net.right_end)
    with Tool("eth-drop", "--vlan-id", "100", variant=variant) as tool:
        drops.inject(net.left_end, drops.frame(net.left_end, net.right_end, [(0x8100, 100)]), 17)
        drops.inject(net.left_end, drops.frame(net.left_end, net.right_end, [(0x8100, 101)]), 4)
        tool.stop()
    events = tool.of("event", vlan="100", src=net.left_end.ipv4_address, dst_port=9)
    assert len(events) == 17 == len(tool.of("event"))
    assert all(drops.NETFILTER.holds(e) and e["interface"] == "veth-right" for e in events), events[:1]


def test_vlan_in_the_bytes(net: TwoNamespaces, variant: str) -> None:
    """QinQ frames that never leave the sender's queue still have both tags in their bytes."""
    drops.narrow(net.left_end)
    frame = drops.frame(net.left_end, net.right_end, [(0x88A8, 200), (0x8100, 300)])
    with Tool("eth-drop", "--vlan-id", "300", "--interface", "veth-left", variant=variant) as tool:
        drops.inject(net.left_end, frame, 60)
        dropped = drops.narrow_drops(net.left_end)
        tool.stop()
    events = tool.of("event", vlan="200.300", src=net.left_end.ipv4_address, dst_port=9, eth_type="0x0800")
    assert 0 < dropped < 60 and len(events) == dropped
    assert all(drops.QDISC.holds(e) for e in events), events[:1]


def test_unknown_type(net: TwoNamespaces, variant: str) -> None:
    payload = bytes(range(46))
    with Tool("eth-drop", "--type", "0x88b5", variant=variant) as tool:
        drops.inject(net.left_end, drops.frame(net.left_end, net.right_end, [], kind=0x88B5, payload=payload), 13)
        tool.stop()
    events = tool.of("event", eth_type="0x88b5", interface="veth-right")
    assert len(events) == 13 and all(drops.UNHANDLED.holds(e) for e in events), events[:1]


def test_text(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--protocol", "udp", "--dst-port", "9", "--dst-ip", "10.66.0.2", variant=variant, output="text") as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 37)
        tool.stop()
    line = re.compile(r"^\d\d:\d\d:\d\d\.\d{6} .* veth-right .* NO_SOCKET .* __udp4_lib_rcv\+0x[0-9a-f]+ .*"
                      r"02:00:00:00:01:01 > 02:00:00:00:01:02 IPv4 10\.66\.0\.1:\d+ > 10\.66\.0\.2:9 UDP length 60 ttl 64")
    assert sum(1 for text in tool.text.splitlines() if line.match(text)) == 37
    assert "# complete" in tool.text and "printed 37, beyond_count 0, lost 0" in tool.text


def test_csv(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--dst-port", "9", "--dst-ip", "10.66.0.2", variant=variant, output="csv") as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 37)
        tool.stop()
    rows = [line.split(",") for line in tool.text.splitlines() if not line.startswith("#")]
    names, values = rows[0], rows[1:]
    assert len(values) == 37 and all(len(row) == len(names) for row in values)
    assert all(dict(zip(names, row))["src"] == "10.66.0.1" for row in values)


def test_filter_shows_one_flow_only(net: TwoNamespaces, variant: str) -> None:
    with Tool(
        "eth-drop", "--src-ip", "10.66.0.1", "--dst-ip", "10.66.0.0/30", "--protocol", "udp", "--dst-port", "9", variant=variant
    ) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 11)
        drops.udp(net.left, net.right_end.ipv4_address, 10, 5)
        drops.udp(net.right, net.left_end.ipv4_address, 9, 3)
        drops.udp(net.left, net.right_end.ipv6_address, 9, 3)
        drops.syn(net.left, net.right_end.ipv4_address, 9, 2)
        tool.stop()
    assert len(tool.of("event")) == 11
    assert len(tool.of("event", src="10.66.0.1", dst="10.66.0.2", protocol=17, dst_port=9)) == 11
    assert tool.summary["filtered"] >= 13


def test_src_port_does_not_match_the_other_direction(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--src-port", "9", "--dst-ip", "10.66.0.2", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 6)
        tool.stop()
    assert tool.of("event") == []
    assert "did not match the filters" in tool.summary["nothing_captured"]


def test_location_and_reason(net: TwoNamespaces, variant: str) -> None:
    for option in (("--location", "__udp4_lib_rcv"), ("--reason", "NO_SOCKET")):
        with Tool("eth-drop", *option, "--dst-ip", "10.66.0.2", "--protocol", "udp", variant=variant) as tool:
            drops.udp(net.left, net.right_end.ipv4_address, 9, 8)
            tool.stop()
        assert len(tool.of("event")) == 8
    with Tool("eth-drop", "--location", "ip_forward", "--dst-ip", "10.66.0.2", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 8)
        tool.stop()
    assert tool.of("event") == []


def test_tiny_buffer(net: TwoNamespaces, variant: str) -> None:
    """What does not fit is counted: printed and lost make up all that was sent."""
    with Tool("eth-drop", "--buffer-size", "4", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--stack", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 2003)
        tool.stop()
    summary = tool.summary
    assert summary["printed"] + summary["lost"] == 2003
    assert summary["printed"] == len(tool.of("event")) and summary["lost"] > 0
    assert summary["complete"] is False and "lost" in " ".join(summary["gaps"])


def test_rate_limit(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--rate-limit", "20", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant=variant) as tool:
        started = time.monotonic()
        drops.udp(net.left, net.right_end.ipv4_address, 9, 500)
        seconds = int(time.monotonic() - started) + 2
        tool.stop()
    summary = tool.summary
    assert summary["printed"] + summary["suppressed"] == 500
    # A window may begin anywhere in a second; two CPUs may each slip one in.
    assert 20 <= summary["printed"] <= 22 * seconds


def test_stack_starts_at_the_location(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--stack", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 3)
        tool.stop()
    events = tool.of("event")
    assert len(events) == 3
    for event in events:
        assert event["stack"][0] == event["location"]
        assert any(frame.startswith("ip_local_deliver") for frame in event["stack"])


def test_count_ends_the_run(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--count", "5", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 9)
        tool.stop(None)
    assert len(tool.of("event")) == 5 and tool.summary["end"] == "count"


def test_every_hit_is_in_one_count(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--count", "5", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 10, 7)
        drops.udp(net.left, net.right_end.ipv4_address, 9, 50)
        tool.stop(None)
    s = tool.summary
    parts = ("filtered", "expected", "suppressed", "nested", "lost", "map_full", "beyond_count", "printed")
    assert s["seen"] == sum(s[part] for part in parts)
    assert s["printed"] == 5 and s["filtered"] >= 7 and s["beyond_count"] <= 45


@pytest.mark.needs("ingress")
def test_csv_cells_with_tcp_flags(net: TwoNamespaces, variant: str) -> None:
    """A SYN,ACK that nobody asked for: several flags are still one cell."""
    drops.drop_at_ingress(net.left_end)
    with Tool("eth-drop", "--src-port", "81", "--protocol", "tcp", variant=variant, output="csv") as tool:
        with net.right.socket(2, 1) as server, net.left.socket(2, 1) as client:
            server.bind(("10.66.0.2", 81))
            server.listen(1)
            client.settimeout(0.3)
            client.connect_ex(("10.66.0.2", 81))
        tool.stop()
    rows = [line.split(",") for line in tool.text.splitlines() if not line.startswith("#")]
    assert len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows)
    assert dict(zip(rows[0], rows[1]))["tcp_flags"] == "SYN|ACK"


def test_interface_made_anew_is_followed(net: TwoNamespaces, variant: str) -> None:
    with Tool("eth-drop", "--interface", "veth-right", "--dst-port", "9", "--dst-ip", "10.66.0.2", variant=variant) as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 4)
        first = net.right_end.index
        with VethPair(net.left_end, net.right_end):
            net.left.ip("neigh", "replace", "10.66.0.2", "lladdr", net.right_end.mac, "dev", "veth-left", "nud", "permanent")
            assert net.right_end.index != first
            drops.udp(net.left, net.right_end.ipv4_address, 9, 6)
            tool.stop()
    assert len(tool.of("event", interface="veth-right")) == 10
    assert len({event["ifindex"] for event in tool.of("event")}) == 2


def test_closed_socket_is_no_drop(net: TwoNamespaces, variant: str) -> None:
    """Datagrams that a closing socket had not read are counted apart, and shown on demand."""
    for shown in (False, True):
        option = ["--include-expected"] if shown else []
        with Tool("eth-drop", "--dst-ip", "10.66.0.2", "--dst-port", "9", *option, variant=variant) as tool:
            with net.right.socket(2, 2) as reader:
                reader.bind(("10.66.0.2", 9))
                drops.udp(net.left, net.right_end.ipv4_address, 9, 19)
                time.sleep(0.3)
            # The last reference goes with the socket's own grace period.
            time.sleep(GRACE_PERIOD)
            tool.stop()
        assert tool.summary["expected"] == 19 and tool.summary["printed"] == 0
        assert sum(row["count"] for row in tool.summary["expected_frees"]) == 19
        assert len(tool.of("event", is_drop=False)) == (19 if shown else 0)
        assert tool.of("event", is_drop=True) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_with_the_whole_report(net: TwoNamespaces, number: int) -> None:
    with Tool("eth-drop", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant="legacy") as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 29)
        tool.stop(number)
    assert len(tool.of("event")) == 29
    assert tool.summary["end"] == signal.Signals(number).name


@pytest.mark.needs("kprobes")
def test_tcp_discards_are_seen_without_reasons(net: TwoNamespaces, variant: str) -> None:
    """Kernels before 5.18 discard in TCP without the tracepoint; the probe on tcp_drop sees it there."""
    drops.drop_resets(net.right)
    with Tool("eth-drop", "--dst-port", "81", "--protocol", "tcp", variant=variant) as tool:
        with net.right.socket(2, 1) as server, net.left.socket(2, 1) as client:
            server.bind(("10.66.0.2", 81))
            server.listen(1)
            client.connect(("10.66.0.2", 81))
            accepted, _ = server.accept()
            # Far outside of the window, with the connection's addresses and ports.
            drops.inject(net.left_end, drops.tcp_frame(net.left_end, net.right_end, client.getsockname()[1], 81, 0x12345678), 9)
            time.sleep(0.3)
            accepted.close()
        tool.stop()
    events = tool.of("event", tcp_seq=0x12345678)
    missing = {probe["name"]: probe["reason"] for probe in tool.header["probes_missing"]}
    if "tcp_drop" in missing:
        # The compiler put it into its callers: then the report says what it cannot see.
        assert events == [] and "what TCP itself discards" in missing["tcp_drop"]
    else:
        names = {probe["name"] for probe in tool.header["probes_live"]}
        assert len(events) == 9
        assert ("tcp_drop" in names) == all(event["reason_source"] != "kernel" for event in events)


def test_flood_does_not_keep_the_run_from_ending(net: TwoNamespaces, variant: str) -> None:
    """Packets are lost faster than they are printed, and the run ends in time all the same."""
    sender = net.left.popen(
        "/usr/bin/python3", "-c",
        "import socket\ns = socket.socket(2, 2)\nwhile True: s.sendto(b'x', ('10.66.0.2', 9))",
    )
    try:
        with Tool("eth-drop", "--stack", "--duration", "1", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant=variant, output="text") as tool:
            started = time.monotonic()
            tool.stop(None)
            assert time.monotonic() - started < 20
    finally:
        sender.kill()
        sender.wait()
    assert "# ended by duration after 1." in tool.text


@pytest.mark.needs("vxlan")
def test_encapsulated_packet_is_the_outer_one(net: TwoNamespaces, variant: str) -> None:
    """Dropped on its way out of a tunnel device, a packet has the outer header first: that is what was dropped."""
    net.left.ip("link", "add", "vx0", "type", "vxlan", "id", "7", "remote", "10.66.0.2", "dstport", "4789", "dev", "veth-left")
    net.left.ip("address", "add", "10.88.0.1/24", "dev", "vx0")
    net.left.ip("link", "set", "vx0", "address", "02:00:00:00:08:01", "up")
    net.left.ip("neigh", "replace", "10.88.0.2", "lladdr", "02:00:00:00:08:02", "dev", "vx0", "nud", "permanent")
    drops.drop_by_netfilter(net.left, 4789, hook="output")
    with Tool("eth-drop", "--dst-port", "4789", variant=variant) as outer, Tool("eth-drop", "--dst-port", "5555", variant=variant) as inner:
        drops.udp(net.left, "10.88.0.2", 5555, 6)
        outer.stop()
        inner.stop()
    assert len(outer.of("event", dst="10.66.0.2", protocol=17)) >= 6
    assert inner.of("event") == []
