# SPDX-License-Identifier: Apache-2.0
"""The emulator that lab kernels run in.

QEMU before 8.1 loses a race between one processor that translates code and another that patches it (fixed by "accel/tcg:
Always lock pages before translation"). A kernel patches itself whenever a tracepoint is turned on, so measuring
panics it within seconds. Where Debian's own QEMU is older, a newer one comes from the backports suite of the same
mirror, unpacked into the cache.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import apt

PROGRAM = "qemu-system-x86_64"
REQUIRED = (8, 1)
PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")


class EmulatorUnavailable(Exception):
    """There is no emulator that kernels can be measured in; the message says why."""


@dataclass(frozen=True)
class Emulator:
    """A QEMU for x86-64 and the words that start it."""

    words: tuple[str, ...]
    version: tuple[int, int]


def find(cache: Path) -> Emulator:
    """The machine's QEMU if it is new enough, or else the one in the cache, downloaded when it is not there yet."""
    if shutil.which(PROGRAM) is None:
        # The machine's package brings the libraries that a newer one needs too, and runs the guests inside.
        raise EmulatorUnavailable(f"{PROGRAM} is not installed (package qemu-system-x86)")
    own = (PROGRAM,)
    version = _version(own)
    if version >= REQUIRED:
        return Emulator(own, version)
    place = cache / "qemu"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        words = _words(place / "tree")
        if not Path(words[0]).exists():
            try:
                _download(place)
            except (apt.Refused, subprocess.SubprocessError, OSError) as error:
                raise EmulatorUnavailable(
                    f"{PROGRAM} {version[0]}.{version[1]} is older than {REQUIRED[0]}.{REQUIRED[1]}, "
                    f"and there is none in the backports suite: {error}"
                ) from error
    try:
        return Emulator(words, _version(words))
    except EmulatorUnavailable:
        # One that does not run here, after an upgrade of the machine for instance, is not kept.
        shutil.rmtree(place / "tree", ignore_errors=True)
        raise


def _words(tree: Path) -> tuple[str, ...]:
    data = [word for name in ("seabios", "qemu") for word in ("-L", str(tree / "usr/share" / name))]
    return (str(tree / "usr/bin" / PROGRAM), *data)


def _download(place: Path) -> None:
    tree = apt.PrivateApt(place, f"{apt.own_suite()}-backports")
    tree.refresh()
    partial = place / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    tree.unpack(partial, *PACKAGES)
    partial.rename(place / "tree")
    print("lab: the emulator is the one of the backports suite", file=sys.stderr)


def _version(words: tuple[str, ...]) -> tuple[int, int]:
    asked = subprocess.run([*words, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"version (\d+)\.(\d+)", asked.stdout)
    if found is None:
        raise EmulatorUnavailable(f"{words[0]} does not run: {asked.stderr.strip()}")
    return int(found.group(1)), int(found.group(2))
