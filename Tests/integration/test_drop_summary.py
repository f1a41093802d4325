# SPDX-License-Identifier: Apache-2.0
"""drop-summary: the counts are the numbers of packets that were lost on purpose."""

from __future__ import annotations

import time

import drops
from plumbline import GRACE_PERIOD, Tool
from topologies.netns import TwoNamespaces


def test_all_groupings(net: TwoNamespaces, variant: str) -> None:
    drops.drop_by_netfilter(net.right, 7777)
    with Tool(
        "drop-summary", "--dst-ip", "10.66.0.2", "--group-by", "location,reason,flow,interface", "--interval", "60", "--top", "100",
        variant=variant,
    ) as tool:
        with net.left.socket(2, 2) as sender:
            sender.bind(("10.66.0.1", 4000))
            for port, count in ((9, 37), (7777, 23)):
                for _ in range(count):
                    sender.sendto(bytes(32), ("10.66.0.2", port))
        tool.stop()
    groups = tool.summary["groups"]
    (closed,) = [g for g in groups if g["dst_port"] == 9]
    (filtered,) = [g for g in groups if g["dst_port"] == 7777]
    assert closed["drops"] == 37 and drops.UDP_CLOSED.holds(closed)
    assert filtered["drops"] == 23 and drops.NETFILTER.holds(filtered)
    for group in (closed, filtered):
        assert (group["src"], group["src_port"], group["dst"], group["protocol"]) == ("10.66.0.1", 4000, "10.66.0.2", 17)
        assert group["interface"] == "veth-right" and group["ifindex"] == net.right_end.index
    assert tool.summary["drops"] == 60 and tool.summary["complete"] is True


def test_intervals_add_up_to_the_total(net: TwoNamespaces, variant: str) -> None:
    """Drops go on all the time, across the ends of intervals; none is lost or counted twice."""
    with Tool("drop-summary", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--interval", "0.2", variant=variant) as tool:
        for _ in range(20):
            drops.udp(net.left, net.right_end.ipv4_address, 9, 211)
            time.sleep(0.05)
        tool.stop()
    intervals = tool.of("interval")
    assert len(intervals) >= 5
    assert sum(interval["drops"] for interval in intervals) == 20 * 211 == tool.summary["drops"]
    assert [i["total_drops"] for i in intervals] == [sum(j["drops"] for j in intervals[: n + 1]) for n in range(len(intervals))]


def test_full_map_is_counted(net: TwoNamespaces, variant: str) -> None:
    with Tool(
        "drop-summary", "--dst-ip", "10.66.0.2", "--protocol", "udp", "--group-by", "flow", "--max-entries", "8", "--interval", "60",
        variant=variant,
    ) as tool:
        for port in range(1000, 1050):
            with net.left.socket(2, 2) as sender:
                sender.bind(("10.66.0.1", 4000))
                for _ in range(3):
                    sender.sendto(b"x", ("10.66.0.2", port))
        tool.stop()
    summary = tool.summary
    assert summary["drops"] + summary["map_full"] == 150
    assert summary["map_full"] > 0 and summary["complete"] is False


def test_stacks(net: TwoNamespaces, variant: str) -> None:
    with Tool(
        "drop-summary", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--group-by", "location,stack", "--interval", "0.3", variant=variant
    ) as tool:
        for _ in range(4):
            drops.udp(net.left, net.right_end.ipv4_address, 9, 10)
            time.sleep(0.3)
        tool.stop()
    groups = tool.summary["groups"]
    assert sum(group["drops"] for group in groups) == 40 and tool.summary["stack_missed"] == 0
    for group in groups:
        assert group["stack"][0] == group["location"]
        assert any(frame.startswith("ip_local_deliver") for frame in group["stack"])


def test_text_and_csv(net: TwoNamespaces, variant: str) -> None:
    with Tool("drop-summary", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--interval", "60", variant=variant, output="text") as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 37)
        tool.stop()
    assert "total: 37 drops" in tool.text and "__udp4_lib_rcv+0x" in tool.text and "# complete" in tool.text
    with Tool("drop-summary", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--interval", "60", variant=variant, output="csv") as tool:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 37)
        tool.stop()
    rows = [line.split(",") for line in tool.text.splitlines() if not line.startswith("#")]
    (row,) = [dict(zip(rows[0], values)) for values in rows[1:]]
    assert row["drops"] == "37" and row["function"].startswith("__udp4_lib_rcv")


def test_expected_frees_have_their_own_heading(net: TwoNamespaces, variant: str) -> None:
    with Tool("drop-summary", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--interval", "60", variant=variant) as tool:
        with net.right.socket(2, 2) as reader:
            reader.bind(("10.66.0.2", 9))
            drops.udp(net.left, net.right_end.ipv4_address, 9, 19)
            time.sleep(0.3)
        time.sleep(GRACE_PERIOD)
        drops.udp(net.left, net.right_end.ipv4_address, 9, 7)
        tool.stop()
    assert tool.summary["drops"] == 7
    assert tool.summary["expected"] == 19 == sum(row["count"] for row in tool.summary["expected_frees"])


def test_csv_header_without_rows(variant: str) -> None:
    with Tool("drop-summary", "--src-ip", "192.0.2.77", variant=variant, output="csv") as tool:
        tool.stop()
    assert "time,interval_ns,partial,drops," in tool.text and "# nothing captured:" in tool.text


def test_one_row_per_group(net: TwoNamespaces, variant: str) -> None:
    """What the grouping does not tell apart is one row, whatever else differs."""
    for grouping in ("location", "reason", "flow", "interface"):
        with Tool("drop-summary", "--dst-ip", "10.66.0.2", "--group-by", grouping, "--interval", "60", variant=variant) as tool:
            with net.left.socket(2, 2) as sender:
                sender.bind(("10.66.0.1", 4000))
                for size in (8, 32, 3000):
                    sender.sendto(bytes(size), ("10.66.0.2", 9))
            tool.stop()
        rows = [{k: v for k, v in g.items() if k not in ("drops", "bytes")} for g in tool.summary["groups"]]
        assert len(rows) == len({repr(row) for row in rows}), rows


def test_expected_frees_are_never_among_the_drops(net: TwoNamespaces, variant: str) -> None:
    with Tool(
        "drop-summary", "--include-expected", "--dst-ip", "10.66.0.2", "--dst-port", "9", "--interval", "60", variant=variant
    ) as tool:
        with net.right.socket(2, 2) as reader:
            reader.bind(("10.66.0.2", 9))
            drops.udp(net.left, net.right_end.ipv4_address, 9, 19)
            time.sleep(0.3)
        time.sleep(GRACE_PERIOD)
        tool.stop()
    assert tool.summary["drops"] == 0 and tool.summary["expected"] == 19
    assert sum(group["drops"] for group in tool.summary["expected_groups"]) == 19
