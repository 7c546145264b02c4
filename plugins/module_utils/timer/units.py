# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's timer as files: a launchd agent on macOS, a systemd timer and service elsewhere. Pure."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError
from ..core.plan import Plan, Step
from .times import launchd_calendar, systemd_calendars

PREFIX = "laptop.containers"
NAME = re.compile(r"[a-z][a-z0-9-]{0,40}\Z")
SECRET_NAME = re.compile(r"SECRET|PASSWORD|TOKEN|ACCESS_KEY", re.IGNORECASE)
# User and password in an address, where either may hold an @.
LOGIN = re.compile(r"(?<=//)\S+(?=@)")
# A shorter one is no secret, and hiding it everywhere would make rubble of what a user shall read.
SHORTEST_SECRET = 6
SHORTEST, LONGEST = 1, 1440  # minutes
# systemd refuses a program whose path holds one of these, however it is quoted, or finds another one.
NO_PROGRAM = re.compile(r"[$'\"\\]")
# systemd starts up to this much later than the calendar says: its accuracy of a minute, and our random delay.
LATE = 2  # minutes


@dataclass(frozen=True)
class Timer:
    """What runs, and how often (minutes)."""

    name: str
    command: tuple[str, ...] = ()
    minutes: int = 60
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""

    @property
    def label(self) -> str:
        """The name of the launchd agent."""
        return f"{PREFIX}.{self.name}"

    @property
    def unit(self) -> str:
        """The name of the systemd units, without suffix."""
        return f"{PREFIX.replace('.', '-')}-{self.name}"


@dataclass(frozen=True)
class Installed:
    """What is there: the files (None: missing), whether the service manager runs the timer, and whether it will at log-in."""

    files: Mapping[str, str | None]
    active: bool
    enabled: bool = False

    @property
    def anything(self) -> bool:
        """Whether anything at all is left of a timer."""
        return self.active or self.enabled or any(content is not None for content in self.files.values())


def secrets_in(command: object, environment: object) -> set[str]:
    """Return what must not be seen of the options of a timer, also of one that is refused: logins with a password, secrets."""
    variables = environment if isinstance(environment, Mapping) else {"": environment}
    words = command if isinstance(command, list) else [command]
    logins = {login for text in (*words, *variables.values()) for login in LOGIN.findall(str(text)) if ":" in login}
    named = {str(value) for name, value in variables.items() if SECRET_NAME.search(str(name))}
    return logins | {value for value in named if len(value) >= SHORTEST_SECRET}


def check_timer(timer: Timer, absent: bool) -> Timer:
    """Return the timer. Raises InputError for what can't be meant."""
    shown = f"Could not set up timer '{timer.name}'"
    if not NAME.match(timer.name):
        raise InputError(f"{shown}: its name may hold lower case letters, digits and '-'. Choose another name.")
    if absent:
        return timer
    if not timer.command or not timer.command[0].startswith("/"):
        raise InputError(f"{shown}: its command does not begin with an absolute path. A timer has no PATH to search.")
    if not SHORTEST <= timer.minutes <= LONGEST:
        raise InputError(f"{shown}: {timer.minutes} minutes are not between {SHORTEST} and {LONGEST}. Correct 'every'.")
    for name in timer.environment:
        if SECRET_NAME.search(name):
            raise InputError(f"{shown}: '{name}' looks like a secret, and the file is no place for one. Use an AWS profile.")
    for text in (*timer.command, *timer.environment.values(), timer.directory):
        if "\n" in text or "\0" in text:
            raise InputError(f"{shown}: a line break in its command or environment. Take it out.")
    return timer


def check_for_systemd(timer: Timer) -> None:
    """Raise InputError for what a systemd unit can't say."""
    found = NO_PROGRAM.search(timer.command[0])
    if found:
        raise InputError(
            f"Could not set up timer '{timer.name}': systemd starts no program with {found[0]} in its path, and "
            f"'{timer.command[0]}' has one. Give a path without it."
        )


def launchd_log(timer: Timer, home: Path) -> Path:
    """Return where the error output of an agent goes: what it says when it can't even begin is found nowhere else."""
    return home / "Library" / "Logs" / f"{timer.label}.log"


def launchd_files(timer: Timer, home: Path) -> dict[str, str]:
    """Return path and content of the agent."""
    agent: dict[str, object] = {
        "Label": timer.label,
        "ProgramArguments": list(timer.command),
        "StartCalendarInterval": launchd_calendar(timer.minutes),
        "RunAtLoad": True,
        "ProcessType": "Background",
        "StandardOutPath": "/dev/null",
        "StandardErrorPath": str(launchd_log(timer, home)),
    }
    if timer.environment:
        agent["EnvironmentVariables"] = dict(timer.environment)
    if timer.directory:
        agent["WorkingDirectory"] = timer.directory
    path = home / "Library" / "LaunchAgents" / f"{timer.label}.plist"
    return {str(path): plistlib.dumps(agent).decode()}


def systemd_files(timer: Timer, config: Path) -> dict[str, str]:
    """Return paths and contents of service and timer.

    The calendar with Persistent makes up for sleep. OnUnitActiveSec comes after it, so that it starts something only where the
    calendar fails: when the hour is set back, for summer time or because the clock was wrong.
    """
    directory = [f"WorkingDirectory={_specifier(timer.directory)}"] if timer.directory else []
    service = [
        "[Unit]",
        f"Description={PREFIX}: {timer.name}",
        "",
        "[Service]",
        "Type=oneshot",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(timer.environment.items())),
        *directory,
        "ExecStart=" + " ".join(_quoted(part.replace("$", "$$")) for part in timer.command),
        "Nice=10",
        "",
    ]
    clock = [
        "[Unit]",
        f"Description={PREFIX}: {timer.name}, every {timer.minutes} minutes",
        "",
        "[Timer]",
        "OnStartupSec=1min",
        f"OnUnitActiveSec={timer.minutes + LATE}min",
        *(f"OnCalendar={times}" for times in systemd_calendars(timer.minutes)),
        "Persistent=true",
        "RandomizedDelaySec=30",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    folder = config / "systemd" / "user"
    return {
        str(folder / f"{timer.unit}.service"): "\n".join(service),
        str(folder / f"{timer.unit}.timer"): "\n".join(clock),
    }


def _specifier(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = _specifier(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _shown(content: str) -> str:
    """Return a file as a diff may show it: the address of a proxy may hold a password."""
    return LOGIN.sub("***", content)


def plan_timer(timer: Timer, wanted: Mapping[str, str], current: Installed, absent: bool) -> Plan:
    """Return what to write, remove, start or stop."""
    steps: list[Step] = []
    target = f"timer {timer.name}"
    if absent:
        if current.anything:
            # Also what does not run may be enabled, which is a link of its own that would outlive the files.
            steps.append(Step("stop", target))
        steps += [Step("remove", path) for path, content in current.files.items() if content is not None]
    else:
        steps += [
            Step("write" if current.files[path] is None else "rewrite", path)
            for path, content in wanted.items()
            if current.files[path] != content
        ]
        if steps or not (current.active and current.enabled):
            steps.append(Step("restart" if current.active else "start", target, f"every {timer.minutes} minutes"))
    before = {path: _shown(content or "") for path, content in current.files.items()}
    after = {path: "" if absent else _shown(wanted[path]) for path in current.files}
    return Plan(
        tuple(steps),
        {**before, "active": current.active, "enabled": current.enabled},
        {**after, "active": not absent, "enabled": not absent},
    )
