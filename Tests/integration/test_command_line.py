# SPDX-License-Identifier: Apache-2.0
"""What does not measure: bad input, missing rights, a reader that leaves, a killed tool, other kernels' types."""

from __future__ import annotations

import os
import signal
import subprocess

import drops
import plumbline
import pytest
from plumbline import BIN, ROOT, Tool, run
from topologies.netns import TwoNamespaces

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")

BAD_INPUT = [
    ("eth-drop", "--src-ip 10.0.0.256", "--src-ip"),
    ("eth-drop", "--dst-ip fd00::/129", "--dst-ip"),
    ("eth-drop", "--src-port 65536", "--src-port"),
    ("eth-drop", "--protocol bogus", "--protocol"),
    ("eth-drop", "--protocol icmp --dst-port 5", "--dst-port"),
    ("eth-drop", "--src-ip 10.0.0.1 --dst-ip fd00::1", "--src-ip"),
    ("eth-drop", "--vlan-id 4096", "--vlan-id"),
    ("eth-drop", "--type 0x12", "--type"),
    ("eth-drop", "--type arp --src-port 5", "--type"),
    ("eth-drop", "--interface a-name-that-is-too-long", "--interface"),
    ("eth-drop", "--rate-limit 0", "--rate-limit"),
    ("eth-drop", "--buffer-size 1", "--buffer-size"),
    ("eth-drop", "--duration -3", "--duration"),
    ("eth-drop", "--format xml", "--format"),
    ("eth-drop", "--object best", "--object"),
    ("eth-drop", "--no-such-option", "--no-such-option"),
    ("eth-drop", "stray", "stray"),
    ("drop-summary", "--group-by location,colour", "--group-by"),
    ("drop-summary", "--interval 0.01", "--interval"),
    ("drop-summary", "--top 0", "--top"),
    ("drop-summary", "--count 0", "--count"),
    ("plumbline", "no-such-tool", "no-such-tool"),
]


@pytest.mark.parametrize("tool,arguments,named", BAD_INPUT, ids=lambda value: str(value).replace(" ", "_"))
def test_bad_input(tool: str, arguments: str, named: str) -> None:
    """As nobody, who may load nothing: so nothing was loaded."""
    result = run(tool, *arguments.split(), prefix=NOBODY)
    assert result.returncode == 64 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and named in result.stderr, result.stderr


@pytest.mark.parametrize("arguments", ["--reason NO_SUCH_REASON", "--location no_such_function", "--btf /etc/hostname", "--btf /nonexistent"])
def test_bad_input_that_only_this_kernel_can_tell(arguments: str) -> None:
    result = run("eth-drop", *arguments.split())
    assert result.returncode == 64 and result.stdout == "" and result.stderr.count("\n") == 1
    assert arguments.split()[0] in result.stderr


@pytest.mark.parametrize("tool", ["eth-drop", "drop-summary"])
def test_not_root(tool: str) -> None:
    result = run(tool, prefix=NOBODY)
    assert result.returncode == 77 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "root" in result.stderr


def test_no_capability_at_all() -> None:
    """Root, but with nothing but its name."""
    result = run("eth-drop", prefix=("setpriv", "--bounding-set", "-all", "--inh-caps", "-all"))
    assert result.returncode == 77 and result.stderr.count("\n") == 1


def test_help_and_version() -> None:
    for tool in ("eth-drop", "drop-summary", "plumbline"):
        assert "USAGE" in run(tool, "--help").stdout
        assert run(tool, "--version").stdout.strip()


def test_multi_call(net: TwoNamespaces, tmp_path: object) -> None:
    """By its first word, and by the name it is called by."""
    result = run("plumbline", "eth-drop", "--duration", "0.2", "--format", "json")
    assert result.returncode == 0 and '"tool":"eth-drop"' in result.stdout
    link = os.path.join(str(tmp_path), "drop-summary")
    os.symlink(BIN / "plumbline", link)
    named = subprocess.run([link, "--duration", "0.2", "--format", "json"], capture_output=True, text=True, timeout=60, check=False)
    assert named.returncode == 0 and '"tool":"drop-summary"' in named.stdout


