# SPDX-License-Identifier: Apache-2.0
"""An exact count of what passes an interface, from a packet socket whose own drops are known."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Callable, Optional

from .netns import Network

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_BUFFER = 64 << 20

IPV4, IPV6 = 0x0800, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58


@dataclass(frozen=True)
class Packet:
    """A captured frame and the direction it passed the interface in: out of the host, or into it."""

    outgoing: bool
    data: bytes

    @property
    def ethertype(self) -> int:
        """The frame's protocol; a VLAN tag that the kernel holds outside the data is not looked at."""
        return int.from_bytes(self.data[12:14], "big")

    @property
    def protocol(self) -> Optional[int]:
        """The IP protocol (IPv6: the first next header), None for anything else than IP."""
        if self.ethertype == IPV4 and len(self.data) >= 34:
            return self.data[23]
        if self.ethertype == IPV6 and len(self.data) >= 54:
            return self.data[20]
        return None

    @property
    def transport(self) -> bytes:
        """What follows the IP header."""
        return self.data[14 + (self.data[14] & 15) * 4 :] if self.ethertype == IPV4 else self.data[54:]

    @property
    def destination_port(self) -> Optional[int]:
        """The destination port of TCP and UDP."""
        return int.from_bytes(self.transport[2:4], "big") if self.protocol in (TCP, UDP) else None

    @property
    def is_echo_request(self) -> bool:
        """Whether this is a ping, of IPv4 or IPv6."""
        return (self.protocol, self.transport[:1]) in ((ICMP, b"\x08"), (ICMPV6, b"\x80"))

    @property
    def is_echo_reply(self) -> bool:
        """Whether this answers a ping, of IPv4 or IPv6."""
        return (self.protocol, self.transport[:1]) in ((ICMP, b"\x00"), (ICMPV6, b"\x81"))


class Capture:
    """Records every frame of an interface from `__enter__` on; what is read is what passed, or an error."""

    def __init__(self, network: Network, interface: str) -> None:
        self._network = network
        self._interface = interface
        self._socket: Optional[socket.socket] = None
        self._packets: list[Packet] = []

    def __enter__(self) -> "Capture":
        opened = self._network.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            opened.setblocking(False)
            # Bound to all protocols only now: nothing of another interface gets in.
            opened.bind((self._interface, _ETH_P_ALL))
        except OSError:
            opened.close()
            raise
        self._socket = opened
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def packets(self, wanted: Callable[[Packet], bool] = lambda packet: True) -> list[Packet]:
        """The frames recorded up to now that `wanted` says yes to."""
        assert self._socket is not None, "the capture is not open"
        while True:
            try:
                data, address = self._socket.recvfrom(65536)
            except BlockingIOError:
                break
            self._packets.append(Packet(address[2] == _PACKET_OUTGOING, data))
        _, dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        assert dropped == 0, f"the capture on {self._interface} itself lost {dropped} packets"
        return [packet for packet in self._packets if wanted(packet)]

    def count(self, wanted: Callable[[Packet], bool]) -> int:
        """How many of the frames recorded up to now `wanted` says yes to."""
        return len(self.packets(wanted))

    def wait_for(self, count: int, wanted: Callable[[Packet], bool], timeout: float = 10.0) -> int:
        """Waits until at least `count` such frames have passed, or for `timeout`; returns how many did."""
        deadline = time.monotonic() + timeout
        while (found := self.count(wanted)) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return found
