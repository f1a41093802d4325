# SPDX-License-Identifier: Apache-2.0
"""Kernels of the lab: Debian's, downloaded by apt and unpacked without being installed, or anyone's by path."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import apt
from apt import PrivateApt

#: Debian's release for each kernel series of the matrix.
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie"}

#: What a Debian kernel of the matrix must offer: a test that needs one of these and finds it missing has failed.
DEBIAN_OFFERS = ("lab", "kprobes", "openvswitch", "vhost", "guest", "vlan", "netem")

#: Series on which the legacy objects are run with an external BTF file instead of the kernel's own.
EXTERNAL_BTF = ("5.10",)


class KernelUnavailable(Exception):
    """A kernel could be neither downloaded nor found in the cache; the message says why."""


@dataclass(frozen=True)
class Kernel:
    """A kernel that the lab can boot."""

    #: The name in the summary's table: the series of a Debian kernel, the release of any other.
    name: str
    release: str
    image: Path
    #: The directory that holds modules.dep, or None for a kernel without modules.
    modules: Optional[Path] = None
    #: External type information for this kernel, a file of the machine.
    btf: Optional[Path] = None
    #: Whether legacy objects are to take external type information, given or copied from the kernel.
    external_btf: bool = False
    #: Needs that this kernel is known to meet.
    offers: tuple[str, ...] = ()
    #: What a reader of the summary should know about how it was found.
    note: str = ""


def default_cache() -> Path:
    """Where kernels are kept between runs, outside any source tree."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    return (Path(chosen) if chosen else Path("/var/cache")) / "plumbline-lab"


def from_files(image: Path, modules: Optional[Path], btf: Optional[Path]) -> Kernel:
    """A kernel given by path: `modules` is lib/modules/RELEASE, or a tree that holds it."""
    release = image_release(image)
    found: Optional[Path] = None
    if modules is not None:
        for candidate in (modules, modules / release, modules / "lib/modules" / release, modules / "usr/lib/modules" / release):
            if (candidate / "modules.dep").is_file():
                found = candidate.resolve()
                break
        else:
            raise KernelUnavailable(f"{modules}: no modules.dep for {release} there (run depmod on the tree)")
    if btf is not None and not btf.is_file():
        raise KernelUnavailable(f"{btf}: no such BTF file")
    return Kernel(release, release, image.resolve(), found, btf.resolve() if btf else None, external_btf=btf is not None)


def image_release(image: Path) -> str:
    """The release that a bzImage carries in its header (Documentation/x86/boot: kernel_version)."""
    try:
        with image.open("rb") as file:
            head = file.read(0x10000)
    except OSError as error:
        raise KernelUnavailable(f"{image}: {error.strerror}") from error
    if head[0x202:0x206] != b"HdrS":
        raise KernelUnavailable(f"{image}: not a bzImage")
    (offset,) = struct.unpack_from("<H", head, 0x20E)
    text = head[offset + 0x200 :].split(b"\0", 1)[0].decode("ascii", "replace")
    release = text.split(" ", 1)[0]
    if not release:
        raise KernelUnavailable(f"{image}: carries no release")
    return release


def debian(series: str, cache: Path) -> Kernel:
    """The newest kernel of a Debian series: downloaded and unpacked, or found in the cache."""
    if series not in SUITES:
        raise KernelUnavailable(f"no Debian release has kernel {series} (known: {', '.join(SUITES)})")
    suite = SUITES[series]
    place = cache / suite
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        note = ""
        try:
            tree = PrivateApt(place, suite, f"{suite}-security")
            package, version = _newest(tree)
            kernel = _cached(series, place, package, version)
            if kernel is None:
                kernel = _download(series, tree, package, version)
            return kernel
        except (KernelUnavailable, apt.Refused, subprocess.SubprocessError, OSError) as error:
            note = f"not refreshed ({str(error).strip().splitlines()[0]}): the cached kernel is used"
            kernel = _cached(series, place)
            if kernel is None:
                raise KernelUnavailable(f"Debian {suite}: {error}") from error
            print(f"lab: Debian {suite}: {note}", file=sys.stderr)
            return dataclasses.replace(kernel, note=note)


def _newest(tree: PrivateApt) -> tuple[str, str]:
    """The concrete package that Debian's meta package stands for today, with its version."""
    tree.refresh()
    meta = tree.run("apt-cache", "show", "--no-all-versions", "linux-image-amd64")
    match = re.search(r"^Depends: (linux-image-\S+) \(= ([^)]+)\)", meta, re.MULTILINE)
    if match is None:
        raise KernelUnavailable("linux-image-amd64 depends on no concrete kernel")
    return match.group(1), match.group(2)


# the unpacked kernels


def _cached(series: str, place: Path, package: Optional[str] = None, version: Optional[str] = None) -> Optional[Kernel]:
    """The named kernel of the cache, or the one unpacked last."""
    facts = sorted(place.glob("kernels/*/facts.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in facts:
        fact = json.loads(path.read_text(encoding="utf-8"))
        if package is not None and (fact["package"], fact["version"]) != (package, version):
            continue
        home = path.parent
        return Kernel(
            series,
            fact["release"],
            home / "vmlinuz",
            home / "lib/modules" / fact["release"],
            external_btf=series in EXTERNAL_BTF,
            offers=DEBIAN_OFFERS,
        )
    return None


def _download(series: str, apt_tree: PrivateApt, package: str, version: str) -> Kernel:
    """Downloads a kernel package, unpacks it without installing it, and indexes its modules."""
    place = apt_tree.place
    (place / "kernels").mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="unpack-", dir=place))
    try:
        tree = work / "tree"
        apt_tree.unpack(tree, f"{package}={version}")
        (image,) = tree.glob("boot/vmlinuz-*")
        release = image.name.removeprefix("vmlinuz-")
        home = work / "kernel"
        modules = home / "lib/modules" / release
        modules.parent.mkdir(parents=True)
        # trixie's packages have their modules below /usr.
        source = next(path for path in (tree / "lib/modules" / release, tree / "usr/lib/modules" / release) if path.is_dir())
        source.rename(modules)
        image.rename(home / "vmlinuz")
        (tree / "boot" / f"config-{release}").rename(home / "config")
        subprocess.run(["depmod", "-b", str(home), release], check=True, timeout=apt.TIMEOUT)
        (home / "facts.json").write_text(
            json.dumps({"package": package, "version": version, "release": release}), encoding="utf-8"
        )
        final = place / "kernels" / f"{release}_{version.replace(':', '.')}"
        shutil.rmtree(final, ignore_errors=True)
        home.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    kernel = _cached(series, place, package, version)
    if kernel is None:
        raise KernelUnavailable(f"{package} {version} was unpacked and is not there")
    return kernel
