# SPDX-License-Identifier: Apache-2.0
"""Whether the running kernel and machine can carry a topology: None, or the reason why not."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from typing import Optional


@functools.lru_cache(maxsize=None)
def kprobes() -> Optional[str]:
    """Kprobes can be set as perf events."""
    if os.path.isdir("/sys/bus/event_source/devices/kprobe"):
        return None
    return "this kernel has no kprobes"


@functools.lru_cache(maxsize=None)
def openvswitch() -> Optional[str]:
    """Open vSwitch is installed and the kernel has its datapath."""
    for program in ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "ovs-dpctl"):
        if shutil.which(program) is None:
            return f"{program} is not installed (package openvswitch-switch)"
    _modprobe("openvswitch")
    asked = subprocess.run(["ovs-dpctl", "dump-dps"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return None if asked.returncode == 0 else "this kernel has no openvswitch datapath"


@functools.lru_cache(maxsize=None)
def vhost() -> Optional[str]:
    """The kernel has tun and vhost-net."""
    for module, device in (("tun", "/dev/net/tun"), ("vhost_net", "/dev/vhost-net")):
        _modprobe(module)
        try:
            os.close(os.open(device, os.O_RDWR))
        except OSError:
            return f"this kernel has no {device}"
    return None


@functools.lru_cache(maxsize=None)
def guest() -> Optional[str]:
    """A guest can be booted under KVM, with the kernel that the lab names for it."""
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static"), ("bash-static", "bash-static")):
        if shutil.which(program) is None:
            return f"{program} is not installed (package {package})"
    if not os.path.exists(os.environ.get("PLUMBLINE_GUEST_KERNEL", "")):
        return "no kernel for a guest: run this in the lab, or name an image in PLUMBLINE_GUEST_KERNEL"
    for module in ("kvm_amd", "kvm_intel"):
        if not os.path.exists("/dev/kvm"):
            _modprobe(module)
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return "this kernel has no KVM"
    return vhost()


@functools.lru_cache(maxsize=None)
def vlan() -> Optional[str]:
    """VLAN sub-interfaces can be made."""
    _modprobe("8021q")
    return None if os.path.isdir("/proc/net/vlan") else "this kernel has no 802.1Q VLANs"


@functools.lru_cache(maxsize=None)
def netem() -> Optional[str]:
    """The network emulator queueing discipline is there."""
    asked = subprocess.run(
        ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "limit", "1000"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    if asked.returncode != 0:
        return "this kernel has no netem queueing discipline"
    subprocess.run(["tc", "qdisc", "delete", "dev", "lo", "root"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return None


def _modprobe(module: str) -> None:
    """Asks for a module; that it is built in, or not there, shows in what it brings."""
    if shutil.which("modprobe") is not None:
        subprocess.run(["modprobe", "-q", module], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
