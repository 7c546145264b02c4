# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's timer: what it runs and when, which ones are refused, and the plan from what is installed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError
from ..core.plan import Pending, Plan, Step
from ..core.secrecy.patterns import is_secret_name, logins_in, without_logins

PREFIX = "laptop.containers"
MINUTES_OF_HOUR, MINUTES_OF_DAY = 60, 24 * 60
SHORTEST, LONGEST = 1, MINUTES_OF_DAY  # minutes
# The kind of what waits for a log-in to the desktop.
NO_DESKTOP = "no_desktop"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Timer:
    """What runs at log-in, and how often from then on (minutes; None: no more)."""

    name: str
    command: tuple[str, ...] = ()
    minutes: int | None = 60
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    # What a command starts inherits how much of the laptop it may use, and a VM runs for long.
    starts_vms: bool = False

    @property
    def label(self) -> str:
        """The name of the launchd agent."""
        return f"{PREFIX}.{self.name}"

    @property
    def when(self) -> str:
        """When it runs, in words."""
        return "at log-in" if self.minutes is None else f"every {self.minutes} minutes"

    @property
    def unit(self) -> str:
        """The name of the systemd units, without suffix."""
        return f"{PREFIX.replace('.', '-')}-{self.name}"


@dataclass(frozen=True)
class Installed:
    """What was found: the files (None: missing), whether the service manager runs the timer, and whether it will at log-in.

    waits: why it can't be started now, although it will be at the next log-in; empty where it can.
    """

    files: Mapping[str, str | None]
    active: bool
    enabled: bool = False
    waits: str = ""

    @property
    def anything(self) -> bool:
        """Whether anything at all is left of a timer."""
        return self.active or self.enabled or any(content is not None for content in self.files.values())


@dataclass(frozen=True)
class Write(Step):
    """Write a file."""

    path: Path = Path()
    text: str = ""


@dataclass(frozen=True)
class Remove(Step):
    """Remove a file."""

    path: Path = Path()


@dataclass(frozen=True)
class Start(Step):
    """Have the service manager start the timer with its files as they are now."""


@dataclass(frozen=True)
class Stop(Step):
    """Have the service manager stop the timer for good."""


@dataclass(frozen=True)
class CleanUp(Step):
    """Have the service manager forget the files; silent."""


def times_of_day(minutes: int) -> tuple[tuple[int | None, int], ...]:
    """Return an interval as hour and minute of each start; no hour stands for every hour.

    Only calendars make up for what a machine slept through: a StartInterval that falls into sleep is dropped (launchd.plist(5)),
    and the clock of OnUnitActiveSec stands still meanwhile (systemd.timer(5)). Neither system's calendar knows intervals, so each
    day is counted out from midnight; the step over midnight may be a shorter one.
    """
    if MINUTES_OF_HOUR % minutes == 0:
        return tuple((None, minute) for minute in range(0, MINUTES_OF_HOUR, minutes))
    return tuple(divmod(moment, MINUTES_OF_HOUR) for moment in range(0, MINUTES_OF_DAY, minutes))


def check_timer(timer: Timer) -> None:
    """Raise InputError for a timer that is invalid under every service manager."""
    what = _set_up(timer)
    check_name(timer.name)
    if not timer.command or not timer.command[0].startswith("/"):
        raise InputError(what, "its command does not begin with an absolute path", "A timer has no PATH to search.")
    if logins_in(list(timer.command)):
        raise InputError(what, "its command holds a password, which every program may read", "Use a key or a credential helper.")
    if timer.minutes is not None and not SHORTEST <= timer.minutes <= LONGEST:
        found = str(timer.minutes) if abs(timer.minutes) < 10**9 else "so many"
        raise InputError(what, f"{found} minutes are not between {SHORTEST} and {LONGEST}", "Correct O(every).")
    if timer.directory and not timer.directory.startswith("/"):
        raise InputError(what, f"directory '{timer.directory}' is not absolute", "Start it with '/' or '~/'.")
    _check_variables(timer)
    for part, text in _texts(timer):
        if any(map(_has_no_form, text)):
            raise InputError(what, f"its {part} holds a line break or another control character", "Remove it.")


def _check_variables(timer: Timer) -> None:
    for name in timer.environment:
        if not _VARIABLE.match(name):
            raise refused(timer, f"{name!r} is an invalid name of a variable", "Use letters, digits and '_'.")
        if is_secret_name(name):
            raise refused(timer, f"'{name}' looks like a secret, and the file is not a place for one", "Use an AWS profile.")


def check_name(name: str) -> None:
    """Raise InputError for a name that no file can have."""
    if not _NAME.match(name):
        reason = "its name may hold lower case letters, digits and '-'"
        raise InputError(f"set up timer '{name}'", reason, "Choose another name.")


def _texts(timer: Timer) -> list[tuple[str, str]]:
    return [
        *(("command", word) for word in timer.command),
        *(("environment", value) for value in timer.environment.values()),
        ("directory", timer.directory),
    ]


def _has_no_form(char: str) -> bool:
    """Whether neither a unit nor a property list can hold a character."""
    return (unicodedata.category(char) in ("Cc", "Cs") and char != "\t") or char in "\ufffe\uffff"


def _set_up(timer: Timer) -> str:
    return f"set up timer '{timer.name}'"


def refused(timer: Timer, reason: str, remedy: str) -> InputError:
    """Return a failure to set up a timer."""
    return InputError(_set_up(timer), reason, remedy)


def plan_timer(timer: Timer, wanted: Mapping[str, str], current: Installed, *, absent: bool) -> Plan:
    """Return what to write, remove, start or stop. wanted: the files of the timer, by path."""
    steps = _removal(timer, current) if absent else _installation(timer, wanted, current)
    waits = current.waits if not absent else ""
    pending = Pending(f"timer '{timer.name}'", "its start", waits, "It starts at the next log-in to the desktop.", NO_DESKTOP)
    before = {path: _shown(content or "") for path, content in current.files.items()}
    after = {path: "" if absent else _shown(wanted[path]) for path in current.files}
    return Plan(
        tuple(steps),
        {**before, "active": current.active, "enabled": current.enabled},
        {**after, "active": not absent and not waits, "enabled": not absent},
        pending=(pending,) if waits else (),
    )


def _removal(timer: Timer, current: Installed) -> list[Step]:
    if not current.anything:
        return []
    # Also what does not run may be enabled, which is a link of its own that would outlive the files.
    stop = Stop("stop", f"timer {timer.name}")
    gone = [Remove("remove", path, path=Path(path)) for path, content in current.files.items() if content is not None]
    return [stop, *gone, CleanUp("forget", f"timer {timer.name}", silent=True)]


def _installation(timer: Timer, wanted: Mapping[str, str], current: Installed) -> list[Step]:
    steps: list[Step] = [
        Write("write" if current.files[path] is None else "rewrite", path, path=Path(path), text=content)
        for path, content in wanted.items()
        if current.files[path] != content
    ]
    if not current.waits and (steps or not (current.active and current.enabled)):
        verb = "restart" if current.active else "start"
        steps.append(Start(verb, f"timer {timer.name}", timer.when))
    return steps


def _shown(content: str) -> str:
    """Return a file as a diff may show it: the address of a proxy may hold a password."""
    return without_logins(content, "***")
