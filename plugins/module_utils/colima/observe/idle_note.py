# SPDX-License-Identifier: GPL-3.0-or-later
"""Since when nothing of the user's was seen to run in a VM: a note kept only by the runs that stop what is idle for long."""

from __future__ import annotations

import json

from ...colima_paths import Name, Paths
from ...core.system.files import text_of, write_atomically

# If no run has looked for longer than this, what ran meanwhile is unknown: the laptop slept, or the timer was off.
_GAP_SECONDS = 3600.0


def idle_seconds(paths: Paths, name: Name, now: float) -> float | None:
    """Return for how many seconds nothing was seen to run in a VM; None without a note, 0 where it does not hold any more.

    It does not hold for a VM that was started since, nor over a long time in which no run looked. now: seconds since the epoch.
    """
    text = text_of(paths.idle(name))
    if text is None:
        return None
    try:
        note = json.loads(text)
        since, seen = float(note["since"]), float(note["seen"])
        started = (paths.instance(name) / "ha.pid").stat().st_mtime
    except (OSError, ValueError, OverflowError, TypeError, KeyError, RecursionError):
        return 0.0
    return now - since if started <= since <= seen <= now <= seen + _GAP_SECONDS else 0.0


def note_idle(paths: Paths, name: Name, seconds: float, now: float) -> None:
    """Note that nothing runs in a VM, and has not for so many seconds."""
    write_atomically(paths.idle(name), json.dumps({"since": now - seconds, "seen": now}))
