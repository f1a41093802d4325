# SPDX-License-Identifier: Apache-2.0
"""The topologies themselves: what they promise to the tests that measure on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from topologies.capture import Capture
from topologies.guest import STATIC_BASH, Guest, GuestTopology
from topologies.netns import HOST, LinuxBridge, TwoNamespaces, ping
from topologies.ovs import OvsTopology
from topologies.traffic import TcpSink, UdpSink, send_tcp, send_udp


def test_veth_pair_pings_both_ways() -> None:
    with TwoNamespaces() as net:
        assert ping(net.left, net.right_end.ipv4_address, count=3, interval=0.2) == 3
        assert ping(net.right, net.left_end.ipv4_address, count=3, interval=0.2) == 3
        assert ping(net.left, net.right_end.ipv6_address, count=3, interval=0.2) == 3
        assert ping(net.right, net.left_end.ipv6_address, count=3, interval=0.2) == 3
    assert "pl-left" not in HOST.ip("netns", "list")


def test_veth_pair_is_removed_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), TwoNamespaces():
        1 // 0
    assert "pl-" not in HOST.ip("netns", "list")


def test_known_amounts_of_traffic() -> None:
    with TwoNamespaces() as net:
        address = net.right_end.ipv4_address
        with Capture(net.right, net.right_end.name) as capture:
            with UdpSink(net.right, address, 5001) as udp:
                send_udp(net.left, address, 5001, count=100)
                assert udp.wait_for(100) == 100
            with TcpSink(net.right, address, 5002) as tcp:
                send_tcp(net.left, address, 5002, size=1 << 20)
                assert tcp.wait_for(1 << 20) == 1 << 20
            assert ping(net.left, address, count=20, interval=0.05) == 20
            assert capture.wait_for(20, lambda packet: packet.is_echo_reply) == 20
            assert capture.count(lambda packet: packet.is_echo_request) == 20
            assert capture.count(lambda packet: packet.destination_port == 5001) == 100


@pytest.mark.needs("vlan")
def test_vlan_sub_interfaces() -> None:
    with TwoNamespaces(vlans=[100]) as net:
        assert ping(net.left, net.vlans[100][1].ipv4_address, count=2, interval=0.2) == 2


@pytest.mark.needs("openvswitch")
def test_upcall_on_purpose() -> None:
    with OvsTopology() as ovs:
        assert ping(ovs.peer, ovs.internal_end.ipv4_address, count=2, interval=0.2) == 2
        ovs.switch.flush_flows()
        before = ovs.switch.statistics()
        assert ping(ovs.peer, ovs.internal_end.ipv4_address) == 1
        after = ovs.switch.statistics()
        # The request is one flow and the reply another, so each went up once.
        assert after.missed - before.missed >= 2
        assert after.lost == before.lost
        ovs.switch.wait_for_flow("eth_type(0x0800)", f"src={ovs.peer_end.mac}", timeout=5.0)
    assert "pl-br" not in HOST.ip("link")


@pytest.mark.needs("guest", "openvswitch")
@pytest.mark.parametrize("queues", [1, 2])
def test_guest(queues: int) -> None:
    with GuestTopology(queues=queues) as net:
        guest, peer = net.guest, net.peer
        print(f"guest up after {guest.boot_seconds:.1f} s")
        assert len(list(Path(f"/sys/class/net/{guest.tap}/queues").glob("tx-*"))) == queues
        assert guest.run("ls -d /sys/class/net/eth0/queues/tx-*").output.count("tx-") == queues
        assert len(guest.vhost_threads) == queues
        # The first packets resolve addresses; what is counted follows.
        assert ping(peer, guest.ipv4_address, count=1) == 1
        with Capture(HOST, guest.tap) as capture:
            assert ping(peer, guest.ipv4_address, count=20, interval=0.2) == 20
            assert capture.wait_for(20, lambda packet: packet.is_echo_reply) == 20
            assert capture.count(lambda packet: packet.is_echo_request and packet.outgoing) == 20
            assert capture.count(lambda packet: packet.is_echo_reply and not packet.outgoing) == 20
        with Capture(HOST, guest.tap) as capture:
            assert guest.ping(net.ovs.peer_end.ipv4_address, count=5) == 5
            assert capture.wait_for(5, lambda packet: packet.is_echo_request and not packet.outgoing) == 5
        _exchange_known_amounts(net)
        _run_static_binary(guest)


def _exchange_known_amounts(net: GuestTopology) -> None:
    guest, peer, address = net.guest, net.peer, net.ovs.peer_end.ipv4_address
    with UdpSink(peer, address, 5003) as udp:
        guest.send_udp(address, 5003, count=50)
        assert udp.wait_for(50) == 50
    assert guest.receive_udp(peer, address, count=50) == 50
    with TcpSink(peer, address, 5004) as tcp:
        guest.send_tcp(address, 5004, size=1 << 20)
        assert tcp.wait_for(1 << 20) == 1 << 20
    listener = guest.receive_tcp(5005)
    send_tcp(peer, guest.ipv4_address, 5005, size=1 << 20)
    assert int(listener.wait().output) == 1 << 20


def _run_static_binary(guest: Guest) -> None:
    binary = guest.put(Path(STATIC_BASH), "tool")
    result = guest.run(f"{binary} -c 'echo $BASH_VERSION; echo problem >&2; exit 3'", check=False)
    assert result.status == 3
    assert result.output.strip() and result.errors == "problem\n"
    process = guest.popen(f"exec {binary} -c 'trap \"echo last words; exit 0\" TERM; echo started; while :; do sleep 0.1; done'")
    process.wait_for_output("started")
    ended = process.stop()
    assert (ended.status, ended.output) == (0, "started\nlast words\n")


@pytest.mark.needs("guest")
def test_guest_on_a_bridge() -> None:
    with LinuxBridge() as bridge, Guest(bridge.plug) as guest:
        assert ping(HOST, guest.ipv4_address, count=3, interval=0.2) == 3
        assert ping(HOST, guest.ipv6_address, count=3, interval=0.2) == 3
