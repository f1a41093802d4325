# SPDX-License-Identifier: Apache-2.0
"""What holds for every file of the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_every_file_names_its_licence() -> None:
    """GPL-2.0-only OR BSD-2-Clause for BPF C, Apache-2.0 for the rest."""
    wrong = []
    for path in _files():
        name = path.relative_to(ROOT)
        if name.parts[0] == "LICENSES" or path.suffix == ".btf":
            continue
        licence = "Apache-2.0"
        if name.parts[0] == "bpf" and path.suffix in (".c", ".h"):
            licence = "GPL-2.0-only OR BSD-2-Clause"
        head = path.read_text(encoding="utf-8").splitlines()[:3]
        if not any(f"SPDX-License-Identifier: {licence}" in line for line in head):
            wrong.append(str(name))
    assert wrong == []


def test_no_build_products() -> None:
    assert [str(p) for p in _files() if p.name == "Package.resolved" or ".build" in p.parts or p.suffix == ".o"] == []
