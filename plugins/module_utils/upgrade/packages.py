# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks Homebrew and apt what they have newer than what they installed, and has them upgrade it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..brew import QUIET, failed
from ..core.errors import CommandFailed
from ..core.install import formula_of
from ..core.system.command import Cli, Output
from ..toolchain.programs import version_of
from .model import NewerVersion, PackageManager

# Homebrew asks the network, and may have to wait for another brew.
_SECONDS = 300.0
_APT_SECONDS = 60.0
_STALL_SECONDS = 600.0
_INSTALLED = re.compile(r"^ *Installed: (\S+)$", re.MULTILINE)
# A version of the table of versions, and the lines of where it is to be had.
_ROW = re.compile(r"^ (?:\*\*\*|   ) (\S+) \d+$")
_CANDIDATE = re.compile(r"^ *Candidate: (\S+)$", re.MULTILINE)
_NONE = "(none)"


class Homebrew:
    """The Homebrew of this laptop."""

    def __init__(self) -> None:
        # The version before is the way back, so it stays.
        self.cli = Cli("brew", environment={**QUIET, "HOMEBREW_NO_INSTALL_CLEANUP": "1"})

    def refresh(self) -> None:
        """Have it learn which versions there are. Changes nothing but its own notes."""
        if self.cli.installed:
            done = self.cli.run("update", "--quiet", check=False, timeout=_SECONDS)
            if done.rc != 0:
                raise failed("ask Homebrew for new versions", done, "Run 'brew update', and repair what it names.")

    def has(self, programs: Iterable[str]) -> list[str]:
        """Return the programs that it has installed."""
        if not self.cli.installed:
            return []
        listed = self.cli.run("list", "--formula", "-1", check=False, timeout=_SECONDS)
        if listed.rc != 0:
            raise failed("ask Homebrew what is installed", listed, "Run 'brew list', and repair what it names.")
        names = set(listed.stdout.split())
        return [program for program in programs if formula_of(program) in names]

    def newer(self, programs: Sequence[str]) -> Iterator[NewerVersion]:
        """Yield those of its programs that it has a newer version of."""
        if not programs:
            return
        done = self.cli.run("outdated", "--json=v2", "--formula", check=False, timeout=_SECONDS)
        if done.rc != 0:
            raise failed("ask Homebrew for what is outdated", done, "Run 'brew outdated', and repair what it names.")
        outdated = {formula["name"].rpartition("/")[2]: formula for formula in _formulae(done.stdout)}
        for program in programs:
            one = outdated.get(formula_of(program))
            if one is not None:
                # Earlier ones may be there, too.
                installed = max(map(str, one["installed_versions"]), key=lambda version: version_of(version) or ())
                candidate, pinned = str(one["current_version"]), bool(one.get("pinned"))
                yield NewerVersion(program, formula_of(program), PackageManager.HOMEBREW, installed, candidate, pinned)

    def upgrade(self, formulae: Sequence[str]) -> None:
        """Upgrade formulae, with what they need."""
        done = self.cli.run("upgrade", "--formula", *formulae, check=False, stall=_STALL_SECONDS)
        if done.rc != 0:
            raise failed(f"upgrade {' and '.join(formulae)}", done, "Repair what it names, then run again.")


