# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel under software emulation and runs one command in it.

The booted system is the machine's own root file system: read-only over 9p, with a tmpfs over it that takes all
writes. There are no services: an initramfs with a static busybox loads what 9p needs, and a small init
mounts the kernel's file systems, runs the command and leaves its exit status in a directory shared with the
machine. What the command writes to that directory (RESULTS) stays; everything else is gone afterwards.
"""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Optional

from emulator import Emulator
from emulator import find as find_emulator
from initramfs import Initramfs
from kernels import Kernel, default_cache

#: Where the shared directory and an external BTF file of the kernel are seen in the booted system. The BTF file is the
#: one that was given, or else a copy of what the kernel itself has.
RESULTS = "/run/lab/results"
BTF = "/run/lab/vmlinux.btf"

#: What the root file system, and the random numbers, need of a kernel that has it as modules.
ROOT_MODULES = ("virtio_pci", "virtio_rng", "9pnet_virtio", "9p", "overlay")

CONSOLE_TAIL_LINES = 40

_FIRST_INIT = """#!/bin/busybox sh
export PATH=/bin
fail() { echo "lab: $*" > /dev/console; sleep 1; reboot -f; }
mkdir -p /proc /sys /dev /lower /layer /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" || echo "lab: insmod $module failed"; done < /modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /lower || fail "no 9p root"
mount -t tmpfs -o size=60% tmpfs /layer || fail "no tmpfs"
mkdir -p /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /root || fail "no overlay"
mkdir -p /root/run /root/dev /root/proc /root/sys
mount -t tmpfs -o mode=755 tmpfs /root/run
mkdir -p /root/run/lab/results
cp /init.second /root/run/lab/init
cp /bin/busybox /root/run/lab/busybox
[ ! -f /vmlinux.btf ] || cp /vmlinux.btf /root/run/lab/vmlinux.btf
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 results /root/run/lab/results || fail "no 9p results"
if [ -f /has.modules ]; then
    mkdir -p "/root/lib/modules/$(uname -r)"
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro modules "/root/lib/modules/$(uname -r)" \\
        || fail "no 9p modules"
fi
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
exec switch_root /root /run/lab/busybox sh /run/lab/init
fail "no switch_root"
"""

# Process 1 of the booted system. It never ends: a shell that ends would panic the kernel before power-off.
_SECOND_INIT = """
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
b=/run/lab/busybox
$b mkdir -p /dev/pts /dev/shm
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
$b mount -t tmpfs tmpfs /dev/shm
[ -e /dev/fd ] || $b ln -s /proc/self/fd /dev/fd
# Optional ones: a kernel may be built without.
$b mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
$b mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null
$b mount -t bpf bpf /sys/fs/bpf 2> /dev/null
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup 2> /dev/null
[ -f /run/lab/vmlinux.btf ] || $b cp /sys/kernel/btf/vmlinux /run/lab/vmlinux.btf 2> /dev/null
$b hostname lab
$b ip link set lo up
echo 1 > /proc/sys/kernel/sysrq
$b cut -d ' ' -f 1 /proc/uptime > /run/lab/results/booted
$b setsid /bin/sh /run/lab/results/command < /dev/null > /run/lab/results/output.log 2>&1 &
wait $!
echo $? > /run/lab/results/status
$b sync
$b poweroff -f
$b sleep 5
$b reboot -f
while :; do $b sleep 60; done
"""


@dataclass(frozen=True)
class Machine:
    """The emulated machine's size."""

    processors: int = 2
    memory: str = "3G"
    #: `max` offers SVM, so that guests run inside; page tables have four levels, as on the hosts of the field.
    processor: str = "max,-la57"
    arguments: tuple[str, ...] = ()


@dataclass
class Outcome:
    """How a boot ended."""

    #: The command's exit status, or None when it did not come to its end.
    status: Optional[int]
    #: Why there is no status: a panic, a hang, an emulator that did not start.
    problem: str
    #: Seconds from power-on to the command, as the booted kernel counts them.
    boot_seconds: Optional[float]
    seconds: float
    output: str = ""
    console_tail: list[str] = field(default_factory=list)


