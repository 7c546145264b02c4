# SPDX-License-Identifier: GPL-3.0-or-later
"""The timers (pull secrets, start, stop of idle VMs, pull): whether they are there, and how their last runs ended."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ...core.system.files import text_of
from ...core.system.home import state_directory
from ...core.system.macos import FILES
from ...timer.model import Start, Write
from ..laptop import Laptop
from ..model import Check, CheckKind
from ..settings import MODULES, SubjectReading

INSTALLED = CheckKind("timers.installed", "whether a timer is installed as the settings ask, and its service manager runs it")
LAST_RUN = CheckKind("timers.last_run", "when a timer ran last, when it runs next, and why it failed or skipped last")
KINDS = (INSTALLED, LAST_RUN)

STAMP = "%Y-%m-%dT%H:%M:%SZ"
# A laptop sleeps at night. After a day without a run something is wrong.
_LATE = timedelta(hours=26)


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    for part in ("user_timer", "autostart_timer", "idle_stop_timer", "pull_timer"):
        if laptop.has(part):
            yield from _timer(laptop, laptop.look(part), MODULES[part][0])


def _timer(laptop: Laptop, look: SubjectReading, role: str) -> Iterator[Check]:
    timer, converge = look.spec.timer, laptop.converge(role)
    kinds = {type(step) for step in look.plan.steps}
    if not look.current.anything:
        yield INSTALLED.broken("it is not installed", converge, timer.name)
        return
    if Write in kinds:
        yield INSTALLED.warning("what it runs differs from the settings", converge, timer.name)
    elif look.current.waits:
        yield INSTALLED.note(f"it starts at the next log-in to the desktop: {look.current.waits}", "", timer.name)
    elif Start in kinds:
        yield INSTALLED.broken("its service manager does not run it", converge, timer.name)
    else:
        yield INSTALLED.ok(timer.when, timer.name)
    yield _last(laptop, look, role)


def _status(laptop: Laptop, name: str) -> Mapping[str, Any]:
    """Return what the last run of a timer noted (refresh.py of the role refresh_timer)."""
    place = Path(laptop.timer_directory).expanduser() if laptop.timer_directory else state_directory(laptop.environment)
    try:
        status = json.loads(text_of(place / f"{name}.json") or "{}")
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _last(laptop: Laptop, look: SubjectReading, role: str) -> Check:
    timer = look.spec.timer
    name, now = str(timer.name), datetime.now(UTC)
    status = _status(laptop, name)
    ran, past = _moment(status.get("time")), "".join(_past(status, now))
    complaint = look.subject.manager.complaint(timer, ran.timestamp() if ran else 0.0)
    if complaint:
        # What macOS keeps from the background, the same command in a terminal may do.
        guarded = "Operation not permitted" in complaint
        remedy = f"Allow its program in {FILES}, or move the project to another folder." if guarded else laptop.converge(role)
        return LAST_RUN.broken(f"it could not begin: {complaint}", remedy, name)
    if ran is None:
        return LAST_RUN.ok(f"it has not run yet{past}", name)
    ago = f"{_words(now - ran)} ago"
    if status.get("result") == "failed":
        found = f"its last run, {ago}, failed: {status.get('message', '')}{past}"
        return LAST_RUN.broken(found, _now(timer, str(status.get("login") or "")), name)
    commit = f" of commit {status['commit']}" if status.get("commit") else ""
    found = f"ran {ago} ({status.get('result', '')}){commit}"
    if timer.minutes is None:
        return LAST_RUN.ok(found, name)
    if now - ran > _LATE:
        # What it skips for, its own command would say.
        return LAST_RUN.warning(f"it ran last {ago}{past}", _now(timer) if past else laptop.converge(role), name)
    following = max(_looked(status, ran) + timedelta(minutes=timer.minutes), now)
    return LAST_RUN.ok(f"{found}, next about {following.astimezone():%H:%M}{past}", name)


def _looked(status: Mapping[str, Any], ran: datetime) -> datetime:
    """Return when a timer looked last whether it has to run: it ran, or skipped since then."""
    return max(ran, _moment((status.get("last_skip") or {}).get("time")) or ran)


def _past(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Yield when and why a timer skipped last, and failed last where that was not its last run."""
    kinds = [("last_skip", "skipped")] + ([("last_failure", "failed")] if status.get("result") != "failed" else [])
    for key, word in kinds:
        noted = status.get(key) or {}
        moment = _moment(noted.get("time"))
        if moment is not None:
            yield f"; {word} {_words(now - moment)} ago: {noted.get('message', '')}"


def _now(timer: Any, login: str = "") -> str:
    """Return the timer's own command, that does not wait out an earlier failure: only its own run says how it ended.

    login: the command that it failed for want of.
    """
    program, script, place, *rest = timer.command
    command = shlex.join([program, script, place, "--force", *rest])
    return f"{login} && {command}" if login else command


def _moment(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _words(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
