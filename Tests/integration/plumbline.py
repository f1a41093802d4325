# SPDX-License-Identifier: Apache-2.0
"""Runs the executables, and holds every JSON line they print to the schema in docs/."""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build" / "bin"))

#: No start and no end of a tool may take longer than this, emulated machines included.
TIMEOUT = 120.0

#: A closed socket's memory is freed some RCU grace periods later, which nobody outside the kernel can wait for; a busy
#: or emulated machine takes its time.
GRACE_PERIOD = 3.0

Record = dict[str, Any]


@functools.lru_cache(maxsize=None)
def _validator() -> Any:
    schema = json.loads(((ROOT / "docs" / "output.schema.json")).read_text())
    return jsonschema.Draft202012Validator(schema)


def kernel_options(variant: str) -> list[str]:
    """Forces an object; in a lab kernel that was given a BTF file, legacy uses that file."""
    options = ["--object", variant]
    if variant == "legacy" and os.environ.get("PLUMBLINE_BTF"):
        options += ["--btf", os.environ["PLUMBLINE_BTF"]]
    return options


def run(tool: str, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end."""
    return subprocess.run(
        [*prefix, str(BIN / tool), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def _heed_signals() -> None:
    """A tool leaves signals alone that it inherits as ignored, as background jobs of a shell inherit SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Tool:
    """A tool that is measuring: `with Tool("eth-drop", ...) as tool:` enters when the probes are in.

    `stop` ends it by a signal and collects its whole output, which is JSON unless `output` says otherwise.
    """

    def __init__(self, name: str, *arguments: str, variant: str, output: str = "json") -> None:
        self.command = [str(BIN / name), "--format", output, *kernel_options(variant), *arguments]
        self.output = output
        self.text = ""
        self.records: list[Record] = []

    def __enter__(self) -> "Tool":
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            preexec_fn=_heed_signals,
        )
        assert self.process.stdout is not None
        # The header comes when the probes are in, with a line end.
        ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT)
        first = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
        if not first:
            self.process.kill()
            _, errors = self.process.communicate(timeout=TIMEOUT)
            raise AssertionError(f"{self.command} did not start: {errors.decode()}")
        self._first = first
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=TIMEOUT)

    def stop(self, number: Optional[int] = signal.SIGTERM) -> "Tool":
        """Ends the tool (None: waits for its own end) and reads what it said; status 0 is demanded."""
        # What the programs have emitted is read at the end in any case; nothing has to be waited for.
        if number is not None:
            self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=TIMEOUT)
        self.errors = errors.decode()
        assert self.process.returncode == 0, f"status {self.process.returncode}: {self.errors}"
        self.text = (self._first + rest).decode()
        if self.output == "json":
            self.records = [json.loads(line) for line in self.text.splitlines()]
            for record in self.records:
                _validator().validate(record)
        return self

    def of(self, kind: str, **wanted: Any) -> list[Record]:
        """The records of a kind whose members have these values."""
        return [r for r in self.records if r["record"] == kind and all(r.get(k) == v for k, v in wanted.items())]

    @property
    def header(self) -> Record:
        (header,) = self.of("header")
        return header

    @property
    def summary(self) -> Record:
        """The last record."""
        (summary,) = self.of("summary")
        assert self.records[-1] is summary
        return summary


def wait_until(condition: Any, timeout: float = TIMEOUT) -> None:
    """Waits, bounded, for something that the kernel does in its own time."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def loaded_programs() -> list[str]:
    """Names of the tracing programs in the kernel."""
    listed = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return [program.get("name", "") for program in json.loads(listed.stdout) if program["type"] in ("raw_tracepoint", "tracing", "kprobe")]
