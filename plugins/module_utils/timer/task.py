# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's timer as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.durations import duration_from
from ..core.errors import InputError
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.home import home
from ..core.system.lock import user_files
from .launchd import Launchd
from .manager import Manager
from .model import Installed, Start, Timer, check_name, check_timer, plan_timer
from .surroundings import at_home, elsewhere, left_behind, looks_too_seldom, missing_on_this_machine, variables
from .systemd import Systemd


@dataclass(frozen=True)
class TimerSpec:
    """What the options ask for, and what they should be warned of."""

    timer: Timer
    absent: bool
    warnings: tuple[str, ...] = ()


class UserTimer(Subject[TimerSpec, Installed]):
    """A timer of the user."""

    argument_spec = {
        "name": {"type": "str", "required": True},
        "command": {"type": "list", "elements": "str", "default": []},
        "every": {"type": "int"},
        "refresh_before": {"type": "str"},
        "idle_for": {"type": "str"},
        "limit": {"type": "float"},
        "jitter": {"type": "float"},
        "environment": {"type": "dict", "default": {}},
        "programs": {"type": "list", "elements": "str", "default": []},
        "inherit": {"type": "list", "elements": "str", "default": []},
        "leave": {"type": "list", "elements": "str", "default": []},
        "needs": {"type": "list", "elements": "str", "default": []},
        "directory": {"type": "path"},
        "starts_vms": {"type": "bool", "default": False},
        "here": {"type": "bool", "default": True},
        "manager": {"type": "str", "choices": ["auto", "launchd", "systemd"], "default": "auto"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    work = "converge the timer"

    asked: TimerSpec
    manager: Manager

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> TimerSpec:
        """Return the timer. Raises InputError."""
        self.manager = _manager(params["manager"])
        if params["state"] == "absent":
            check_name(params["name"])
            self.asked = TimerSpec(Timer(params["name"]), absent=True)
            return self.asked
        timer = Timer(
            name=params["name"],
            command=at_home(params["command"]),
            minutes=params["every"],
            environment=variables(os.environ, params["inherit"], params["programs"], params["environment"]),
            directory=params["directory"] or "",
            starts_vms=params["starts_vms"],
        )
        if params["idle_for"]:
            duration_from(params["idle_for"], "idle_for")
        _check_minutes(params)
        if not params["here"]:
            raise elsewhere(timer)
        check_timer(timer)
        self.manager.check(timer)
        self.asked = TimerSpec(timer, absent=False, warnings=tuple(self._look_around(timer, params, check_mode)))
        self.look = f"Look at '{self.manager.question(timer)}', and run again."
        return self.asked

    def _look_around(self, timer: Timer, params: Mapping[str, Any], check_mode: bool) -> Iterable[str]:
        """Yield warnings. Raises InputError where the timer would not find what it needs; in check mode that is a warning."""
        needs = at_home(params["needs"])
        yield from left_behind(timer.name, os.environ, params["leave"], params["environment"])
        yield from self.manager.warnings(timer, needs)
        seldom = looks_too_seldom(timer, params["refresh_before"]) if params["refresh_before"] else None
        if seldom:
            yield seldom
        missing = missing_on_this_machine(timer, needs)
        if missing and not check_mode:
            raise missing
        if missing:
            yield missing.message

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away from the user's files."""
        return user_files(self.work)

    def read(self, spec: TimerSpec) -> Installed:
        """Return what is installed of the timer."""
        return self.manager.read(spec.timer)

    def plan(self, spec: TimerSpec, current: Installed) -> Plan:
        """Return the steps."""
        return plan_timer(spec.timer, self.manager.files(spec.timer), current, absent=spec.absent)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan, if the service manager that is to run the timer is installed."""
        if any(isinstance(step, Start) for step in plan.steps):
            self.manager.cli.path  # noqa: B018 - raises ToolMissing before anything is written
        super().carry_out(plan, report)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        self.manager.apply(self.asked.timer, step)

    def public(self, outcome: Result[TimerSpec, Installed]) -> dict[str, Any]:
        """Return the files of the timer."""
        return {"files": list(outcome.after.files), "warnings": list(outcome.spec.warnings)}


SUBJECT = UserTimer


def _check_minutes(params: Mapping[str, Any]) -> None:
    """Raise InputError for minutes that the command itself can't use: each of its runs would fail."""
    for option, why_not, remedy in (
        ("limit", "nothing ends in that time", "Set it to minutes, such as 15."),
        ("jitter", "it is less than 0", "Set it to minutes, or to 0 for none."),
    ):
        minutes = params[option]
        if minutes is not None and (minutes < 0 or (minutes == 0 and option == "limit")):
            raise InputError(f"use {minutes:g} as O({option})", why_not, remedy)


def _manager(kind: str) -> Manager:
    place = Path(home())
    if kind == "launchd" or (kind == "auto" and sys.platform == "darwin"):
        return Launchd(place, os.getuid())
    return Systemd(place, os.environ, os.getuid())
