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


class By(StrEnum):
    """Who brought a program, and so upgrades it."""

    HOMEBREW = "Homebrew"
    APT = "apt"


@dataclass(frozen=True)
class Newer:
    """A program with a newer version at hand. package: its name there; held: whether it is held back there."""

    program: str
    package: str
    by: By
    installed: str
    candidate: str
    held: bool = False

    @property
    def change(self) -> str:
        """From what to what."""
        return f"{self.installed} to {self.candidate}"

    @property
    def back(self) -> str:
        """The command that returns to what is installed now."""
        if self.by is By.APT:
            return f"sudo apt-get install --allow-downgrades {shlex.quote(f'{self.package}={self.installed}')}"
        place = _LINKED.get(self.program, "bin")
        old = f'"$(brew --cellar)"/{self.package}/{self.installed}/{place}/*'
        return f'brew unlink {self.package} && ln -s {old} "$(brew --prefix)"/{place}/'


@dataclass(frozen=True)
class Wish:
    """Which programs to upgrade, whether VMs may be stopped for it, and the team's rules about versions."""

    programs: tuple[str, ...]
    stop: bool
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Found:
    """What is there: programs with a newer version, those of unknown origin with where they are, and the VMs that run."""

    newer: tuple[Newer, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    running: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stop(Step):
    """Stop a VM."""

    profile: str = ""


@dataclass(frozen=True)
class Upgrade(Step):
    """Upgrade one program."""

    newer: Newer | None = None


@dataclass(frozen=True)
class Start(Step):
    """Start a VM that was stopped."""

    profile: str = ""
