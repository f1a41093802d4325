# SPDX-License-Identifier: Apache-2.0
"""Traffic in known amounts between networks of this machine."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Optional

from .netns import Network

#: No transfer waits longer than this for its other side.
TRAFFIC_TIMEOUT = 30.0


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def send_udp(source: Network, address: str, port: int, count: int, size: int = 64, interval: float = 0.0) -> None:
    """Sends exactly `count` datagrams of `size` bytes."""
    with source.socket(_family(address), socket.SOCK_DGRAM) as sender:
        for number in range(count):
            sender.sendto(number.to_bytes(4, "big").ljust(size, b"."), (address, port))
            if interval:
                time.sleep(interval)


def send_tcp(source: Network, address: str, port: int, size: int) -> None:
    """Sends exactly `size` bytes over one connection and waits until the other side has read to the end."""
    with source.socket(_family(address), socket.SOCK_STREAM) as sender:
        sender.settimeout(TRAFFIC_TIMEOUT)
        sender.connect((address, port))
        block = b"." * 65536
        left = size
        while left:
            left -= sender.send(block[: min(left, len(block))])
        sender.shutdown(socket.SHUT_WR)
        while sender.recv(65536):
            pass


class _Sink:
    """A socket in a network, read by a thread of its own until the context ends."""

    kind = socket.SOCK_STREAM

    def __init__(self, network: Network, address: str, port: int) -> None:
        self._network = network
        self._address = address
        self._port = port
        self._ended = threading.Event()
        self._socket: Optional[socket.socket] = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):  # type: ignore[no-untyped-def]
        opened = self._network.socket(_family(self._address), self.kind)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            opened.bind((self._address, self._port))
            opened.settimeout(0.2)
            if self.kind == socket.SOCK_STREAM:
                opened.listen()
        except OSError:
            opened.close()
            raise
        self._socket = opened
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._ended.set()
        self._thread.join(TRAFFIC_TIMEOUT)
        if self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        assert self._socket is not None
        while not self._ended.is_set():
            try:
                self._take(self._socket)
            except socket.timeout:
                continue

    def _take(self, opened: socket.socket) -> None:
        raise NotImplementedError


class UdpSink(_Sink):
    """Receives datagrams and counts them."""

    kind = socket.SOCK_DGRAM
    received = 0

    def _take(self, opened: socket.socket) -> None:
        opened.recv(65536)
        self.received += 1

    def wait_for(self, count: int, timeout: float = TRAFFIC_TIMEOUT) -> int:
        """Waits until `count` datagrams are there, or for `timeout`; returns how many are."""
        deadline = time.monotonic() + timeout
        while self.received < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.received


class TcpSink(_Sink):
    """Accepts connections one after the other, reads each to its end, and counts bytes."""

    received = 0
    connections = 0

    def _take(self, opened: socket.socket) -> None:
        connection, _ = opened.accept()
        with connection:
            connection.settimeout(TRAFFIC_TIMEOUT)
            while data := connection.recv(65536):
                self.received += len(data)
        self.connections += 1

    def wait_for(self, size: int, timeout: float = TRAFFIC_TIMEOUT) -> int:
        """Waits until `size` bytes are there, or for `timeout`; returns how many are."""
        deadline = time.monotonic() + timeout
        while self.received < size and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.received