class Apt:
    """Debian's and Ubuntu's packages on this laptop."""

    def __init__(self) -> None:
        self.dpkg = Cli("dpkg-query")
        self.apt = Cli("apt-cache")
        self.mark, self.config = Cli("apt-mark"), Cli("apt-config")
        # dpkg wants programs that a user's PATH need not have.
        path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
        self.get = Cli("apt-get", environment={"PATH": path, "DEBIAN_FRONTEND": "noninteractive"})
        self.sudo = Cli("sudo")

    @property
    def root(self) -> bool:
        """Whether root's rights are at hand without a password."""
        if os.geteuid() == 0 or not self.sudo.installed:
            return os.geteuid() == 0
        return self.sudo.run("-n", "true", check=False, timeout=_APT_SECONDS).rc == 0

    def refresh(self) -> None:
        """Have it learn which versions there are, as root."""
        done = self._as_root("update", "-qq")
        if done.rc != 0:
            raise _refused("ask apt for new versions", done, "Run 'sudo apt-get update', and repair what it names.")

    def upgrade(self, newer: Sequence[NewerVersion]) -> None:
        """Upgrade to exactly these versions, as root. Removes no package, and keeps settings that were edited."""
        kept = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
        wanted = [f"{update.package}={update.candidate}" for update in newer]
        done = self._as_root("install", "--only-upgrade", "--no-remove", "--yes", *kept, *wanted)
        if done.rc != 0:
            raise _refused(
                f"upgrade {' and '.join(update.package for update in newer)}", done, "Repair what it names, then run again."
            )

    def _as_root(self, *words: str) -> Output:
        words = ("-o", f"DPkg::Lock::Timeout={_SECONDS:g}", *words)
        if os.geteuid() == 0:
            return self.get.run(*words, check=False, stall=_STALL_SECONDS)
        return self.sudo.run("-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *words, check=False, stall=_STALL_SECONDS)

    def packages(self, paths: Mapping[str, Path]) -> dict[str, str]:
        """Return the package of each program, given with where it is, that came with one."""
        found = {program: self._package(path) for program, path in paths.items()}
        return {program: package for program, package in found.items() if package}

    def newer(self, packages: Mapping[str, str]) -> Iterator[NewerVersion]:
        """Yield those programs, given with their packages, that apt has a newer version of."""
        held: set[str] | None = None
        for program, package in packages.items():
            answer = self.apt.run("policy", package, timeout=_APT_SECONDS).stdout
            installed, candidate = (
                found[1] if (found := pattern.search(answer)) else _NONE for pattern in (_INSTALLED, _CANDIDATE)
            )
            if _NONE in (installed, candidate) or installed == candidate:
                continue
            if held is None:
                held = set(self.mark.run("showhold", timeout=_APT_SECONDS).stdout.split())
            kept = self._kept(package, installed, answer)
            yield NewerVersion(program, package, PackageManager.APT, installed, candidate, package in held, kept)

    def _kept(self, package: str, version: str, policy: str) -> str:
        """Return what a version can be installed from: a repository, by its name, or a file that apt has kept; or ''."""
        if _offered(policy, version):
            return f"{package}={version}"
        output = self.config.run("shell", "PLACE", "Dir::Cache::archives/d", timeout=_APT_SECONDS).stdout
        place = Path(output.strip().removeprefix("PLACE='").removesuffix("'"))
        return next((str(file) for file in place.glob(f"{package}_{version.replace(':', '%3a')}_*.deb")), "")

    def _package(self, path: Path) -> str:
        """Return the package that a file came with; '' where it came with none, or dpkg is missing."""
        if not (self.dpkg.installed and self.apt.installed):
            return ""
        done = self.dpkg.run("--search", os.path.realpath(path), check=False, timeout=_APT_SECONDS)
        # docker-cli: /usr/bin/docker, or with an architecture behind the name.
        return done.stdout.partition(": ")[0].partition(":")[0] if done.rc == 0 else ""


def _offered(policy: str, version: str) -> bool:
    """Whether a repository has a version, by what `apt-cache policy` prints."""
    at = ""
    for line in policy.splitlines():
        row = _ROW.match(line)
        at = row[1] if row else at
        # Priority and file for what is installed; for a repository its address, suite and kind of index.
        if not row and at == version and line.startswith(" " * 8) and len(line.split()) > 2:
            return True
    return False


def _refused(what: str, done: Output, remedy: str) -> CommandFailed:
    lines = [line.removeprefix("E: ") for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
    reason = (errors[0].removeprefix("E: ") if errors else lines[-1] if lines else "apt-get printed nothing").rstrip(".")
    return CommandFailed(what, reason, remedy, rc=done.rc, stdout=done.stdout, stderr=done.stderr)


def _formulae(text: str) -> list[dict[str, Any]]:
    try:
        listed: list[dict[str, Any]] = json.loads(text)["formulae"]
    except (ValueError, KeyError, TypeError) as error:
        remedy = "Run 'brew outdated --json=v2', and look at what it says."
        raise CommandFailed("read what Homebrew says is outdated", "it is not what brew prints", remedy, stdout=text) from error
    return listed
