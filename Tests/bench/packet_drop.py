# SPDX-License-Identifier: Apache-2.0
"""Figures of the packet-drop tools beside their peers, taken in turn in one run: `make bench`.

Peers, from Debian: runqlat of libbpf-tools for start and memory (libbpf-tools has no drop tool of its own), and a
bpftrace script that counts skb:kfree_skb by location for the cost of a drop. Prints the figures with the ratios and
their spread, and writes them to docs/overhead.md, and all samples to build/bench.json.
"""

from __future__ import annotations

import ctypes
import json
import os
import pty
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build" / "bin"))
FLOOD = ROOT / "build" / "flood"
NAMESPACE = "plumbline-bench"
PAIRS = 5
FLOOD_SECONDS = 2.0
# It reads tracepoint formats: tracefs is mounted for it alone, in a mount namespace of its own.
BPFTRACE = [
    "unshare", "--mount", "sh", "-c",
    "mount -t tracefs tracefs /sys/kernel/tracing && exec bpftrace -e 'tracepoint:skb:kfree_skb { @[args->location] = count(); }'",
]


def peak_memory(pid: int) -> int:
    """Peak resident KiB of a running process (its accounting at the end would include this interpreter's, before exec)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def wait_for(pid: int) -> float:
    """CPU seconds of a child that ends."""
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_utime + usage.ru_stime


def start(command: Sequence[str]) -> dict[str, float]:
    """Milliseconds from exec to the first line on a terminal, which comes when the probes are in; peak memory."""
    ours, theirs = pty.openpty()
    began = time.monotonic()
    actions = [(os.POSIX_SPAWN_DUP2, theirs, 1), (os.POSIX_SPAWN_DUP2, theirs, 2)]
    pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=actions)
    os.close(theirs)
    os.read(ours, 4096)
    taken = time.monotonic() - began
    time.sleep(0.3)
    memory = peak_memory(pid)
    os.kill(pid, signal.SIGINT)
    try:
        while os.read(ours, 1 << 16):
            pass
    except OSError:
        pass
    cpu = wait_for(pid)
    os.close(ours)
    return {"start_ms": taken * 1000, "memory_kib": memory, "cpu_s": cpu}


@contextmanager
def namespace() -> Iterator[None]:
    """A namespace whose firewall drops UDP datagrams to port 9 on loopback."""
    ip = ["ip"]
    subprocess.run([*ip, "netns", "delete", NAMESPACE], stderr=subprocess.DEVNULL, check=False)
    try:
        subprocess.run([*ip, "netns", "add", NAMESPACE], check=True)
        subprocess.run([*ip, "-n", NAMESPACE, "link", "set", "lo", "up"], check=True)
        rules = (
            "add table inet bench\n"
            "add chain inet bench in { type filter hook input priority 0 ; }\n"
            "add rule inet bench in udp dport 9 drop\n"
        )
        subprocess.run([*ip, "netns", "exec", NAMESPACE, "nft", "-f", "-"], input=rules, text=True, check=True)
        yield
    finally:
        subprocess.run([*ip, "netns", "delete", NAMESPACE], check=False)


def flood(threads: int = 1) -> int:
    """Datagrams sent, all of which are dropped."""
    command = ["ip", "netns", "exec", NAMESPACE, str(FLOOD), "127.0.0.1", "9", str(FLOOD_SECONDS), str(threads)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@contextmanager
def bpf_statistics() -> Iterator[None]:
    """The kernel measures BPF programs while this is open (BPF_ENABLE_STATS, 5.8; no sysctl is touched)."""
    libc = ctypes.CDLL(None, use_errno=True)
    kind = ctypes.c_uint32(0)
    descriptor = libc.syscall({"x86_64": 321, "aarch64": 280}[os.uname().machine], 32, ctypes.byref(kind), 4)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "BPF_ENABLE_STATS")
    try:
        yield
    finally:
        os.close(descriptor)


def program_cost() -> Optional[float]:
    """Nanoseconds per run of the busiest tracing program in the kernel."""
    listed = json.loads(subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True, check=True).stdout)
    ran = [p for p in listed if p.get("run_cnt", 0) > 1000 and p["type"] in ("tracing", "raw_tracepoint", "tracepoint")]
    if not ran:
        return None
    program = max(ran, key=lambda p: p["run_cnt"])
    return float(program["run_time_ns"]) / float(program["run_cnt"])


def under_flood(command: Sequence[str], output: str) -> dict[str, Any]:
    """Runs a tool, floods, ends the tool: drops per second, cost per drop, and what the tool said."""
    with open(output, "wb") as file, bpf_statistics():
        pid = os.posix_spawnp(
            command[0], list(command), os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)],
        )
        time.sleep(2.0)
        sent = flood()
        cost = program_cost()
        if cost is None:
            raise RuntimeError(f"{command}: no BPF program ran")
        time.sleep(0.2)
        memory = peak_memory(pid)
        os.kill(pid, signal.SIGINT)
        cpu = wait_for(pid)
    return {"sent": sent, "rate": sent / FLOOD_SECONDS, "cost_ns": cost, "cpu_s": cpu, "memory_kib": memory}


def summary(path: str) -> dict[str, Any]:
    """The last record of a JSON report."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - (1 << 16)))
        return json.loads(file.read().splitlines()[-1])


