# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade is about: programs with a newer version at hand, VMs that run, and the steps. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..core.plan import Step
from ..policy.rules import Rule

# The programs of the workstation, and those of them on which a running VM rests.
PROGRAMS = ("limactl", "colima", "docker", "docker-buildx", "docker-compose", "kubectl")
UNDER_VMS = frozenset(("limactl", "colima"))
# Where Homebrew links what a formula brings, below its prefix.
_LINKED = {"docker-buildx": "lib/docker/cli-plugins", "docker-compose": "lib/docker/cli-plugins"}


class PackageManager(StrEnum):
    """Who brought a program, and so upgrades it."""

    HOMEBREW = "Homebrew"
    APT = "apt"


# Packages that bring the docker command together with an engine, which is restarted.
WITH_ENGINE = frozenset(("docker.io", "docker-ce", "moby-engine"))


@dataclass(frozen=True)
class NewerVersion:
    """A program with a newer version at hand. package: its name there; held: whether it is held back there.

    kept: what apt can install the version of now from, a package with its version or a file; empty where it has it no more.
    """

    program: str
    package: str
    by: PackageManager
    installed: str
    candidate: str
    held: bool = False
    kept: str = ""

    @property
    def change(self) -> str:
        """From what to what."""
        return f"{self.installed} to {self.candidate}"

    @property
    def back(self) -> str:
        """The command that returns to what is installed now; empty where there is none."""
        if self.by is PackageManager.APT:
            return f"sudo apt-get install --allow-downgrades {shlex.quote(self.kept)}" if self.kept else ""
        place = _LINKED.get(self.program, "bin")
        old = f'"$(brew --cellar)"/{self.package}/{self.installed}/{place}/*'
        return f'brew unlink {self.package} && ln -s {old} "$(brew --prefix)"/{place}/'


@dataclass(frozen=True)
class UpgradeSpec:
    """Which programs to upgrade, whether VMs may be stopped for it, the team's rules about versions, and whether as root, too."""

    programs: tuple[str, ...]
    stop: bool
    rules: tuple[Rule, ...] = ()
    become: bool = False


@dataclass(frozen=True)
class UpgradeState:
    """What is there: programs with a newer version, those of unknown origin with where they are, and the VMs that run.

    root: whether root's rights are at hand without a password; only found out on request.
    """

    newer: tuple[NewerVersion, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    running: tuple[str, ...] = ()
    root: bool = False


@dataclass(frozen=True)
class StopProfile(Step):
    """Stop a VM."""

    profile: str = ""


@dataclass(frozen=True)
class UpgradeProgram(Step):
    """Upgrade one program."""

    newer: NewerVersion | None = None


@dataclass(frozen=True)
class StartProfile(Step):
    """Start a VM that was stopped."""

    profile: str = ""
