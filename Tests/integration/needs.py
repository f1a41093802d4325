# SPDX-License-Identifier: Apache-2.0
"""What a test can need: None when it is there, else the reason why not."""

from __future__ import annotations

import os
import subprocess
from typing import Callable, Optional

from topologies import needs as topology


def own_kernel() -> Optional[str]:
    """The machine's own kernel, not one of the lab's."""
    return "this is a kernel of the lab" if os.environ.get("PLUMBLINE_LAB") else None


def lab() -> Optional[str]:
    """A kernel of the lab."""
    return None if os.environ.get("PLUMBLINE_LAB") else "this is the machine's own kernel: make lab"


def vxlan() -> Optional[str]:
    """The kernel can make VXLAN devices."""
    made = subprocess.run(["ip", "link", "add", "pl-probe", "type", "vxlan", "id", "1", "dstport", "4789"], capture_output=True, check=False)
    subprocess.run(["ip", "link", "delete", "pl-probe"], capture_output=True, check=False)
    return None if made.returncode == 0 else "this kernel has no vxlan"


def ingress() -> Optional[str]:
    """nftables has the netdev ingress hook."""
    rules = "add table netdev pl-probe\nadd chain netdev pl-probe in { type filter hook ingress device lo priority 0 ; }\n"
    made = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, check=False)
    subprocess.run(["nft", "delete", "table", "netdev", "pl-probe"], capture_output=True, check=False)
    return None if made.returncode == 0 else "this kernel has no netdev ingress hook"


_CHECKS: dict[str, Callable[[], Optional[str]]] = {
    "kprobes": topology.kprobes,
    "openvswitch": topology.openvswitch,
    "vhost": topology.vhost,
    "guest": topology.guest,
    "vlan": topology.vlan,
    "netem": topology.netem,
    "ingress": ingress,
    "vxlan": vxlan,
    "own-kernel": own_kernel,
    "lab": lab,
}


def check(name: str) -> Optional[str]:
    """The reason why a need is not met; None when it is."""
    return _CHECKS[name]()