def test_reader_that_leaves(net: TwoNamespaces, variant: str) -> None:
    """The report's end goes to standard error, and the status is 0."""
    tool = Tool("eth-drop", "--dst-ip", "10.66.0.2", "--dst-port", "9", variant=variant)
    with tool:
        assert tool.process.stdout is not None and tool.process.stderr is not None
        tool.process.stdout.close()
        drops.udp(net.left, net.right_end.ipv4_address, 9, 3)
        assert tool.process.wait(timeout=plumbline.TIMEOUT) == 0
        assert b"output closed; seen" in tool.process.stderr.read()
        tool.process.stdout = None


def test_nothing_stays_in_the_kernel(net: TwoNamespaces, variant: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        before = plumbline.loaded_programs().count("kfree_skb")
        with Tool("eth-drop", variant=variant) as tool:
            assert plumbline.loaded_programs().count("kfree_skb") == before + 1
            tool.process.send_signal(number)
            tool.process.wait(timeout=plumbline.TIMEOUT)
            plumbline.wait_until(lambda: plumbline.loaded_programs().count("kfree_skb") == before)


@pytest.mark.parametrize("tool,name", [("eth-drop", "eth_drop"), ("drop-summary", "drop_summary")])
def test_types_from_a_file(net: TwoNamespaces, tmp_path: object, tool: str, name: str) -> None:
    """A minimised BTF, as a kernel without its own gets: the legacy object gives the same numbers."""
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("this kernel has no BTF to minimise")
    path = os.path.join(str(tmp_path), "minimised.btf")
    made = ["bpftool", "gen", "min_core_btf", "/sys/kernel/btf/vmlinux", path, str(ROOT / "build" / "bpf" / f"{name}.legacy.o")]
    subprocess.run(made, check=True, capture_output=True, timeout=plumbline.TIMEOUT)
    assert os.path.getsize(path) < 100_000
    with Tool(tool, "--btf", path, "--dst-ip", "10.66.0.2", "--dst-port", "9", variant="legacy") as running:
        drops.udp(net.left, net.right_end.ipv4_address, 9, 37)
        running.stop()
    assert running.header["btf"] == path
    assert running.summary["printed"] == 37 and running.summary["complete"] is True


def test_report_that_cannot_be_written() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [str(BIN / "eth-drop"), "--duration", "0.2"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=plumbline.TIMEOUT, check=False)
    assert result.returncode == 74 and "cannot write the report" in result.stderr


def test_nohup_is_respected() -> None:
    """A hang-up that was ignored when the tool started goes on being ignored."""
    tool = subprocess.Popen(["nohup", str(BIN / "eth-drop"), "--duration", "3", "--format", "json"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert tool.stdout is not None
    first = tool.stdout.readline()
    tool.send_signal(signal.SIGHUP)
    rest = tool.communicate(timeout=plumbline.TIMEOUT)[0]
    assert b'"header"' in first and b'"end":"duration"' in rest


def test_reader_that_takes_nothing(net: TwoNamespaces, variant: str) -> None:
    """A full pipe cannot keep a run from ending: after the grace at its end it is given up, and said so."""
    command = [str(BIN / "eth-drop"), *plumbline.kernel_options(variant), "--duration", "1", "--stack", "--dst-port", "9", "--dst-ip", "10.66.0.2"]
    tool = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert tool.stdout is not None and tool.stderr is not None
    tool.stdout.readline()
    drops.udp(net.left, net.right_end.ipv4_address, 9, 3000)
    assert tool.wait(timeout=plumbline.TIMEOUT) == 74
    assert b"its reader took nothing" in tool.stderr.read()
    tool.stdout.close()
    tool.stderr.close()
