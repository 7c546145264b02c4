# SPDX-License-Identifier: GPL-3.0-or-later
"""Homebrew as far as a Brewfile goes: what of it is missing on this laptop, and installing that. Nothing is upgraded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .core.errors import CommandFailed, WorkstationError
from .core.install import how_to_install, program_of
from .core.plan import Plan, Step
from .core.subject import Result, Subject
from .core.system.command import Cli, Output

# No question, no upgrade of Homebrew itself in between, no advertisement of settings.
QUIET = {"HOMEBREW_NO_AUTO_UPDATE": "1", "HOMEBREW_NO_ASK": "1", "HOMEBREW_NO_ENV_HINTS": "1", "NONINTERACTIVE": "1"}
# `→ Formula colima needs to be installed.`
_MISSING = re.compile(r"^\W*(Tap|Formula|Cask) (\S+) needs to be", re.MULTILINE)
_SECONDS_TO_CHECK = 120.0
# Downloads, one after the other; without a line for ten minutes nothing comes any more.
_STALL_SECONDS = 600.0

# `brew "colima"`, with whatever options.
_FORMULA = re.compile(r"""^\s*brew\s*\(?\s*["'](?:[^"']*/)?([^"'/]+)["']""", re.MULTILINE)

# Not the system's own name: on a Mac the answer would be Homebrew again.
_WITHOUT = "none"

Missing = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Install(Step):
    """Install one thing of the Brewfile."""

    name: str = ""


def missing_from(text: str) -> list[tuple[str, str]]:
    """Return kind and name of what `brew bundle check --verbose` calls missing."""
    return [(kind.lower(), name) for kind, name in _MISSING.findall(text)]


def without_homebrew(brewfile: str) -> str:
    """Return what to do where Homebrew is missing: install it, or what the Brewfile lists as this system offers it."""
    programs = [program_of(formula) for formula in _FORMULA.findall(brewfile)]
    instead = f" {how_to_install(*programs, system=_WITHOUT)}" if programs else ""
    return f"Install Homebrew (https://brew.sh). Or leave this role out, and install what its Brewfile lists.{instead}"


class Homebrew:
    """The Homebrew of this laptop, and one Brewfile."""

    def __init__(self, brewfile: str) -> None:
        self.brewfile = brewfile
        self.cli = Cli("brew", without_homebrew(brewfile), QUIET)

    def missing(self) -> Missing:
        """Return what of the Brewfile is not installed."""
        arguments = ("bundle", "check", "--verbose", "--no-upgrade", "--file=-")
        done = self.cli.run(*arguments, stdin=self.brewfile, check=False, timeout=_SECONDS_TO_CHECK)
        found = missing_from(done.stdout + done.stderr)
        if done.rc != 0 and not found:
            raise failed("check the Brewfile", done, "Run 'brew bundle check --verbose' and repair what it reports.")
        return found

    def install(self) -> None:
        """Install what is missing; what is installed stays as it is."""
        done = self.cli.run(
            "bundle", "install", "--no-upgrade", "--file=-", stdin=self.brewfile, check=False, stall=_STALL_SECONDS
        )
        if done.rc != 0:
            remedy = "Repair what it names, then run again: what was installed stays."
            raise failed("install what the Brewfile lists", done, remedy)


class Bundle(Subject[Homebrew, Missing]):
    """What a Brewfile lists."""

    argument_spec = {"brewfile": {"type": "str", "required": True}}
    work = "install what the Brewfile lists"
    look = "Run 'brew install' with the name of what is missing, and look at what it says."

    homebrew: Homebrew

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> Homebrew:
        """Return the Homebrew that has the Brewfile."""
        del check_mode
        self.homebrew = Homebrew(params["brewfile"])
        return self.homebrew

    def read(self, spec: Homebrew) -> Missing:
        """Return what is missing."""
        return spec.missing()

    def plan(self, spec: Homebrew, current: Missing) -> Plan:
        """Return one step for each thing that is missing."""
        del spec
        steps = tuple(Install("install" if kind != "tap" else "add", f"{kind} '{name}'", name=name) for kind, name in current)
        return Plan(steps, {"missing": [name for _kind, name in current]}, {"missing": []})

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Install everything with one command; after a failure tell what of it was installed."""
        left: set[str] = set()
        try:
            self.homebrew.install()
        except WorkstationError:
            left = {step.name for step in plan.steps if isinstance(step, Install)}
            with contextlib.suppress(WorkstationError):
                left = {name for _kind, name in self.homebrew.missing()}
            raise
        finally:
            for step in plan.steps:
                if isinstance(step, Install) and step.name not in left:
                    report(str(step))

    def public(self, outcome: Result[Homebrew, Missing]) -> dict[str, Any]:
        """Return nothing more than every module does."""
        del outcome
        return {}


SUBJECT = Bundle


def failed(what: str, done: Output, remedy: str) -> CommandFailed:
    """Return a failure of brew, with the last line that it printed as the reason."""
    reason = _last_line(done.stderr or done.stdout)
    return CommandFailed(what, reason, remedy, rc=done.rc, stdout=done.stdout, stderr=done.stderr)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else "brew printed nothing"
