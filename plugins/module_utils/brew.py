# SPDX-License-Identifier: GPL-3.0-or-later
"""Homebrew as far as a Brewfile goes: what of it is missing on this laptop, and having it installed. Nothing is upgraded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .core.command import Cli, Output
from .core.errors import CommandFailed
from .core.plan import Plan, Step

HOW_TO_INSTALL = (
    "Install Homebrew (https://brew.sh), or install what the Brewfile lists the way your system offers it "
    "and leave this role out."
)
# No question, no upgrade of Homebrew itself in between, no advertisement of settings.
_QUIET = {"HOMEBREW_NO_AUTO_UPDATE": "1", "HOMEBREW_NO_ASK": "1", "HOMEBREW_NO_ENV_HINTS": "1", "NONINTERACTIVE": "1"}
# `→ Formula colima needs to be installed.`
_MISSING = re.compile(r"^\W*(Tap|Formula|Cask) (\S+) needs to be", re.MULTILINE)
_SECONDS_TO_CHECK = 120.0
# Downloads, one after the other; without a line for ten minutes nothing comes any more.
_STALL_SECONDS = 600.0


def missing_from(text: str) -> list[tuple[str, str]]:
    """Return kind and name of what `brew bundle check --verbose` says is missing."""
    return [(kind.lower(), name) for kind, name in _MISSING.findall(text)]


def plan_bundle(missing: Sequence[tuple[str, str]]) -> Plan:
    """Return one step per thing that is missing."""
    steps = tuple(Step("install" if kind != "tap" else "add", f"{kind} '{name}'") for kind, name in missing)
    names = [name for _kind, name in missing]
    return Plan(steps, {"missing": names}, {"missing": []})


class Homebrew:
    """The Homebrew of this laptop, and one Brewfile."""

    def __init__(self, brewfile: str) -> None:
        self.brewfile = brewfile
        self.cli = Cli("brew", HOW_TO_INSTALL, _QUIET)

    def missing(self) -> list[tuple[str, str]]:
        """Return what of the Brewfile is not installed."""
        arguments = ("bundle", "check", "--verbose", "--no-upgrade", "--file=-")
        done = self.cli.run(*arguments, stdin=self.brewfile, check=False, timeout=_SECONDS_TO_CHECK)
        found = missing_from(done.stdout + done.stderr)
        if done.rc != 0 and not found:
            raise _failed("check the Brewfile", done, "Run 'brew bundle check --verbose' and repair what it reports.")
        return found

    def install(self) -> None:
        """Install what is missing; what is there stays as it is."""
        done = self.cli.run(
            "bundle", "install", "--no-upgrade", "--file=-", stdin=self.brewfile, check=False, stall=_STALL_SECONDS
        )
        if done.rc != 0:
            remedy = "Repair what it names, then run again: what was installed stays."
            raise _failed("install what the Brewfile lists", done, remedy)


def _failed(what: str, done: Output, remedy: str) -> CommandFailed:
    reason = _last_line(done.stderr or done.stdout)
    return CommandFailed(f"Could not {what}: {reason}. {remedy}", rc=done.rc, stdout=done.stdout, stderr=done.stderr)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else "brew printed nothing"
