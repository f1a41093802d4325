# SPDX-License-Identifier: Apache-2.0
"""The lab: runs the integration tests on other kernels, booted under software emulation.

    python3 Tests/lab/lab.py                                     all tests on Debian's 5.10, 6.1 and 6.12
    python3 Tests/lab/lab.py --kernels 6.1 --tests test_x.py     one file on one kernel
    python3 Tests/lab/lab.py --kernel bzImage --btf FILE         any kernel image
    python3 Tests/lab/lab.py --kernels 6.1 --command 'uname -r'  any command instead of the tests

The results directory gets, per kernel: junit.xml, output.log, console.log and whatever tests leave in
PLUMBLINE_RESULTS; and for all of them summary.json and summary.txt. The exit status is 1 when a test
failed, a result is missing, a kernel could not be had, or nothing ran at all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Optional, Sequence

import boot
import emulator
import kernels
import report

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
TESTS = Path("Tests/integration")
DEFAULT_TIMEOUT = 1800.0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the lab and returns its exit status."""
    options = _parse(arguments)
    results = options.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    rows: list[report.Row] = []
    boots: list[dict[str, object]] = []
    names: list[str] = []
    commands_failed = False
    try:
        machine = emulator.find(options.cache)
    except emulator.EmulatorUnavailable as error:
        print(f"lab: {error}\n\n{report.totals([report.Row('', 'boot', report.NO_OBJECT, report.FAILED)])}", flush=True)
        return 1
    for name in [str(options.kernel)] if options.kernel else options.kernels:
        try:
            kernel = kernels.from_files(options.kernel, options.modules, options.btf) if options.kernel else kernels.debian(name, options.cache)
        except kernels.KernelUnavailable as error:
            names.append(name)
            rows.append(report.Row(name, "boot", report.NO_OBJECT, report.FAILED, str(error)))
            print(f"lab: {name}: {error}", file=sys.stderr)
            continue
        names.append(kernel.name)
        place = results / kernel.name
        print(f"lab: {kernel.name}: booting {kernel.release}", flush=True)
        if options.command is not None:
            outcome = boot.run(kernel, options.command, place, options.timeout, _environment(kernel, options), emulator=machine)
            sys.stdout.write(outcome.output)
            commands_failed |= outcome.status != 0
        else:
            outcome = _run_tests(kernel, place, options, machine)
            rows += _rows(kernel, place, outcome)
        boots.append({"kernel": kernel.name, "release": kernel.release, "note": kernel.note, **boot.as_json(outcome)})
        started = f"command after {outcome.boot_seconds:.0f} s, " if outcome.boot_seconds is not None else ""
        print(f"lab: {kernel.name}: {started}ended after {outcome.seconds:.0f} s", flush=True)
        if outcome.status is None:
            print("\n".join(f"lab: {kernel.name}: {line}" for line in boot.describe(outcome)), flush=True)
    report.write_json(results / "summary.json", rows, boots)
    if options.command is not None:
        return 1 if commands_failed or rows else 0
    text = f"{report.table(rows, names)}\n\n{report.totals(rows)}\n"
    (results / "summary.txt").write_text(text, encoding="utf-8")
    print(f"lab: results are in {results}\n\n{text}", end="", flush=True)
    failed = any(row.state == report.FAILED for row in rows)
    return 1 if failed or not rows else 0


def _parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.py", description="Runs the integration tests on other kernels.")
    parser.add_argument("--kernels", default=",".join(kernels.SUITES), metavar="5.10,6.1", help="Debian kernels by series")
    parser.add_argument("--kernel", type=Path, metavar="BZIMAGE", help="a kernel image instead of Debian's")
    parser.add_argument("--modules", type=Path, metavar="DIR", help="the modules of --kernel")
    parser.add_argument("--btf", type=Path, metavar="FILE", help="type information for --kernel, when it has none itself")
    parser.add_argument(
        "--tests", nargs="+", default=[], metavar="TEST", help="files below Tests/integration, or expressions as pytest -k takes them"
    )
    parser.add_argument("--command", metavar="SHELL", help="run this instead of the tests")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds for each kernel")
    parser.add_argument("--cache", type=Path, default=kernels.default_cache(), metavar="DIR", help="where kernels are kept")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path(os.environ.get("PLUMBLINE_RESULTS", REPOSITORY / "build/lab")),
        metavar="DIR",
        help="where results go",
    )
    options = parser.parse_args(arguments)
    options.kernels = [name for name in options.kernels.replace(",", " ").split() if name]
    if options.kernel is None and (options.modules or options.btf):
        parser.error("--modules and --btf belong to --kernel")
    if options.timeout <= 0:
        parser.error("--timeout: a positive number of seconds is needed")
    return options


