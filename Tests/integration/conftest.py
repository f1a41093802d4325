# SPDX-License-Identifier: Apache-2.0
"""What every integration test uses: needs, objects, and the executables."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import needs  # noqa: E402
from topologies.netns import TwoNamespaces  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): what the machine and its kernel must have; see needs.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the own kernel alone go first: they are quick."""
    items.sort(key=lambda item: item.get_closest_marker("needs") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips with the reason; fails where PLUMBLINE_REQUIRE says that the need must be met."""
    required = set(os.environ.get("PLUMBLINE_REQUIRE", "").split(","))
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            reason = needs.check(name)
            if reason and name in required:
                pytest.fail(f"needs {name}, which must be here: {reason}")
            if reason:
                pytest.skip(f"needs {name}: {reason}")


@pytest.fixture(params=["btf", "legacy"])
def variant(request: pytest.FixtureRequest) -> str:
    """Each of the two objects."""
    if request.param == "btf" and not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("this kernel has no BTF, so only the legacy object is for it")
    return str(request.param)


@pytest.fixture
def net() -> Iterator[TwoNamespaces]:
    """Two namespaces and a veth pair between them, neighbours known."""
    with TwoNamespaces() as net:
        for here, there in ((net.left_end, net.right_end), (net.right_end, net.left_end)):
            for address in (there.ipv4_address, there.ipv6_address):
                here.network.ip("neigh", "replace", address, "lladdr", there.mac, "dev", here.name, "nud", "permanent")
        yield net
