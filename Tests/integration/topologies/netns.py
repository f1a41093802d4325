# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and veth pairs.

Everything here is a context manager: what `__enter__` made, `__exit__` removes, after a failure too.
A leftover of the same name (from a run that was killed) is removed before it is made anew.

    with TwoNamespaces() as net:
        net.left.run("busybox", "ping", "-c", "3", net.right_end.ipv4_address)
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
from dataclasses import dataclass
from types import TracebackType
from typing import Iterator, Optional, Sequence

#: No single command of a topology may take longer than this, emulated machines included.
COMMAND_TIMEOUT = 60.0

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(AssertionError):
    """A command of a topology ended with a non-zero status; its output is in the message."""


class Network:
    """The machine's own network: where commands run, links live and sockets are opened."""

    name: Optional[str] = None

    @property
    def prefix(self) -> list[str]:
        """The words that, put before a command, run it in this network."""
        return []

    @property
    def path(self) -> str:
        """The file that stands for this network, as setns(2) takes it."""
        return "/proc/1/ns/net"

    def run(
        self,
        *argv: str,
        check: bool = True,
        timeout: float = COMMAND_TIMEOUT,
        input: Optional[str] = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in this network and returns its output as text."""
        result = subprocess.run(
            [*self.prefix, *argv],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and result.returncode != 0:
            raise CommandFailed(
                f"{' '.join(argv)} in {self.name or 'the host'}: exit status {result.returncode}\n"
                f"{result.stdout}{result.stderr}"
            )
        return result

    def popen(self, *argv: str, **options: object) -> subprocess.Popen:
        """Starts a command in this network; the caller ends it."""
        return subprocess.Popen([*self.prefix, *argv], **options)  # type: ignore[call-overload]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Moves the calling thread into this network; its mounts (and so /sys) stay the host's."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(self.path, "rb") as there:
            _set_network(there.fileno())
            try:
                yield
            finally:
                _set_network(before.fileno())

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        """A socket of this process that lives in this network."""
        with self.entered():
            return socket.socket(family, kind, protocol)

    def ip(self, *argv: str, check: bool = True) -> str:
        """Runs ip(8) on this network."""
        return self.run("ip", *argv, check=check).stdout

    def sysctl(self, key: str, value: str) -> None:
        """Sets a net.* sysctl of this network: `key` is a path below /proc/sys."""
        # /proc/sys/net shows the network of the thread that opens it.
        with self.entered(), open(f"/proc/sys/{key}", "w", encoding="ascii") as file:
            file.write(value)

    def interface_index(self, interface: str) -> int:
        """The interface's index in this network."""
        with self.entered():
            return socket.if_nametoindex(interface)

    def counters(self, interface: str) -> dict[str, int]:
        """The interface's counters (rx_packets, tx_packets, rx_dropped, ...) as the kernel counts them."""
        with self.entered(), open("/proc/thread-self/net/dev", encoding="ascii") as file:
            for line in file:
                device, separator, numbers = line.partition(":")
                if separator and device.strip() == interface:
                    values = [int(word) for word in numbers.split()]
                    return dict(zip(_NET_DEV_COLUMNS, values))
        raise KeyError(f"no interface {interface} in {self.name or 'the host'}")

    def delete_link(self, interface: str) -> None:
        """Removes an interface if it is there."""
        self.run("ip", "link", "delete", interface, check=False)


_NET_DEV_COLUMNS = [
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "rx_fifo", "rx_frame", "rx_compressed", "rx_multicast",
    "tx_bytes", "tx_packets", "tx_errors", "tx_dropped", "tx_fifo", "tx_collisions", "tx_carrier", "tx_compressed",
]


def _set_network(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


#: The network that the tests themselves run in.
HOST = Network()


class Namespace(Network):
    """A network namespace of its own, by name, with its loopback up."""

    def __init__(self, name: str) -> None:
        self.name: str = name

    @property
    def prefix(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    def ip(self, *argv: str, check: bool = True) -> str:
        # `ip -n` saves the mounts that `ip netns exec` makes: they are slow on an emulated machine.
        return HOST.run("ip", "-n", self.name, *argv, check=check).stdout

    def delete_link(self, interface: str) -> None:
        self.ip("link", "delete", interface, check=False)

    def create(self) -> "Namespace":
        """Makes the namespace."""
        self.remove()
        HOST.run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        for scope in ("all", "default"):
            if os.path.exists("/proc/sys/net/ipv6"):
                self.sysctl(f"net/ipv6/conf/{scope}/accept_dad", "0")
                self.sysctl(f"net/ipv6/conf/{scope}/accept_ra", "0")
                self.sysctl(f"net/ipv6/conf/{scope}/router_solicitations", "0")
        return self

    def remove(self) -> None:
        """Removes the namespace, and so its links, if it is there."""
        if os.path.exists(self.path):
            HOST.run("ip", "netns", "delete", self.name, check=False)

    def __enter__(self) -> "Namespace":
        return self.create()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.remove()


@dataclass(frozen=True)
class End:
    """One end of a link: the network it is in, its name there, its MAC and its addresses.

    `ipv4` and `ipv6` are written with their prefix length (`192.0.2.1/24`); None leaves the end without.
    """

    network: Network
    name: str
    mac: str
    ipv4: Optional[str] = None
    ipv6: Optional[str] = None

    @property
    def ipv4_address(self) -> str:
        """The IPv4 address without its prefix length."""
        assert self.ipv4 is not None, f"{self.name} has no IPv4 address"
        return self.ipv4.partition("/")[0]

    @property
    def ipv6_address(self) -> str:
        """The IPv6 address without its prefix length."""
        assert self.ipv6 is not None, f"{self.name} has no IPv6 address"
        return self.ipv6.partition("/")[0]

    @property
    def index(self) -> int:
        """The interface's index in its network."""
        return self.network.interface_index(self.name)

    def configure(self) -> None:
        """Sets MAC and addresses and brings the interface up, without duplicate address detection."""
        if os.path.exists(f"/proc/sys/net/ipv6/conf/{self.name}") or self.network is not HOST:
            self.network.sysctl(f"net/ipv6/conf/{self.name}/accept_dad", "0")
            self.network.sysctl(f"net/ipv6/conf/{self.name}/router_solicitations", "0")
        self.network.ip("link", "set", self.name, "address", self.mac, "up")
        if self.ipv4:
            self.network.ip("address", "add", self.ipv4, "dev", self.name)
        if self.ipv6:
            self.network.ip("-6", "address", "add", self.ipv6, "dev", self.name, "nodad")

    def set_offloads(self, *features: str, on: bool) -> None:
        """Turns offloads on or off (`"tso", "gso", "gro", "tx", "rx", "txvlan", "rxvlan"`)."""
        words = [word for feature in features for word in (feature, "on" if on else "off")]
        self.network.run("ethtool", "-K", self.name, *words)

    def add_vlan(self, vlan: int, ipv4: Optional[str] = None, ipv6: Optional[str] = None, protocol: str = "802.1Q") -> "End":
        """Adds a VLAN sub-interface `<name>.<vlan>` (needs the 8021q driver); it goes away with this end."""
        end = End(self.network, f"{self.name}.{vlan}", self.mac, ipv4, ipv6)
        self.network.ip("link", "add", "link", self.name, "name", end.name, "type", "vlan", "protocol", protocol, "id", str(vlan))
        end.configure()
        return end


class VethPair:
    """A veth pair between two networks, configured as its two ends say."""

    def __init__(self, left: End, right: End, mtu: int = 1500) -> None:
        self.left = left
        self.right = right
        self.mtu = mtu

    def create(self) -> "VethPair":
        """Makes the pair; both ends are up afterwards."""
        self.remove()
        HOST.ip(
            "link", "add", "name", self.left.name, *_placed(self.left), "mtu", str(self.mtu),
            "type", "veth", "peer", "name", self.right.name, *_placed(self.right), "mtu", str(self.mtu),
        )
        for end in (self.left, self.right):
            end.configure()
        return self

    def remove(self) -> None:
        """Removes both ends if they are there."""
        for end in (self.left, self.right):
            end.network.delete_link(end.name)

    def __enter__(self) -> "VethPair":
        try:
            return self.create()
        except BaseException:
            self.remove()
            raise

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.remove()


def _placed(end: End) -> Sequence[str]:
    return ["netns", end.network.name] if end.network.name else []


class TwoNamespaces:
    """Topology 1: namespaces `pl-left` and `pl-right` with a veth pair `veth-left` - `veth-right` between them.

    With `vlans`, both ends get a sub-interface per VLAN, addressed 10.66.<vlan % 256>.1 and .2.
    """

    def __init__(self, vlans: Sequence[int] = (), mtu: int = 1500, left: str = "pl-left", right: str = "pl-right") -> None:
        self.left = Namespace(left)
        self.right = Namespace(right)
        self.left_end = End(self.left, "veth-left", "02:00:00:00:01:01", "10.66.0.1/24", "fd66::1/64")
        self.right_end = End(self.right, "veth-right", "02:00:00:00:01:02", "10.66.0.2/24", "fd66::2/64")
        self.pair = VethPair(self.left_end, self.right_end, mtu)
        #: The VLAN sub-interfaces by VLAN: (left, right).
        self.vlans: dict[int, tuple[End, End]] = {vlan: (self.left_end, self.right_end) for vlan in vlans}
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "TwoNamespaces":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.left)
            stack.enter_context(self.right)
            stack.enter_context(self.pair)
            for vlan in self.vlans:
                third = vlan % 256
                self.vlans[vlan] = (
                    self.left_end.add_vlan(vlan, f"10.66.{third}.1/24", f"fd66:{vlan:x}::1/64"),
                    self.right_end.add_vlan(vlan, f"10.66.{third}.2/24", f"fd66:{vlan:x}::2/64"),
                )
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._cleanup.close()


class LinuxBridge:
    """A Linux bridge of the host, for what is plugged in with `plug`."""

    def __init__(self, name: str = "pl-bridge", ipv4: Optional[str] = "10.66.10.1/24", ipv6: Optional[str] = "fd66:10::1/64") -> None:
        self.end = End(HOST, name, "02:00:00:00:02:01", ipv4, ipv6)

    def __enter__(self) -> "LinuxBridge":
        HOST.delete_link(self.end.name)
        HOST.ip("link", "add", "name", self.end.name, "type", "bridge", "forward_delay", "0")
        try:
            self.end.configure()
        except BaseException:
            HOST.delete_link(self.end.name)
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        HOST.delete_link(self.end.name)

    def plug(self, interface: str) -> None:
        """Plugs an interface, such as a guest's tap, into the bridge."""
        HOST.ip("link", "set", interface, "master", self.end.name)


def ping(network: Network, address: str, count: int = 1, interval: Optional[float] = None, size: int = 56) -> int:
    """Sends `count` ICMP echo requests from a network and returns how many were answered."""
    words = ["busybox", "ping", "-c", str(count), "-s", str(size), "-W", "5"]
    if interval is not None:
        words += ["-i", str(interval)]
    output = network.run(*words, address, check=False, timeout=COMMAND_TIMEOUT + count * (interval or 1.0)).stdout
    for line in output.splitlines():
        if "packets received" in line:
            return int(line.split(",")[1].split()[0])
    return 0
