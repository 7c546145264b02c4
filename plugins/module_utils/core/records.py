# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs did, for the doctor and for support: one small file per run in the user's state directory, the newest 20 of them.

Each task that set out to change something adds a line to the file of its run. One that found nothing to do, or was refused, adds
none: it leaves a laptop as it was, and an hourly look does not push out what matters. Only after a failure it says that nothing
is left to do. On a laptop that is reached over SSH each task is a run of its own, as nothing there knows of the others.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .progress import VARIABLE
from .secrecy.known import hidden
from .system.home import private_directory, state_directory

KEPT = 20
_SUFFIX = ".jsonl"
# Characters of one text, such as a tool's output; the end says most.
_LONGEST = 16_000
# What a record keeps of a result. What is there, a doctor sees for itself.
_KEYS = ("changed", "actions", "pending", "msg", "kind", "left", "warnings", "stdout", "stderr", "rc", "cmd", "ha_log")


def directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the records are."""
    return state_directory(environment) / "runs"


def keep(task: str, began: datetime, result: Mapping[str, Any], plan: Iterable[str] = ()) -> list[str]:
    """Add what a task did to the record of its run. Returns a warning where that can't be written.

    plan: what it had set out to do. What the run knows to be a secret is left out.
    """
    steps = list(plan)
    if not (result.get("changed") or steps) and (result.get("failed") or not _failed_last(task)):
        return []
    line = {
        "time": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "task": task,
        "failed": bool(result.get("failed")),
        **({"plan": steps} if steps else {}),
        **{key: _short(result[key]) for key in _KEYS if result.get(key)},
    }
    try:
        _append(directory(), began, json.dumps(hidden(line)) + "\n")
    except OSError as error:
        return [f"Could not write a record of this run: '{error.filename}': {(error.strerror or str(error)).lower()}."]
    return []


def records(place: Path) -> list[dict[str, Any]]:
    """Return the lines of all records, the oldest first. What can't be read, such as a half-written line, is left out."""
    return [row for file in _files(place) for row in _rows(file)]


def last_of_each(place: Path) -> dict[str, dict[str, Any]]:
    """Return the last line of each task."""
    return {str(row.get("task")): row for row in records(place)}


def _failed_last(task: str) -> bool:
    for file in reversed(_files(directory())):
        mine = [row for row in _rows(file) if row.get("task") == task]
        if mine:
            return bool(mine[-1].get("failed"))
    return False


def _files(place: Path) -> list[Path]:
    return sorted(place.glob(f"*{_SUFFIX}"))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict):
                    yield row


def _append(place: Path, began: datetime, line: str) -> None:
    private_directory(place.parent)
    private_directory(place)
    # The tasks of one run share this variable; its value has the run's process and a random part.
    run = Path(os.environ.get(VARIABLE) or f"task-{os.getpid()}").stem.removeprefix("laptop-containers-")
    file = next(place.glob(f"*-{run}{_SUFFIX}"), None) or place / f"{began:%Y%m%dT%H%M%SZ}-{run}{_SUFFIX}"
    number = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(number, "a", encoding="utf-8") as handle:
        handle.write(line)
    for old in _files(place)[:-KEPT]:
        old.unlink(missing_ok=True)


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"...{value[-_LONGEST:]}"
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list | tuple) else value