def _environment(kernel: kernels.Kernel, options: argparse.Namespace) -> dict[str, str]:
    """What tests find out about the lab, and what they were told outside."""
    inherited = {name: value for name, value in os.environ.items() if name.startswith("PLUMBLINE_")}
    inherited.setdefault("PLUMBLINE_BIN", str(REPOSITORY / "build/bin"))
    return {
        **inherited,
        "PLUMBLINE_LAB": kernel.release,
        **({"PLUMBLINE_BTF": boot.BTF} if kernel.external_btf else {}),
        "PLUMBLINE_RESULTS": boot.RESULTS,
        "PLUMBLINE_REQUIRE": ",".join(kernel.offers),
        "PLUMBLINE_LAB_RECORD": f"{boot.RESULTS}/record.jsonl",
        # A guest inside runs the kernel that its host runs.
        "PLUMBLINE_GUEST_KERNEL": str(kernel.image),
        "PLUMBLINE_GUEST_MODULES": str(kernel.modules or ""),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run_tests(kernel: kernels.Kernel, place: Path, options: argparse.Namespace, machine: emulator.Emulator) -> boot.Outcome:
    place.mkdir(parents=True, exist_ok=True)
    for name in ("record.jsonl", "junit.xml"):
        (place / name).unlink(missing_ok=True)
    words = [
        PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_lab", "-v", "-rs", "--tb=short",
        f"--junitxml={boot.RESULTS}/junit.xml", *_selection(options.tests),
    ]  # fmt: skip
    command = f"cd {shlex.quote(str(REPOSITORY))} && exec {shlex.join(words)}"
    environment = {**_environment(kernel, options), "PYTHONPATH": str(Path(__file__).resolve().parent)}
    return boot.run(kernel, command, place, options.timeout, environment, emulator=machine)


def _selection(tests: Sequence[str]) -> list[str]:
    """Files, as paths below the repository, and expressions, joined by `or`, as pytest takes them."""
    files: list[str] = []
    expressions: list[str] = []
    for test in tests:
        path = test.split("::")[0]
        for base in (REPOSITORY / TESTS, REPOSITORY, Path.cwd()):
            if (base / path).exists():
                files.append(os.path.relpath(base / test, REPOSITORY))
                break
        else:
            expressions.append(test)
    selection = files or [str(TESTS)]
    return [*selection, "-k", " or ".join(f"({expression})" for expression in expressions)] if expressions else selection


def _rows(kernel: kernels.Kernel, place: Path, outcome: boot.Outcome) -> list[report.Row]:
    """One row per test, and one for the boot if it did not end as it should."""
    rows = report.rows_from_record(kernel.name, place / "record.jsonl", outcome.problem)
    boot_reason = ""
    if outcome.status is None:
        boot_reason = "\n".join(boot.describe(outcome))
    elif not rows:
        boot_reason = "\n".join([f"pytest ended with status {outcome.status} and no result", *outcome.output.splitlines()[-20:]])
    elif outcome.status != 0 and all(row.state != report.FAILED for row in rows):
        boot_reason = "\n".join([f"pytest ended with status {outcome.status}", *outcome.output.splitlines()[-20:]])
    elif not (place / "junit.xml").is_file():
        boot_reason = "pytest left no junit.xml"
    if boot_reason:
        rows.append(report.Row(kernel.name, "boot", report.NO_OBJECT, report.FAILED, boot_reason))
    return rows


if __name__ == "__main__":
    sys.exit(main())