def run(
    kernel: Kernel,
    command: str,
    results: Path,
    timeout: float,
    environment: Optional[Mapping[str, str]] = None,
    machine: Machine = Machine(),
    emulator: Optional[Emulator] = None,
) -> Outcome:
    """Boots `kernel`, runs the shell command in it and waits for the end, at most `timeout` seconds.

    `results` becomes RESULTS in the booted system; status, output.log and console.log are left there.
    """
    emulator = emulator or find_emulator(default_cache())
    results.mkdir(parents=True, exist_ok=True)
    for name in ("status", "booted", "output.log", "console.log"):
        (results / name).unlink(missing_ok=True)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    (results / "command").write_text("\n".join([*lines, command, ""]), encoding="utf-8")
    initramfs = results / "initramfs.gz"
    _write_initramfs(kernel, initramfs)
    started = time.monotonic()
    problem = ""
    process = subprocess.Popen(
        _words(emulator, kernel, results, initramfs, machine),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        message, _ = process.communicate(timeout=timeout)
        if process.returncode != 0:
            problem = f"the emulator failed: {message.strip()}"
    except subprocess.TimeoutExpired:
        problem = f"hung: ended by the time limit of {timeout:.0f} s"
    finally:
        # Also after an interrupt: no emulator outlives its run.
        if process.poll() is None:
            process.kill()
            process.communicate()
        initramfs.unlink(missing_ok=True)
    return _outcome(results, problem, time.monotonic() - started)


def _outcome(results: Path, problem: str, seconds: float) -> Outcome:
    console = _text(results / "console.log").replace("\r", "").splitlines()
    status_text = _text(results / "status").strip()
    status = int(status_text) if status_text.isdigit() else None
    if status is None and not problem:
        reason = next((line for line in console if "Kernel panic" in line), None)
        problem = f"the kernel died: {reason.strip()}" if reason else "the machine ended before the command did"
    booted = _text(results / "booted").strip()
    return Outcome(
        status=status,
        problem="" if status is not None else problem,
        boot_seconds=float(booted) if booted else None,
        seconds=seconds,
        output=_text(results / "output.log"),
        console_tail=console[-CONSOLE_TAIL_LINES:],
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _write_initramfs(kernel: Kernel, path: Path) -> None:
    archive = Initramfs()
    archive.add_busybox()
    archive.add("/init", _FIRST_INIT.encode(), 0o755)
    archive.add("/init.second", _SECOND_INIT.encode(), 0o755)
    archive.add_directory("/dev")
    archive.add_modules(kernel.modules, ROOT_MODULES)
    if kernel.modules is not None:
        archive.add("/has.modules", b"")
    if kernel.btf is not None:
        archive.add("/vmlinux.btf", kernel.btf.read_bytes())
    archive.write(path)


def _words(emulator: Emulator, kernel: Kernel, results: Path, initramfs: Path, machine: Machine) -> list[str]:
    def share(path: Path, tag: str, *options: str) -> list[str]:
        words = ["local", f"path={path}", f"mount_tag={tag}", "security_model=none", "multidevs=remap", *options]
        return ["-virtfs", ",".join(words)]

    parameters = [
        "console=ttyS0",
        "loglevel=5",
        # A panic ends the emulator: it reboots at once, and -no-reboot makes that the end.
        "panic=-1",
        # 4.19 blocks early in user space for lack of entropy otherwise; virtio-rng is for one built without this.
        "random.trust_cpu=on",
        # Emulated code is slow enough to look locked up; the time limit finds real hangs.
        "nowatchdog",
        "rcupdate.rcu_cpu_stall_timeout=300",
        "net.ifnames=0",
        # The emulated TSC is the same on all processors; the kernel would fall back to a clock that exits to the emulator.
        "tsc=reliable",
    ]
    return [
        *(["nice", "-n", "10"] if shutil.which("nice") else []),
        *emulator.words,
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
        "-machine", "pc", "-accel", "tcg,thread=multi",
        "-cpu", machine.processor, "-smp", str(machine.processors), "-m", machine.memory,
        "-serial", f"file:{results / 'console.log'}",
        "-kernel", str(kernel.image), "-initrd", str(initramfs), "-append", " ".join(parameters),
        "-device", "virtio-rng-pci",
        *share(Path("/"), "root", "readonly=on"),
        *share(results.resolve(), "results"),
        *(share(kernel.modules, "modules", "readonly=on") if kernel.modules else []),
        *machine.arguments,
    ]  # fmt: skip


def describe(outcome: Outcome) -> list[str]:
    """A failed boot in lines a person can act on: what happened, and the console's last lines."""
    lines = [outcome.problem or f"exit status {outcome.status}"]
    return [*lines, *(f"  console: {line}" for line in outcome.console_tail)]


def as_json(outcome: Outcome) -> dict[str, object]:
    """The outcome without its output, for the results file."""
    fields = dataclasses.asdict(outcome)
    del fields["output"]
    return fields

