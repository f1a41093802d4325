# SPDX-License-Identifier: Apache-2.0
"""pytest plugin that writes each test's result down as it happens, so that a kernel that dies takes none along.

One JSON object per line, in the file that PLUMBLINE_LAB_RECORD names: first `{"collected": [ids]}`, then a
`{"test": id, "state": "running"}` before each test and its result after it.
"""

from __future__ import annotations

import json
import os
from typing import Any

_results: dict[str, dict[str, Any]] = {}


def _record(entry: dict[str, Any]) -> None:
    path = os.environ.get("PLUMBLINE_LAB_RECORD")
    if not path:
        return
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def pytest_collection_finish(session: Any) -> None:
    """Says which tests there will be."""
    _record({"collected": [item.nodeid for item in session.items]})


def pytest_collectreport(report: Any) -> None:
    """A file that could not be collected counts as a failed test."""
    if report.failed:
        _record({"test": report.nodeid, "state": "failed", "reason": str(report.longrepr)[-2000:], "seconds": 0.0})
    elif report.skipped:
        _record({"test": report.nodeid, "state": "skipped", "reason": _skip_reason(report), "seconds": 0.0})


def pytest_runtest_logstart(nodeid: str, location: Any) -> None:
    """Says which test is running: the one to blame if nothing follows."""
    _record({"test": nodeid, "state": "running"})


def pytest_runtest_logreport(report: Any) -> None:
    """Merges set-up, call and tear-down to one result: the worst of them."""
    result = _results.setdefault(report.nodeid, {"test": report.nodeid, "state": "passed", "reason": "", "seconds": 0.0})
    result["seconds"] += report.duration
    if report.failed:
        result["state"] = "failed"
        result["reason"] = (result["reason"] + "\n" + f"{report.when}: {report.longreprtext[-2000:]}").strip()
    elif report.skipped and result["state"] == "passed":
        result["state"] = "skipped"
        result["reason"] = getattr(report, "wasxfail", "") or _skip_reason(report)
    if report.when == "teardown":
        _record(result)


def _skip_reason(report: Any) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")
