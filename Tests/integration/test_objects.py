# SPDX-License-Identifier: Apache-2.0
"""The matrix: each program of each object loads on this kernel; what the verifier made of it is printed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import plumbline
import pytest

OBJECTS = sorted((plumbline.ROOT / "build" / "bpf").glob("*.o"))


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name.removesuffix(".o").replace(".", "-"))
def test_object_loads(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """bpftool loads it with every program in it, the verifier's log on."""
    if path.name.endswith(".btf.o") and not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("this kernel has no BTF, so only the legacy object is for it")
    types = os.environ.get("PLUMBLINE_BTF")
    if path.name.endswith(".legacy.o") and types and not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("bpftool takes no BTF file; the tools' own tests load this object")
    pin = Path("/sys/fs/bpf") / f"plumbline-{path.name}".replace(".", "-")
    try:
        loaded = subprocess.run(
            ["bpftool", "--debug", "prog", "loadall", str(path), str(pin)], capture_output=True, text=True,
            timeout=plumbline.TIMEOUT, check=False,
        )
        log = loaded.stdout + loaded.stderr
        assert loaded.returncode == 0, log[-2000:]
        counts = [int(count) for count in re.findall(r"processed (\d+) insns", log)]
        # 4.19 gives up at 131,072.
        assert counts and max(counts) < 131_072
        with capsys.disabled():
            print(f"\n  {path.name} on {os.uname().release}: verifier processed {', '.join(map(str, counts))} instructions")
    finally:
        subprocess.run(["rm", "-rf", str(pin)], check=False)
