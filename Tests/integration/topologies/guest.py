# SPDX-License-Identifier: Apache-2.0
"""A real guest: QEMU with KVM, a tap with vnet_hdr, vhost-net, and virtio-net with one or more queues.

    with GuestTopology(queues=2) as net:
        assert ping(net.ovs.peer, net.guest.ipv4_address, count=20) == 20
        print(net.guest.run("uname -r").output)

The guest runs the kernel that PLUMBLINE_GUEST_KERNEL names (in the lab: the one that the lab booted), from an
initramfs with a static busybox and bash. It takes commands over a virtio-serial port; scripts, outputs and files go
through a directory shared over 9p, which the guest sees as /share.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional

from . import needs
from .netns import HOST, CommandFailed, Network
from .ovs import OvsTopology

# The initramfs maker is the lab's, which boots its machines in the same way.
sys.path.append(str(Path(__file__).resolve().parents[2] / "lab"))
from initramfs import Initramfs  # noqa: E402

#: A guest is up in about 10 s on an idle emulated machine; this bounds a busy one.
BOOT_TIMEOUT = 90.0

#: Nested virtualisation under emulation is not faultless: a guest may crash or hang while it boots.
BOOT_ATTEMPTS = 3
COMMAND_TIMEOUT = 120.0

#: What a guest needs of a kernel that has it as modules; dependencies follow by themselves.
MODULES = ("virtio_pci", "virtio_rng", "virtio_net", "virtio_console", "9pnet_virtio", "9p")

#: Under an emulated SVM, kernels 4.19 and 5.10 break signal frames in a guest that has XSAVE (and so AVX).
PROCESSOR = "host,-xsave,-avx,-avx2,-fma,-f16c,-vaes"

STATIC_BASH = "/bin/bash-static"

_INIT = """#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin HOME=/ TERM=dumb
mkdir -p /proc /sys /tmp /run /share
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" || echo "guest: insmod $module failed"; done < /modules/order
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null
mount -t bpf bpf /sys/fs/bpf 2> /dev/null
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /share || echo "guest: no 9p share"
hostname guest
ip link set lo up
. /network
for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name")" = plumbline ]; then exec 3<> "/dev/${port##*/}"; fi
done
echo ready >&3
while read -r id <&3; do
    (
        setsid sh -c "echo \\$\\$ > /share/$id.pid; exec sh /share/$id.command" \\
            < /dev/null > "/share/$id.output" 2> "/share/$id.errors" 3>&-
        echo "$id $?" >&3
    ) &
