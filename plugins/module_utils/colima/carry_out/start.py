# SPDX-License-Identifier: GPL-3.0-or-later
"""One start, with the repairs that a failure may call for: each at most once, none of them deletes anything."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...colima_paths import Name
from ...core.errors import CommandFailed, TimedOut
from ..client.failures import explained
from ..client.programs import Colima
from .progress import Progress, is_past_race

if TYPE_CHECKING:
    from .apply import Limits

UNLOCK = "unlock its data disk"
FORCE_STOP = "end its remains"
RESTART = "stop it"

# What a failed start complains of, and what helps; contract of colima's failures, gentlest first.
_REPAIRS = (
    (re.compile(r"in use by instance"), UNLOCK),
    (re.compile(r"errors inspecting instance|failed to get Info from|seems running"), FORCE_STOP),
    # Another kubectl was at work; the VM is left half-started.
    (re.compile(r"\.lock: file exists"), RESTART),
)
# What programs say on the way of every start. Only complaints decide: a running VM must not be cut off for a word in passing.
_PASSING = re.compile(r'level=(trace|debug|info|warning)|"level":\s*"(trace|debug|info|warning)"')
_HINTS = (
    (
        re.compile(r"DNS lookup failed|connection refused|connection timed out|resolve redirect|access forbidden"),
        "Check the network (or proxy) and run again; what is there stays",
    ),
    (re.compile(r"checksum mismatch"), "Delete the entry in colima's cache with 'colima prune', check the proxy, and run again"),
    (
        re.compile(r"error starting docker"),
        "Check the option docker, and see 'colima ssh -p {name} -- sudo journalctl -u docker'",
    ),
    (
        re.compile(r"\.lock: file exists"),
        "Another kubectl holds that lock; if none runs, remove the lock file, and run again",
    ),
    (re.compile(r"compatibility error"), "Run 'brew upgrade lima'"),
    (re.compile(r"guest agent binary could not be found"), "Run 'brew install lima-additional-guestagents'"),
    (re.compile(r"not found, run '([^']+)'"), "Install it and run again"),
    (re.compile(r"file not found at"), "Check kubernetes.version"),
)


def start(
    colima: Colima,
    name: Name,
    limits: Limits,
    progress: Progress,
    *,
    past_race: Callable[[], None],
    on_start: Callable[[int], None],
) -> list[str]:
    """Start a profile. Returns the repairs that were needed; raises what could not be repaired, with Lima's own log."""

    def on_line(_channel: str, line: str) -> None:
        progress.line(str(name), line)
        if is_past_race(line):
            past_race()

    tried: list[str] = []
    while True:
        progress.say(str(name), "starting")
        began = time.time()
        try:
            with progress.downloads(str(name), colima.paths.downloads):
                colima.start(name, limits.timeout, limits.stall, on_line, on_start=on_start)
            return [f"{repair} of profile '{name}'".replace(" it of", "") for repair in tried]
        except TimedOut as error:
            progress.say(str(name), "timed out", done=True)
            raise _timed_out(colima, name, error) from error
        except CommandFailed as error:
            repair = repair_for(_said(error), colima.host_agent_tail(name, since=began))
            if repair == FORCE_STOP and _status(colima, name) == "Running":
                # Somebody else may have started it in the same moment.
                repair = ""
            if not repair or repair in tried:
                progress.say(str(name), "failed", done=True)
                raise _failed(colima, name, error) from error
            tried.append(repair)
            progress.say(str(name), repair)
            _repair(colima, name, repair, limits)


def repair_for(*texts: str) -> str:
    """Return the repair that the output and the log of a failed start call for; empty when none is known."""
    found = _complaints(*texts)
    return next((repair for pattern, repair in _REPAIRS if pattern.search(found)), "")


def _complaints(*texts: str) -> str:
    return "\n".join(line for text in texts for line in text.splitlines() if not _PASSING.search(line))


def _said(error: CommandFailed) -> str:
    return f"{error.context.get('stdout', '')}\n{error.context.get('stderr', '')}"


def hint_for(output: str, name: Name) -> str:
    """Return the next step for a failure that no repair helps."""
    found = _complaints(output)
    for pattern, hint in _HINTS:
        if pattern.search(found):
            return hint.format(name=name)
    return "Run again; if it stays, look at the end of the log in ha_log"


def _repair(colima: Colima, name: Name, repair: str, limits: Limits) -> None:
    try:
        if repair == UNLOCK:
            colima.unlock_disk(name)
        else:
            colima.stop(name, limits.stop, force=repair == FORCE_STOP)
    except CommandFailed as error:
        raise explained(error, f"Could not repair profile '{name}'") from error


def _status(colima: Colima, name: Name) -> str:
    """Return what Lima calls the VM."""
    try:
        return next((row.status for row in colima.rows() if row.name == name.name), "") or "not there"
    except CommandFailed:
        return "unknown"


def _failed(colima: Colima, name: Name, error: CommandFailed) -> CommandFailed:
    context = {**error.context, "ha_log": colima.host_agent_tail(name)}
    return CommandFailed(f"{error.message.rstrip('.')}. {hint_for(_said(error), name)}.", **context)


def _timed_out(colima: Colima, name: Name, error: TimedOut) -> TimedOut:
    """A time-out means that the state is unknown: say what Lima sees, and leave everything in place."""
    status = _status(colima, name)
    context = {**error.context, "ha_log": colima.host_agent_tail(name)}
    return TimedOut(
        f"{error.message.rstrip('.')}. Lima now calls the VM {status.lower()}; nothing was deleted, and the next run repairs it.",
        **context,
    )