_LINES: list[str] = []


def say(line: str) -> None:
    """A line of the report."""
    print(line, flush=True)
    _LINES.append(line)


def write_page(path: Path) -> None:
    """The report as a page of the documentation."""
    uname = os.uname()
    path.write_text(
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n# Overhead\n\n"
        f"Made by `make bench` on kernel {uname.release} {uname.machine}, {os.cpu_count()} CPUs, a shared virtual machine: "
        "medians, and in parentheses the range of the pairs. Ratios are tool / peer, both taken in turn in one run.\n\n"
        "```\n" + "\n".join(_LINES) + "\n```\n\n"
        "\"Start\" is the time from exec to the first line of output, which comes when the probes are in; for eth-drop and\n"
        "drop-summary that includes reading the names of the drop reasons. \"Memory\" is the peak of resident memory. The\n"
        "cost per drop is the kernel's own measurement of the BPF program; the flood sends datagrams over loopback, all of\n"
        "which a firewall rule drops, from one thread.\n",
        encoding="utf-8",
    )


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> int:
    results: dict[str, Any] = {"kernel": os.uname().release, "pairs": PAIRS}
    tools = {"eth-drop": [str(BIN / "eth-drop")], "drop-summary": [str(BIN / "drop-summary")]}

    say(f"== Start and memory: {PAIRS} pairs, tool / runqlat (libbpf-tools)")
    for name, command in tools.items():
        start(command), start(["runqlat"])
        pairs = [(start(command), start(["runqlat"])) for _ in range(PAIRS)]
        for figure, unit in (("start_ms", "ms"), ("memory_kib", "KiB")):
            ours, theirs = [a[figure] for a, _ in pairs], [b[figure] for _, b in pairs]
            ratios = [a / b for a, b in zip(ours, theirs)]
            results[f"{name} {figure}"] = {"ours": ours, "theirs": theirs, "ratio": statistics.median(ratios)}
            say(f"{name:14} {figure:11} {statistics.median(ours):9.1f} {unit}  runqlat {statistics.median(theirs):9.1f} {unit}  ratio {spread(ratios)}")

    with namespace():
        say(f"== drop-summary under flood: {PAIRS} pairs, tool / bpftrace counting by location")
        for variant in ("btf", "legacy"):
            command = [*tools["drop-summary"], "--object", variant, "--interval", "60", "--format", "json"]
            pairs = []
            for _ in range(PAIRS):
                alone = flood() / FLOOD_SECONDS
                ours = under_flood(command, "/tmp/plumbline-bench.json")
                said = summary("/tmp/plumbline-bench.json")
                counted = said["drops"]
                theirs = under_flood(BPFTRACE, "/tmp/plumbline-bench.txt")
                assert said["complete"] and counted >= ours["sent"], f"lost: sent {ours['sent']}, counted {counted}, {said['gaps']}"
                pairs.append((alone, ours, theirs))
            costs = [a["cost_ns"] for _, a, _ in pairs]
            peers = [b["cost_ns"] for _, _, b in pairs]
            results[f"drop-summary {variant} flood"] = pairs
            say(f"{variant:7} drops/s: alone {statistics.median(p[0] for p in pairs):,.0f}, with drop-summary "
                  f"{statistics.median(p[1]['rate'] for p in pairs):,.0f}, with bpftrace {statistics.median(p[2]['rate'] for p in pairs):,.0f}; nothing lost")
            say(f"{variant:7} cost per drop: {statistics.median(costs):.0f} ns, bpftrace {statistics.median(peers):.0f} ns, "
                  f"ratio {spread([a / b for a, b in zip(costs, peers)])}; peak memory "
                  f"{max(p[1]['memory_kib'] for p in pairs):.0f} KiB, bpftrace {max(p[2]['memory_kib'] for p in pairs):.0f} KiB")

        say("== eth-drop to a file under flood")
        for variant in ("btf", "legacy"):
            for form in ("text", "json"):
                rates, lost, memory = [], [], []
                for _ in range(3):
                    path = "/tmp/plumbline-bench.out"
                    ran = under_flood([*tools["eth-drop"], "--object", variant, "--format", form, "--dst-ip", "127.0.0.1", "--dst-port", "9"], path)
                    if form == "json":
                        said = summary(path)
                        printed, gone = said["printed"], said["lost"]
                    else:
                        line = subprocess.run(["tail", "-3", path], capture_output=True, text=True, check=True).stdout
                        words = line.replace(",", "").split()
                        printed, gone = int(words[words.index("printed") + 1]), int(words[words.index("lost") + 1])
                    assert printed + gone == ran["sent"], f"printed {printed} + lost {gone} != sent {ran['sent']}"
                    rates.append(printed / FLOOD_SECONDS)
                    lost.append(gone / ran["sent"])
                    memory.append(ran["memory_kib"])
                    os.unlink(path)
                results[f"eth-drop {variant} {form}"] = {"rates": rates, "lost": lost}
                say(f"{variant:7} {form:5} {statistics.median(rates):,.0f} records/s written, {statistics.median(lost):.1%} lost and counted, "
                      f"peak memory {max(memory):.0f} KiB")

    (ROOT / "build" / "bench.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    write_page(ROOT / "docs" / "overhead.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
