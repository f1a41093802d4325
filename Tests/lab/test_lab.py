# SPDX-License-Identifier: Apache-2.0
"""The lab itself: what it reports when kernels die, hang, or cannot be had.

The tests that boot take Debian's kernel of PLUMBLINE_LAB_TEST_KERNEL (6.12 if not set), at most once each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import apt  # noqa: E402
import boot  # noqa: E402
import kernels  # noqa: E402
import report  # noqa: E402
from initramfs import Initramfs, module_files  # noqa: E402

KERNEL = os.environ.get("PLUMBLINE_LAB_TEST_KERNEL", "6.12")

#: More than a boot takes on a busy machine, and still bounded.
BOOT_LIMIT = 120.0


@pytest.fixture(scope="module")
def kernel() -> kernels.Kernel:
    if "PLUMBLINE_LAB" in os.environ:
        pytest.skip("this is the lab already")
    return kernels.debian(KERNEL, kernels.default_cache())


def _lab(*arguments: str, results: Path, environment: dict[str, str] = {}) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(__file__).parent / "lab.py"), "--results", str(results), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=4 * BOOT_LIMIT,
        check=False,
    )


def test_command_and_its_status_come_back(kernel: kernels.Kernel, tmp_path: Path) -> None:
    outcome = boot.run(kernel, "uname -r; id -u; exit 7", tmp_path, BOOT_LIMIT)
    assert (outcome.status, outcome.problem) == (7, "")
    assert outcome.output.split() == [kernel.release, "0"]


def test_kernel_survives_being_patched(kernel: kernels.Kernel, tmp_path: Path) -> None:
    """Tracepoints are turned on and off while both processors are busy: what measuring does all the time."""
    command = """
        cd /sys/kernel/tracing/events/sched/sched_switch
        ( while :; do :; done ) & ( while :; do /run/lab/busybox true; done ) &
        for n in $(seq 100); do echo 1 > enable; echo 0 > enable; done
        echo survived
    """
    outcome = boot.run(kernel, command, tmp_path, BOOT_LIMIT)
    assert outcome.output.strip() == "survived", boot.describe(outcome)


def test_panic_is_a_failure_in_bounded_time(kernel: kernels.Kernel, tmp_path: Path) -> None:
    test = _test_file("import pathlib\n\n\ndef test_panic():\n    pathlib.Path('/proc/sysrq-trigger').write_text('c')\n\n\ndef test_after():\n    pass\n")
    try:
        started = time.monotonic()
        ended = _lab("--kernels", KERNEL, "--tests", str(test), "--timeout", "600", results=tmp_path)
        assert time.monotonic() - started < BOOT_LIMIT
    finally:
        test.unlink()
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1] == "0 passed, 3 failed, 0 skipped"
    rows = {row["test"].split("::")[-1]: row for row in json.loads((tmp_path / "summary.json").read_text())["rows"]}
    assert "while this test ran: the kernel died: " in rows["test_panic"]["reason"]
    assert "did not run" in rows["test_after"]["reason"]
    assert "Kernel panic" in rows["boot"]["reason"] and "console:" in rows["boot"]["reason"]


def test_hang_is_a_failure_in_bounded_time(kernel: kernels.Kernel, tmp_path: Path) -> None:
    test = _test_file("import os\nimport time\n\n\ndef test_hang():\n    os.write(os.open('/dev/kmsg', os.O_WRONLY), b'<1>the last words\\n')\n    time.sleep(3600)\n")
    try:
        started = time.monotonic()
        ended = _lab("--kernels", KERNEL, "--tests", str(test), "--timeout", "45", results=tmp_path)
        assert time.monotonic() - started < BOOT_LIMIT
    finally:
        test.unlink()
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1] == "0 passed, 2 failed, 0 skipped"
    assert "hung: ended by the time limit of 45 s" in ended.stdout
    assert "the last words" in ended.stdout


def _test_file(text: str) -> Path:
    """A test for the lab to run: in the repository's build directory, which the booted kernel sees."""
    directory = Path(__file__).resolve().parents[2] / "build"
    directory.mkdir(exist_ok=True)
    path = directory / f"test_lab_{os.getpid()}.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_kernel_is_a_failure(tmp_path: Path) -> None:
    ended = _lab("--kernel", str(tmp_path / "none"), results=tmp_path / "results")
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"
    (tmp_path / "text").write_bytes(b"not a kernel" * 100)
    ended = _lab("--kernel", str(tmp_path / "text"), results=tmp_path / "results")
    assert ended.returncode == 1 and "not a bzImage" in ended.stdout


def test_cached_kernel_is_found_when_the_mirror_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "trixie/kernels/6.12.1-test_6.12.1-1"
    home.mkdir(parents=True)
    (home / "facts.json").write_text(json.dumps({"package": "linux-image-6.12.1-test", "version": "6.12.1-1", "release": "6.12.1-test"}))
    for name in ("vmlinuz", "lib/modules/6.12.1-test/modules.dep"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    attempts = []

    def refuse(*arguments: object, **options: object) -> str:
        attempts.append(arguments)
        raise apt.Refused("no network")

    monkeypatch.setattr(apt.PrivateApt, "run", refuse)
    monkeypatch.setattr(apt.time, "sleep", lambda seconds: None)
    found = kernels.debian("6.12", tmp_path)
    assert found.release == "6.12.1-test" and "no network" in found.note
    assert len(attempts) == apt.ATTEMPTS
    with pytest.raises(kernels.KernelUnavailable, match="no network"):
        kernels.debian("6.1", tmp_path)


def test_table_has_a_line_for_each_object(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    entries = [
        {"collected": ["a.py::test_x[btf]", "a.py::test_x[legacy-udp]", "a.py::test_y"]},
        {"test": "a.py::test_x[btf]", "state": "running"},
        {"test": "a.py::test_x[btf]", "state": "passed", "reason": "", "seconds": 1.0},
        {"test": "a.py::test_x[legacy-udp]", "state": "skipped", "reason": "no kprobes", "seconds": 0.0},
        {"test": "a.py::test_y", "state": "running"},
    ]
    record.write_text("".join(json.dumps(entry) + "\n" for entry in entries) + '{"test": "a.py')
    rows = report.rows_from_record("6.1", record, "the kernel died")
    assert [(row.test, row.object, row.state) for row in rows] == [
        ("a.py::test_x", "btf", "passed"),
        ("a.py::test_x[udp]", "legacy", "skipped"),
        ("a.py::test_y", "-", "failed"),
    ]
    assert "the kernel died" in rows[2].reason
    assert report.totals(rows) == "1 passed, 1 failed, 1 skipped"
    assert "no kprobes" in report.table(rows, ["6.1"])


def test_modules_come_in_loading_order(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text("a/net.ko.xz: b/mid-dle.ko.xz c/base.ko.xz\nb/mid-dle.ko.xz: c/base.ko.xz\nc/base.ko.xz:\n")
    names = [path.name for path in module_files(tmp_path, ["mid_dle", "net", "built-in"])]
    assert names == ["base.ko.xz", "mid-dle.ko.xz", "net.ko.xz"]


def test_initramfs_is_what_cpio_reads(tmp_path: Path) -> None:
    archive = Initramfs()
    archive.add("/a/b/file", b"content", 0o755)
    archive.add_directory("/dev")
    archive.write(tmp_path / "image.gz")
    listed = subprocess.run(
        ["busybox", "sh", "-c", f"zcat {tmp_path}/image.gz | busybox cpio -t"], stdout=subprocess.PIPE, text=True, timeout=30, check=True
    )
    assert listed.stdout.split() == ["a", "a/b", "a/b/file", "dev"]
