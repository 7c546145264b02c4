# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop whose colima and Lima came with Homebrew and are a version behind: kegs, links, and bottles of the newer ones."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.standin import brew, colima

OLD = {"colima": "0.9.1", "lima": "2.0.3"}
NEW = {"colima": brew.VERSIONS["colima"], "lima": brew.VERSIONS["lima"]}
_PROGRAM = {"colima": "colima", "lima": "limactl"}


@dataclass(frozen=True)
class BrewedLaptop:
    """prefix: Homebrew's; environment: of its user."""

    prefix: Path
    environment: Mapping[str, str]

    def run(self, *argv: str) -> str:
        """Run a program of the laptop that must succeed; return what it printed."""
        done = subprocess.run(
            argv, env=dict(self.environment), capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def versions(self) -> dict[str, str]:
        """Return the versions that the programs on PATH tell."""
        said = {"colima": self.run("colima", "version"), "lima": self.run("limactl", "--version")}
        return {name: said[name].splitlines()[0].split()[-1].removeprefix("v") for name in said}

    def running(self) -> set[str]:
        """Return the profiles whose VM runs."""
        rows = [line.split() for line in self.run("colima", "list").splitlines()[1:]]
        return {row[0] for row in rows if row[1] == "Running"}


def brewed_laptop(prefix: Path, environment: Mapping[str, str]) -> BrewedLaptop:
    """Install Homebrew, colima and Lima below a prefix. environment: its PATH has to begin with the prefix's bin."""
    brew.install(prefix / "bin")
    colima.install(prefix / "standins")
    # colima only looks whether it is there.
    (prefix / "bin/lima").symlink_to(prefix / "standins/lima")
    for formula, program in _PROGRAM.items():
        old = prefix / "Cellar" / formula / OLD[formula] / "bin" / program
        _write(old, prefix, formula, OLD[formula])
        _write(prefix / "Bottles" / formula / "bin" / program, prefix, formula, NEW[formula])
        (prefix / "bin" / program).symlink_to(old)
    return BrewedLaptop(prefix, environment)


def _write(path: Path, prefix: Path, formula: str, version: str) -> None:
    """Write a program that is the stand-in of a version."""
    path.parent.mkdir(parents=True)
    variable = f"REHEARSAL_{formula.upper()}_VERSION"
    path.write_text(f'#!/bin/sh\n{variable}={version} exec "{prefix}/standins/{path.name}" "$@"\n')
    path.chmod(0o755)
