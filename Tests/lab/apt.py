# SPDX-License-Identifier: Apache-2.0
"""apt with a directory tree of its own: packages of other suites, unpacked without being installed.

The mirror and the keyring are those of the machine's own apt configuration. The machine's sources, lists and package
state stay as they are; signatures and checksums are apt's business, as always.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Optional, TypeVar

#: Indexes younger than this are not asked for again.
INDEX_LIFETIME = 24 * 3600.0
ATTEMPTS = 3
#: Seconds for one run of an apt program.
TIMEOUT = 600.0

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_Result = TypeVar("_Result")


class Refused(Exception):
    """apt ended with an error; the message is its own."""


class PrivateApt:
    """An apt tree in `place` that knows the given suites; one that ends in -security comes from the security mirror."""

    def __init__(self, place: Path, *suites: str) -> None:
        self.place = place
        sources = []
        for site, own_suite, keyring in _machine_sources():
            of_security = own_suite.endswith("-security")
            for suite in suites:
                if suite.endswith("-security") != of_security:
                    continue
                entry = f"Types: deb\nURIs: {site}\nSuites: {suite}\nComponents: main\nArchitectures: amd64\n"
                entry += f"Signed-By: {keyring}\n" if keyring else ""
                if entry not in sources:
                    sources.append(entry)
        if not sources:
            raise Refused("this machine's apt configuration names no Debian mirror")
        for directory in ("state/lists/partial", "cache/archives/partial", "sources"):
            (place / directory).mkdir(parents=True, exist_ok=True)
        (place / "status").touch()
        (place / "sources/debian.sources").write_text("\n".join(sources), encoding="utf-8")
        (place / "apt.conf").write_text(
            # The machine's hooks clean the machine's caches; they have no business here.
            "#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n"
            "#clear APT::Update::Pre-Invoke;\n"
            'APT::Architecture "amd64";\n'
            "#clear APT::Architectures;\n"
            'APT::Architectures { "amd64"; };\n'
            'APT::Sandbox::User "root";\n'
            'Acquire::Languages "none";\n'
            f'Acquire::Retries "{ATTEMPTS}";\n'
            'Acquire::http::Timeout "60";\n'
            'Dir::Etc::SourceList "/dev/null";\n'
            f'Dir::Etc::SourceParts "{place}/sources/";\n'
            'Dir::Etc::Preferences "/dev/null";\n'
            'Dir::Etc::PreferencesParts "/dev/null";\n'
            f'Dir::State "{place}/state";\n'
            f'Dir::State::Lists "{place}/state/lists/";\n'
            f'Dir::State::Status "{place}/status";\n'
            f'Dir::Cache "{place}/cache";\n'
            f'Dir::Cache::Archives "{place}/cache/archives/";\n',
            encoding="utf-8",
        )

    def run(self, *argv: str, cwd: Optional[Path] = None) -> str:
        """Runs an apt program on this tree and returns its output."""
        result = subprocess.run(
            [argv[0], "-c", str(self.place / "apt.conf"), *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            timeout=TIMEOUT,
            check=False,
        )
        if result.returncode != 0:
            raise Refused(f"{' '.join(argv)}: {(result.stderr or result.stdout).strip()}")
        return result.stdout

    def refresh(self) -> None:
        """Asks for the indexes, unless that was done a short time ago."""
        stamp = self.place / "refreshed"
        if not stamp.exists() or time.time() - stamp.stat().st_mtime > INDEX_LIFETIME:
            _retried(lambda: self.run("apt-get", "--error-on=any", "update"))
            stamp.touch()

    def version(self, package: str) -> str:
        """The newest version of a package."""
        found = re.search(r"^Version: (\S+)", self.run("apt-cache", "show", "--no-all-versions", package), re.MULTILINE)
        if found is None:
            raise Refused(f"no package {package}")
        return found.group(1)

    def unpack(self, target: Path, *packages: str) -> None:
        """Downloads packages (`name` or `name=version`) and unpacks their files below `target`."""
        print(f"lab: downloading {' '.join(packages)}", file=sys.stderr)
        work = Path(tempfile.mkdtemp(prefix="download-", dir=self.place))
        try:
            _retried(lambda: self.run("apt-get", "download", *packages, cwd=work))
            archives = list(work.glob("*.deb"))
            if len(archives) != len(packages):
                raise Refused(f"apt-get download brought {len(archives)} of {len(packages)} packages")
            for archive in archives:
                subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True, timeout=TIMEOUT)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def own_suite() -> str:
    """The Debian release that this machine runs, by its code name."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise Refused("this machine does not say which Debian release it is")


def _machine_sources() -> list[tuple[str, str, str]]:
    """(site, suite, keyring) of every Debian package index that the machine's own apt is configured with."""
    output = subprocess.run(
        ["apt-get", "indextargets", "Created-By: Packages"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    found = []
    for paragraph in output.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        suite = fields.get("Release", "")
        # There is no Origin before the machine's first `apt-get update`; Debian's suites are known by name then.
        base = suite.removesuffix("-security").removesuffix("-updates")
        debian = fields.get("Origin") == "Debian" or ("Origin" not in fields and base == own_suite())
        if fields.get("Component") == "main" and debian:
            # Debian's own keyring holds the keys of other releases too; without it, apt's trusted keys decide.
            keyring = fields.get("Signed-By", _KEYRING if os.path.exists(_KEYRING) else "")
            found.append((fields.get("Repo-URI") or fields["Site"], suite, keyring))
    return found


def _retried(action: Callable[[], _Result]) -> _Result:
    """Runs an action up to ATTEMPTS times; the last failure is raised."""
    for attempt in range(1, ATTEMPTS):
        try:
            return action()
        except (Refused, subprocess.TimeoutExpired) as error:
            print(f"lab: attempt {attempt} of {ATTEMPTS} failed: {str(error).splitlines()[0]}", file=sys.stderr)
            time.sleep(2.0 * attempt)
    return action()