done
echo "guest: the channel has ended"
poweroff -f
"""


class GuestDied(AssertionError):
    """The guest crashed, hung or did not start; what it last said is in the message."""


@dataclass(frozen=True)
class GuestResult:
    """What a command in the guest came to."""

    status: int
    output: str
    errors: str


class GuestProcess:
    """A command that runs in the guest."""

    def __init__(self, guest: "Guest", identifier: str, command: str) -> None:
        self._guest = guest
        self._identifier = identifier
        self.command = command

    @property
    def output(self) -> str:
        """What it has written to its standard output up to now."""
        return self._guest.shared_text(f"{self._identifier}.output")

    @property
    def errors(self) -> str:
        """What it has written to its standard error up to now."""
        return self._guest.shared_text(f"{self._identifier}.errors")

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._guest.status_of(self._identifier, timeout=0.0) is not None

    def wait(self, timeout: float = COMMAND_TIMEOUT) -> GuestResult:
        """Waits for its end."""
        status = self._guest.status_of(self._identifier, timeout)
        if status is None:
            raise CommandFailed(f"in the guest: {self.command}: no end after {timeout:.0f} s\n{self.output}{self.errors}")
        return GuestResult(status, self.output, self.errors)

    def wait_for_output(self, text: str, timeout: float = COMMAND_TIMEOUT) -> None:
        """Waits until `text` is in what it wrote, to either stream."""
        deadline = time.monotonic() + timeout
        while text not in self.output + self.errors:
            if self.ended or time.monotonic() > deadline:
                raise CommandFailed(f"in the guest: {self.command}: no {text!r} in\n{self.output}{self.errors}")
            time.sleep(0.1)

    def signal(self, name: str = "TERM") -> None:
        """Sends a signal to it and to what it started."""
        self._guest.run(f"kill -{name} -$(cat /share/{self._identifier}.pid)", check=False)

    def stop(self, timeout: float = COMMAND_TIMEOUT) -> GuestResult:
        """Ends it with SIGTERM and waits for its end."""
        if not self.ended:
            self.signal("TERM")
        return self.wait(timeout)


class Guest:
    """A guest and its tap; `plug` is called with the tap's name before the guest starts."""

    def __init__(
        self,
        plug: Optional[Callable[[str], None]] = None,
        tap: str = "pl-tap",
        queues: int = 1,
        mac: str = "02:00:00:00:03:01",
        ipv4: str = "10.66.10.3/24",
        ipv6: str = "fd66:10::3/64",
        memory: str = "384M",
        processors: Optional[int] = None,
        kernel: Optional[Path] = None,
        modules: Optional[Path] = None,
    ) -> None:
        self.tap = tap
        self.queues = queues
        self.mac = mac
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self._plug = plug
        self._memory = memory
        self._processors = processors if processors is not None else queues
        self._kernel = kernel or Path(os.environ["PLUMBLINE_GUEST_KERNEL"])
        named = os.environ.get("PLUMBLINE_GUEST_MODULES")
        self._modules = modules or (Path(named) if named else None)
        self._directory: Optional[Path] = None
        self._emulator: Optional[subprocess.Popen] = None
        self._channel: Optional[socket.socket] = None
        self._received = b""
        self._statuses: dict[str, int] = {}
        self._commands = 0
        #: Seconds that the guest took from its start to its first command.
        self.boot_seconds = 0.0

    @property
    def ipv4_address(self) -> str:
        """The guest's IPv4 address without its prefix length."""
        return self.ipv4.partition("/")[0]

    @property
    def ipv6_address(self) -> str:
        """The guest's IPv6 address without its prefix length."""
        return self.ipv6.partition("/")[0]

    @property
    def pid(self) -> int:
        """The process id of the guest's QEMU, as the field's tools take it."""
        assert self._emulator is not None, "the guest does not run"
        return self._emulator.pid

    @property
    def vhost_threads(self) -> list[int]:
        """The ids of the vhost workers, one per queue: kernel threads, or threads of QEMU (6.4 and later)."""
        name = f"vhost-{self.pid}"
        found = []
        for root in (Path("/proc"), Path(f"/proc/{self.pid}/task")):
            for directory in root.glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if (directory / "comm").read_text(encoding="ascii").strip() == name:
                        found.append(int(directory.name))
        return sorted(set(found))

    def __enter__(self) -> "Guest":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()

    def start(self) -> "Guest":
        """Makes and plugs the tap, boots the guest, and waits until it takes commands."""
        if (reason := needs.guest()) is not None:
            raise AssertionError(reason)
        HOST.delete_link(self.tap)
        several = ["multi_queue"] if self.queues > 1 else []
        HOST.ip("tuntap", "add", "dev", self.tap, "mode", "tap", "vnet_hdr", *several)
        HOST.ip("link", "set", self.tap, "up")
        if self._plug is not None:
            self._plug(self.tap)
        self._directory = Path(tempfile.mkdtemp(prefix="pl-guest-", dir="/run"))
        (self._directory / "share").mkdir()
        self._write_initramfs(self._directory / "initramfs.gz")
        for attempt in range(1, BOOT_ATTEMPTS + 1):
            try:
                self._boot()
                break
            except GuestDied as error:
                self._end()
                if attempt == BOOT_ATTEMPTS:
                    raise
                print(f"attempt {attempt} of {BOOT_ATTEMPTS} to boot the guest failed: {error}")
        return self

    def _boot(self) -> None:
        assert self._directory is not None
        started = time.monotonic()
        with (self._directory / "qemu.log").open("wb") as log:
            self._emulator = subprocess.Popen(
                self._words(self._directory), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._connect(started + BOOT_TIMEOUT)
        if not self._receive_until(lambda: "ready" in self._statuses, BOOT_TIMEOUT):
            raise GuestDied(f"the guest did not come up in {BOOT_TIMEOUT:.0f} s\n{self.log()}")
        self.boot_seconds = time.monotonic() - started

    def stop(self) -> None:
        """Ends the guest and removes its tap and its directory; safe to call twice."""
        self._end()
        HOST.delete_link(self.tap)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _end(self) -> None:
        """Ends QEMU and forgets what came from the guest."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._emulator is not None:
            self._emulator.terminate()
            try:
                self._emulator.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._emulator.kill()
                self._emulator.wait(timeout=30)
            self._emulator = None
        self._received = b""
        self._statuses.clear()

    def log(self) -> str:
        """The last of what QEMU and the guest's console said."""
        assert self._directory is not None, "the guest does not run"
        lines = []
        for name in ("qemu.log", "console.log"):
            with contextlib.suppress(FileNotFoundError):
                text = (self._directory / name).read_text(encoding="utf-8", errors="replace")
                lines += text.replace("\r", "").splitlines()[-40:]
        return "\n".join(lines)

    # Commands and files

    def put(self, file: Path, name: Optional[str] = None) -> str:
        """Puts a file of the host into the guest, executable, and returns its path there."""
        target = self._share / (name or file.name)
        shutil.copyfile(file, target)
        target.chmod(0o755)
        return f"/share/{target.name}"

    def popen(self, command: str) -> GuestProcess:
        """Starts a shell command in the guest."""
        self._commands += 1
        identifier = str(self._commands)
        (self._share / f"{identifier}.command").write_text(command + "\n", encoding="utf-8")
        assert self._channel is not None, "the guest does not run"
        self._channel.settimeout(COMMAND_TIMEOUT)
        self._channel.sendall(f"{identifier}\n".encode())
        return GuestProcess(self, identifier, command)

    def run(self, command: str, check: bool = True, timeout: float = COMMAND_TIMEOUT) -> GuestResult:
        """Runs a shell command in the guest and waits for its end."""
        result = self.popen(command).wait(timeout)
        if check and result.status != 0:
            raise CommandFailed(f"in the guest: {command}: exit status {result.status}\n{result.output}{result.errors}")
        return result

    def shared_text(self, name: str) -> str:
        """The text of a file in /share; empty while there is none."""
        try:
            return (self._share / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def status_of(self, identifier: str, timeout: float) -> Optional[int]:
        """The exit status of a command by its identifier, or None if it has not ended after `timeout` seconds."""
        self._receive_until(lambda: identifier in self._statuses, timeout)
        return self._statuses.get(identifier)

    # Traffic in known amounts, started by the guest

    def ping(self, address: str, count: int = 1, interval: float = 0.2) -> int:
        """Sends `count` pings from the guest and returns how many were answered."""
        output = self.run(
            f"ping -c {count} -i {interval} -W 5 {address}", check=False, timeout=COMMAND_TIMEOUT + count * interval
        ).output
        received = [line for line in output.splitlines() if "packets received" in line]
        return int(received[0].split(",")[1].split()[0]) if received else 0

    def send_udp(self, address: str, port: int, count: int, size: int = 64) -> None:
        """Sends exactly `count` datagrams of `size` bytes from the guest."""
        self._bash(
            f"exec 4<>/dev/udp/{address}/{port}; printf -v data '%{size}s' ''; "
            f"for ((n = 0; n < {count}; n++)); do printf '%s' \"$data\" >&4; done"
        )

    def send_tcp(self, address: str, port: int, size: int) -> None:
        """Sends exactly `size` bytes over one connection from the guest."""
        self._bash(f"exec 4<>/dev/tcp/{address}/{port}; head -c {size} /dev/zero >&4")

    def receive_udp(self, source: Network, source_address: str, count: int, size: int = 64, port: int = 5001) -> int:
        """Sends `count` datagrams of `size` bytes to the guest and returns how many a process in it received.

        The guest opens the flow with one datagram of its own, so that its port is known.
        """
        family = socket.AF_INET6 if ":" in source_address else socket.AF_INET
        with source.socket(family, socket.SOCK_DGRAM) as sender:
            sender.settimeout(COMMAND_TIMEOUT)
            sender.bind((source_address, port))
            receiver = self.popen(
                f"exec bash -c 'exec 4<>/dev/udp/{source_address}/{port}; printf . >&4; "
                f"timeout 30 dd bs={size} count={count} <&4 | wc -c'"
            )
            _, guest_address = sender.recvfrom(16)
            for _ in range(count):
                sender.sendto(b"." * size, guest_address)
                # dd reads one datagram a time; the guest's socket buffer holds some hundred.
                time.sleep(0.002)
            return int(receiver.wait().output.strip() or 0) // size

    def receive_tcp(self, port: int = 5002) -> GuestProcess:
        """Listens in the guest for one connection; the process's output is the number of bytes it brought."""
        process = self.popen(f"nc -l -p {port} | wc -c")
        self.run(f"n=0; until netstat -ltn | grep -q ':{port} '; do n=$((n + 1)); [ $n -lt 50 ] || exit 1; usleep 100000; done")
        return process

    def _bash(self, script: str) -> None:
        self.run(f"bash -c {shlex.quote(script)}")

    # The machine

    @property
    def _share(self) -> Path:
        assert self._directory is not None, "the guest does not run"
        return self._directory / "share"

    def _write_initramfs(self, path: Path) -> None:
        archive = Initramfs()
        archive.add_busybox()
        archive.add("/bin/bash", Path(STATIC_BASH).read_bytes(), 0o755)
        archive.add("/init", _INIT.encode(), 0o755)
        archive.add_directory("/dev")
        archive.add(
            "/network",
            (
                "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad\n"
                "echo 0 > /proc/sys/net/ipv6/conf/eth0/router_solicitations\n"
                "ip link set eth0 up\n"
                f"ip address add {self.ipv4} dev eth0\n"
                f"ip -6 address add {self.ipv6} dev eth0\n"
            ).encode(),
        )
        archive.add_modules(self._modules, MODULES)
        archive.write(path)

    def _words(self, directory: Path) -> list[str]:
        several = f",mq=on,vectors={2 * self.queues + 2}" if self.queues > 1 else ""
        queues = f",queues={self.queues}" if self.queues > 1 else ""
        return [
            "qemu-system-x86_64",
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
            "-machine", "pc", "-accel", "kvm", "-cpu", PROCESSOR, "-smp", str(self._processors), "-m", self._memory,
            "-serial", f"file:{directory / 'console.log'}",
            "-kernel", str(self._kernel), "-initrd", str(directory / "initramfs.gz"),
            "-append", "console=ttyS0 loglevel=4 panic=-1 random.trust_cpu=on nowatchdog net.ifnames=0",
            "-netdev", f"tap,id=net0,ifname={self.tap},script=no,downscript=no,vhost=on,vhostforce=on{queues}",
            "-device", f"virtio-net-pci,netdev=net0,mac={self.mac},romfile={several}",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=channel,path={directory / 'channel'},server=on,wait=off",
            "-device", "virtserialport,chardev=channel,name=plumbline",
            "-virtfs", f"local,path={directory / 'share'},mount_tag=share,security_model=none",
        ]  # fmt: skip

    def _connect(self, deadline: float) -> None:
        assert self._directory is not None and self._emulator is not None
        while True:
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                channel.connect(str(self._directory / "channel"))
                self._channel = channel
                return
            except (FileNotFoundError, ConnectionRefusedError):
                channel.close()
            if self._emulator.poll() is not None or time.monotonic() > deadline:
                raise GuestDied(f"the guest's QEMU did not start\n{self.log()}")
            time.sleep(0.1)

    def _receive_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Reads the guest's answers until `done`, for at most `timeout` seconds."""
        assert self._channel is not None, "the guest does not run"
        deadline = time.monotonic() + timeout
        while not done():
            self._channel.settimeout(max(0.001, min(1.0, deadline - time.monotonic())))
            try:
                data = self._channel.recv(4096)
            except socket.timeout:
                if time.monotonic() > deadline:
                    return False
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                ended = self._emulator.wait(timeout=30) if self._emulator is not None else None
                raise GuestDied(f"the guest has ended (QEMU's exit status: {ended})\n{self.log()}")
            self._received += data
            *lines, self._received = self._received.split(b"\n")
            for line in lines:
                identifier, _, status = line.decode().strip().partition(" ")
                self._statuses[identifier] = int(status or 0)
        return True


class GuestTopology:
    """Topology 3: the OVS topology with a guest's tap plugged into its bridge.

    Path: guest (10.66.10.3) - virtio - vhost - tun - OVS - "physical" veth - namespace `pl-peer` (10.66.10.2).
    """

    def __init__(self, queues: int = 1, processors: Optional[int] = None) -> None:
        self.ovs = OvsTopology()
        self.guest = Guest(self.ovs.plug, queues=queues, processors=processors)
        self._cleanup = contextlib.ExitStack()

    @property
    def peer(self) -> Network:
        """The namespace behind the "physical" port."""
        return self.ovs.peer

    def __enter__(self) -> "GuestTopology":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.ovs)
            stack.enter_context(self.guest)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._cleanup.close()
