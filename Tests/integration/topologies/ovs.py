# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with its kernel datapath, started by hand: own database, own sockets, no service.

    with OvsTopology() as ovs:
        ovs.switch.flush_flows()
        before = ovs.switch.statistics()
        ping(ovs.peer, ovs.internal_end.ipv4_address)
        assert ovs.switch.statistics().missed > before.missed
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Optional

from .netns import HOST, End, Namespace, VethPair

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"

#: Starting and stopping a daemon may take this long on an emulated machine.
DAEMON_TIMEOUT = 60.0


@dataclass(frozen=True)
class DatapathStatistics:
    """The datapath's own counters: an upcall is a `missed`."""

    hit: int
    missed: int
    lost: int
    flows: int


class OpenVSwitch:
    """ovsdb-server and ovs-vswitchd, with the helpers to talk to them."""

    #: The kernel datapath that every bridge of an ovs-vswitchd is in.
    DATAPATH = "ovs-system"

    def __init__(self) -> None:
        self.directory = ""
        self._daemons: list[subprocess.Popen] = []

    def __enter__(self) -> "OpenVSwitch":
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

    def start(self) -> "OpenVSwitch":
        """Starts both daemons; bridges can be added when this returns."""
        HOST.run("modprobe", "openvswitch", check=False)
        self._remove_datapath()
        os.makedirs("/run", exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="pl-ovs-", dir="/run")
        database = f"{self.directory}/conf.db"
        HOST.run("ovsdb-tool", "create", database, SCHEMA)
        self._spawn("ovsdb-server", database, f"--remote=punix:{self.directory}/db.sock")
        self._await(f"{self.directory}/db.sock")
        self.vsctl("--no-wait", "init")
        self._spawn("ovs-vswitchd", f"unix:{self.directory}/db.sock")
        self._await(f"{self.directory}/ovs-vswitchd.ctl")
        return self

    def stop(self) -> None:
        """Ends the daemons and removes datapath and directory; safe to call twice."""
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(timeout=DAEMON_TIMEOUT)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait(timeout=DAEMON_TIMEOUT)
        self._daemons.clear()
        self._remove_datapath()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = ""

    @property
    def database(self) -> str:
        """The database's socket, in the form OVS programs take."""
        return f"unix:{self.directory}/db.sock"

    @property
    def vswitchd_pid(self) -> int:
        """The process id of ovs-vswitchd."""
        return self._daemons[1].pid

    def vsctl(self, *argv: str) -> str:
        """Runs ovs-vsctl; it returns when ovs-vswitchd has taken the change over."""
        return HOST.run("ovs-vsctl", f"--db={self.database}", f"--timeout={DAEMON_TIMEOUT:.0f}", *argv).stdout

    def appctl(self, *argv: str) -> str:
        """Runs ovs-appctl on ovs-vswitchd."""
        return HOST.run("ovs-appctl", "-t", f"{self.directory}/ovs-vswitchd.ctl", *argv).stdout

    def ofctl(self, command: str, bridge: str, *argv: str) -> str:
        """Runs ovs-ofctl on a bridge."""
        return HOST.run("ovs-ofctl", command, f"{self.directory}/{bridge}.mgmt", *argv).stdout

    def dpctl(self, *argv: str) -> str:
        """Runs ovs-dpctl, which asks the kernel itself."""
        return HOST.run("ovs-dpctl", *argv).stdout

    def add_bridge(self, bridge: str) -> None:
        """Adds a bridge, which forwards by MAC learning, with an internal port of its own name."""
        self.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=system")

    def add_port(self, bridge: str, port: str, *settings: str, kind: Optional[str] = None, tag: Optional[int] = None) -> None:
        """Plugs an interface into a bridge; `kind="internal"` makes it, `tag` puts it in a VLAN."""
        words = ["add-port", bridge, port, *([f"tag={tag}"] if tag is not None else [])]
        if kind is not None:
            words += ["--", "set", "interface", port, f"type={kind}", *settings]
        self.vsctl(*words)

    def flows(self) -> list[str]:
        """The megaflows in the kernel, one line each."""
        return self.dpctl("dump-flows", self.DATAPATH).splitlines()

    def wait_for_flow(self, *parts: str, timeout: float = DAEMON_TIMEOUT) -> str:
        """Waits for a megaflow whose line holds all of `parts`, and returns it."""
        deadline = time.monotonic() + timeout
        while True:
            flows = self.flows()
            found = next((flow for flow in flows if all(part in flow for part in parts)), None)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"no flow with {parts} in:\n" + "\n".join(flows))
            time.sleep(0.1)

    def flush_flows(self) -> None:
        """Removes all megaflows: the next packet of any flow is an upcall."""
        # Not `del-flows`: ovs-vswitchd would go on believing in the flows, and install none again for a while.
        self.appctl("revalidator/purge")

    def statistics(self) -> DatapathStatistics:
        """The datapath's counters, as ovs-dpctl shows them."""
        text = self.dpctl("show", self.DATAPATH)
        lookups = re.search(r"lookups: hit:(\d+) missed:(\d+) lost:(\d+)", text)
        flows = re.search(r"flows: (\d+)", text)
        assert lookups is not None and flows is not None, f"ovs-dpctl show has no counters:\n{text}"
        return DatapathStatistics(*(int(number) for number in (*lookups.groups(), flows.group(1))))

    def log(self) -> str:
        """What the daemons had to say."""
        text = ""
        for name in ("ovsdb-server", "ovs-vswitchd"):
            with contextlib.suppress(FileNotFoundError), open(f"{self.directory}/{name}.log", encoding="utf-8") as file:
                text += file.read()
        return text

    def _spawn(self, program: str, *argv: str) -> None:
        environment = {
            **os.environ,
            "OVS_RUNDIR": self.directory,
            "OVS_LOGDIR": self.directory,
            "OVS_DBDIR": self.directory,
            "OVS_SYSCONFDIR": self.directory,
        }
        words = [program, *argv, f"--unixctl={self.directory}/{program}.ctl", "--pidfile", "--log-file", "-vconsole:off"]
        self._daemons.append(
            subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def _await(self, path: str) -> None:
        deadline = time.monotonic() + DAEMON_TIMEOUT
        while not os.path.exists(path):
            ended = [daemon for daemon in self._daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"OVS did not start: no {path}\n{self.log()}")
            time.sleep(0.1)

    def _remove_datapath(self) -> None:
        # The datapath outlives ovs-vswitchd, with its ports.
        HOST.run("ovs-dpctl", "del-dp", self.DATAPATH, check=False)


class OvsTopology:
    """Topology 2: bridge `pl-br` with its internal port, and `pl-phy` as "physical" port to namespace `pl-peer`.

    The internal port is the host's end (10.66.10.1, fd66:10::1); behind the "physical" port, in the namespace,
    is `phy-peer` (10.66.10.2, fd66:10::2). A guest's tap is added by `plug`.
    """

    def __init__(self, bridge: str = "pl-br") -> None:
        self.bridge = bridge
        self.switch = OpenVSwitch()
        self.peer = Namespace("pl-peer")
        self.internal_end = End(HOST, bridge, "02:00:00:00:02:01", "10.66.10.1/24", "fd66:10::1/64")
        self.physical_end = End(HOST, "pl-phy", "02:00:00:00:02:03")
        self.peer_end = End(self.peer, "phy-peer", "02:00:00:00:02:02", "10.66.10.2/24", "fd66:10::2/64")
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "OvsTopology":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.peer)
            stack.enter_context(VethPair(self.physical_end, self.peer_end))
            stack.enter_context(self.switch)
            self.switch.add_bridge(self.bridge)
            self.switch.vsctl("set", "bridge", self.bridge, f'other-config:hwaddr="{self.internal_end.mac}"')
            self.internal_end.configure()
            self.switch.add_port(self.bridge, self.physical_end.name)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._cleanup.close()

    def plug(self, interface: str) -> None:
        """Plugs a further interface, such as a guest's tap, into the bridge."""
        self.switch.add_port(self.bridge, interface)
