# SPDX-License-Identifier: Apache-2.0
"""The summary of a lab run: one table kernel x test x object, as text and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterable

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

#: The objects a tool comes in; a test that runs no tool has none.
OBJECTS = ("btf", "legacy")
NO_OBJECT = "-"


@dataclass(frozen=True)
class Row:
    """The result of one test with one object on one kernel."""

    kernel: str
    test: str
    object: str
    state: str
    reason: str = ""
    seconds: float = 0.0


def split_identifier(identifier: str) -> tuple[str, str]:
    """A pytest id as (test, object): the object is a parameter of the test."""
    match = re.match(r"(.*?)\[(.*)\]$", identifier)
    if match is None:
        return _short(identifier), NO_OBJECT
    parameters = match.group(2).split("-")
    kind = next((word for word in parameters if word in OBJECTS), NO_OBJECT)
    rest = [word for word in parameters if word not in OBJECTS]
    test = _short(match.group(1))
    return (f"{test}[{'-'.join(rest)}]" if rest else test), kind


def _short(identifier: str) -> str:
    return identifier.removeprefix("Tests/integration/")


def rows_from_record(kernel: str, record: Path, problem: str) -> list[Row]:
    """The rows of a boot, from what the plugin wrote down.

    Tests that were collected and have no result are failures: the one that ran when the machine ended with
    `problem` as its reason, the others because they never ran.
    """
    collected: list[str] = []
    results: dict[str, dict] = {}
    running = None
    try:
        lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the kernel died while this line was written
        if "collected" in entry:
            collected = entry["collected"]
        elif entry["state"] == "running":
            running = entry["test"]
        else:
            results[entry["test"]] = entry
            running = None
    rows = []
    for identifier in [*results, *(name for name in collected if name not in results)]:
        test, kind = split_identifier(identifier)
        result = results.get(identifier)
        if result is not None:
            rows.append(Row(kernel, test, kind, result["state"], result["reason"], round(result["seconds"], 2)))
        elif identifier == running:
            rows.append(Row(kernel, test, kind, FAILED, f"while this test ran: {problem or 'no result'}"))
        else:
            rows.append(Row(kernel, test, kind, FAILED, f"did not run: {problem or 'no result'}"))
    return rows


def table(rows: Iterable[Row], kernels: list[str]) -> str:
    """The table: a line for each test and object, a column for each kernel; reasons below it."""
    rows = list(rows)
    cells = {(row.test, row.object, row.kernel): row for row in rows}
    lines = list(dict.fromkeys((row.test, row.object) for row in rows))
    lines.sort(key=lambda line: (line[0], line[1]))
    heads = ["test", "object", *kernels]
    body = []
    for test, kind in lines:
        body.append([test, kind, *(cells[test, kind, k].state if (test, kind, k) in cells else "" for k in kernels)])
    widths = [max(len(line[column]) for line in [heads, *body]) for column in range(len(heads))]
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in [heads, *body]]
    text.insert(1, "  ".join("-" * width for width in widths))
    text += _reasons(rows, SKIPPED, "Skipped:")
    text += _reasons(rows, FAILED, "Failed:")
    return "\n".join(text)


def _reasons(rows: list[Row], state: str, title: str) -> list[str]:
    """Each reason once, with the tests and kernels it holds for."""
    grouped: dict[str, list[str]] = {}
    for row in rows:
        if row.state == state:
            grouped.setdefault(row.reason, []).append(f"{row.kernel} {row.test} {row.object}".removesuffix(f" {NO_OBJECT}"))
    lines = ["", title] if grouped else []
    for reason, names in grouped.items():
        for name in names:
            lines.append(f"  {name}")
        lines += [f"      {line}" for line in reason.splitlines() or ["no reason given"]]
    return lines


def totals(rows: Iterable[Row]) -> str:
    """The very last line of a run."""
    states = [row.state for row in rows]
    return ", ".join(f"{states.count(state)} {state}" for state in (PASSED, FAILED, SKIPPED))


def write_json(path: Path, rows: Iterable[Row], boots: list[dict[str, object]]) -> None:
    """Writes rows and boots for machines."""
    path.write_text(json.dumps({"boots": boots, "rows": [asdict(row) for row in rows]}, indent=1) + "\n", encoding="utf-8")
