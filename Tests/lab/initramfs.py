# SPDX-License-Identifier: Apache-2.0
"""Initramfs archives made from nothing but a static busybox, kernel modules and files given by name.

The lab's machines and the guests inside them both start from one.
"""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, Optional


class Initramfs:
    """A cpio archive in the kernel's `newc` form, in memory until `write`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0
        self._directories: set[str] = set()

    def add(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Adds a regular file, and the directories it is in."""
        self.add_directory(os.path.dirname(path))
        self._append(path, content, 0o100000 | mode)

    def add_directory(self, path: str) -> None:
        """Adds a directory, and those it is in."""
        if path in ("", "/") or path in self._directories:
            return
        self.add_directory(os.path.dirname(path))
        self._directories.add(path)
        self._append(path, b"", 0o040755)

    def add_busybox(self) -> None:
        """Adds the machine's static busybox as /bin/busybox and its applets as links to it."""
        busybox = static_busybox()
        self.add("/bin/busybox", Path(busybox).read_bytes(), 0o755)
        applets = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout
        for applet in applets.split():
            if applet != "busybox":
                self._append(f"/bin/{applet}", b"busybox", 0o120777)

    def add_modules(self, directory: Optional[Path], names: Iterable[str]) -> list[str]:
        """Adds kernel modules below /modules and returns their file names in loading order.

        Names that the kernel has built in, or does not have at all, are passed over.
        """
        order = []
        for number, path in enumerate(module_files(directory, names) if directory else []):
            name = f"{number:02}-{path.name.split('.ko')[0]}.ko"
            self.add(f"/modules/{name}", module_content(path))
            order.append(name)
        self.add("/modules/order", "".join(f"{name}\n" for name in order).encode())
        return order

    def write(self, path: Path) -> None:
        """Writes the archive, compressed so little that it costs no time."""
        trailer = self._entry("TRAILER!!!", b"", 0)
        with gzip.open(path, "wb", compresslevel=1) as file:
            for part in self._parts:
                file.write(part)
            file.write(trailer)

    def _append(self, path: str, content: bytes, mode: int) -> None:
        self._parts.append(self._entry(path.lstrip("/"), content, mode))

    def _entry(self, name: str, content: bytes, mode: int) -> bytes:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def static_busybox() -> str:
    """The path of the machine's busybox, which has to be a static one."""
    path = shutil.which("busybox")
    if path is None:
        raise FileNotFoundError("busybox is not installed (package busybox-static)")
    if _interpreter(Path(path)):
        raise FileNotFoundError(f"{path} is not static (package busybox-static)")
    return path


def _interpreter(path: Path) -> bool:
    """Whether a 64-bit ELF file asks for a dynamic loader."""
    with path.open("rb") as file:
        head = file.read(4096)
    offset = int.from_bytes(head[32:40], "little")
    size = int.from_bytes(head[54:56], "little")
    count = int.from_bytes(head[56:58], "little")
    kinds = (int.from_bytes(head[offset + size * n : offset + size * n + 4], "little") for n in range(count))
    return 3 in kinds


def module_files(directory: Path, names: Iterable[str]) -> list[Path]:
    """The files of the named modules and of those they need, in the order in which they load."""
    paths: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    for line in (directory / "modules.dep").read_text(encoding="utf-8").splitlines():
        path, _, needed = line.partition(":")
        paths[_module_name(path)] = path
        needs[path] = needed.split()
    found: list[str] = []
    for name in names:
        wanted = paths.get(name.replace("-", "_"))
        if wanted is None:
            continue
        # modules.dep lists what a module needs in the reverse of the loading order.
        for file in [*reversed(needs[wanted]), wanted]:
            if file not in found:
                found.append(file)
    return [directory / file for file in found]


def _module_name(path: str) -> str:
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def module_content(path: Path) -> bytes:
    """A module as the kernel wants it: busybox's insmod does not unpack."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", str(path)], stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return data
