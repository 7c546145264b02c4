# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd as far as a user's timers need it: their units, and the systemctl command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..core.system.command import Cli, Output
from .manager import SECONDS, Manager
from .model import PREFIX, Timer, refused, times_of_day

# systemd lets a program take 90 seconds to end before it kills it.
ENDED_WITHIN = 120.0
# systemd refuses a program whose path holds one of these, however it is quoted, or finds another one.
_NO_PROGRAM = re.compile(r"[$'\"\\]")
# systemd starts up to this much later than the calendar says: its accuracy of a minute, and our random delay.
_LATE = 2  # minutes


def check_for_systemd(timer: Timer) -> None:
    """Raise InputError for what a systemd unit can't say."""
    found = _NO_PROGRAM.search(timer.command[0])
    if found:
        reason = f"systemd does not start a program with {found[0]} in its path, and '{timer.command[0]}' has one"
        raise refused(timer, reason, "Give a path without it.")
    if timer.directory.endswith("\\") or timer.directory != timer.directory.strip():
        # systemd takes the next line for part of it, or drops the space; such a path can't be quoted.
        reason = f"directory '{timer.directory}' ends in a backslash, or begins or ends with a space, and no unit can hold that"
        raise refused(timer, reason, "Give another directory.")


def systemd_calendars(minutes: int) -> list[str]:
    """Return the values of OnCalendar, as few as there can be."""
    times = times_of_day(minutes)
    if times[0][0] is None:
        return [f"*:{_listed([minute for _hour, minute in times])}"]
    by_minute: dict[int, list[int]] = {}
    by_hour: dict[int, list[int]] = {}
    for hour, minute in times:
        by_minute.setdefault(minute, []).append(hour or 0)
        by_hour.setdefault(hour or 0, []).append(minute)
    if len(by_minute) <= len(by_hour):
        return [f"{_listed(hours)}:{minute:02}" for minute, hours in sorted(by_minute.items())]
    return [f"{hour:02}:{_listed(listed)}" for hour, listed in sorted(by_hour.items())]


def _listed(numbers: list[int]) -> str:
    return ",".join(f"{number:02}" for number in numbers)


def systemd_files(timer: Timer, config: Path) -> dict[str, str]:
    """Return paths and contents of service and timer."""
    folder = config / "systemd" / "user"
    return {
        str(folder / f"{timer.unit}.service"): "\n".join(_service(timer)),
        str(folder / f"{timer.unit}.timer"): "\n".join(_clock(timer)),
    }


def _service(timer: Timer) -> list[str]:
    return [
        "[Unit]",
        f"Description={PREFIX}: {timer.name}",
        "",
        "[Service]",
        "Type=oneshot",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(timer.environment.items())),
        *([f"WorkingDirectory={_specifier(timer.directory)}"] if timer.directory else []),
        "ExecStart=" + " ".join(_quoted(part.replace("$", "$$")) for part in timer.command),
        "Nice=10",
        "",
    ]


def _clock(timer: Timer) -> list[str]:
    """Return the lines of the timer.

    The calendar with Persistent makes up for sleep. OnUnitActiveSec comes after it, so that it starts something only where the
    calendar fails: when the hour is set back, for summer time or because the clock was wrong.
    """
    return [
        "[Unit]",
        f"Description={PREFIX}: {timer.name}, {timer.when}",
        "",
        "[Timer]",
        *(["OnStartupSec=1s"] if timer.minutes is None else _repeated(timer.minutes)),
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]


def _repeated(minutes: int) -> list[str]:
    return [
        "OnStartupSec=1min",
        f"OnUnitActiveSec={minutes + _LATE}min",
        *(f"OnCalendar={times}" for times in systemd_calendars(minutes)),
        "Persistent=true",
        "RandomizedDelaySec=30",
    ]


def _specifier(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = _specifier(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Systemd(Manager):
    """Timers of one user's own systemd."""

    def __init__(self, home: Path, environment: Mapping[str, str], uid: int) -> None:
        self.config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        self.data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
        # A login over SSH often lacks this variable, though the user's own manager runs.
        runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
        self.cli = Cli("systemctl", "This system has no systemd; renew by hand or with cron.", {"XDG_RUNTIME_DIR": runtime})

    def check(self, timer: Timer) -> None:
        """Raise InputError for a timer that no unit can describe."""
        check_for_systemd(timer)

    def files(self, timer: Timer) -> dict[str, str]:
        """Return service and timer, by path."""
        return systemd_files(timer, self.config)

    def active(self, timer: Timer) -> bool:
        """Whether the timer is waiting for its time."""
        return self._ask("is-active", "--quiet", self._unit(timer)).rc == 0

    def enabled(self, timer: Timer) -> bool:
        """Whether it is started at log-in. The link says so; systemctl says nothing of a dangling link."""
        return self._link(timer).is_symlink()

    def start(self, timer: Timer) -> Output:
        """Start the timer again, now and at each log-in."""
        self._ask("daemon-reload")
        self._ask("enable", self._unit(timer))
        return self._ask("restart", self._unit(timer))

    def stop(self, timer: Timer) -> None:
        """Stop the timer and a run that is under way, and remove what would start it at log-in."""
        self._ask("disable", "--now", self._unit(timer))
        # What runs does not end with its timer, and would go on to write what is being removed.
        self.cli.run("--user", "stop", f"{timer.unit}.service", check=False, timeout=ENDED_WITHIN)
        self._link(timer).unlink(missing_ok=True)
        # When it last ran, which is what Persistent rests on. A later timer of this name is another one.
        (self.data / "systemd" / "timers" / f"stamp-{self._unit(timer)}").unlink(missing_ok=True)

    def forget(self, timer: Timer) -> None:
        """Tell systemd that the files are gone; systemd would keep listing a last failure."""
        self._ask("daemon-reload")
        self._ask("reset-failed", f"{timer.unit}.service")

    def remedy(self, timer: Timer, refusal: Output) -> str:
        """Return what to do when systemd refuses the timer."""
        if "bus" in refusal.stderr:
            return "Run 'loginctl enable-linger', as you have no session of your own on this machine, and run again."
        return f"Look at '{self.question(timer)}', and run again."

    def question(self, timer: Timer) -> str:
        """Return the command that shows the timer."""
        return f"systemctl --user status {self._unit(timer)}"

    def _link(self, timer: Timer) -> Path:
        return self.config / "systemd" / "user" / "timers.target.wants" / self._unit(timer)

    def _unit(self, timer: Timer) -> str:
        return f"{timer.unit}.timer"

    def _ask(self, *words: str) -> Output:
        return self.cli.run("--user", *words, check=False, timeout=SECONDS)
