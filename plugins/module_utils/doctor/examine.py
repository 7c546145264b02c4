# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the groups of checks side by side, within a bound: what hangs is unknown, and holds nothing else up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import WorkstationError
from .laptop import Cancelled, closed
from .model import GROUPS, Check, CheckKind, Status

# The files of each group, below groups/ or here. Each has KINDS, and examine(laptop), which yields checks.
FILES: Mapping[str, tuple[str, ...]] = {
    "tools": ("tools",),
    "profiles": ("profiles", "vms"),
    "docker": ("docker", "engines"),
    "builders": ("builders",),
    "kubernetes": ("kubernetes",),
    "registries": ("credentials", "registries"),
    "timers": ("timers",),
    "network": ("network",),
    "policy": ("compliance",),
    "leftovers": ("leftovers",),
}

Examine = Callable[[Any], Iterator[Check]]


def examine(laptop: Any, groups: Iterable[str], seconds: float) -> list[Check]:
    """Return the checks of the groups. What has not ended after so many seconds is given up, and said so."""
    chosen = set(groups)
    files = [(group, name) for group in GROUPS if group in chosen for name in FILES.get(group, ())]
    return run({(group, name): _file(name).examine for group, name in files}, laptop, seconds)


def run(files: Mapping[tuple[str, str], Examine], laptop: Any, seconds: float) -> list[Check]:
    """Run the files' examinations side by side, each in a thread of its own."""
    found: dict[tuple[str, str], list[Check]] = {key: [] for key in files}
    threads = {
        key: threading.Thread(target=_collect, args=(key, group, laptop, found[key]), daemon=True) for key, group in files.items()
    }
    deadline = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {key: thread.is_alive() for key, thread in threads.items()}
    checks = []
    for (group, name), listed in found.items():
        # A thread that is given up may still add to its list.
        checks += list(listed)
        if late[group, name]:
            checks.append(_unfinished(group, f"it did not end within {seconds:g} s", "Run it again; see what hangs."))
    return checks


def kinds() -> list[CheckKind]:
    """Return all kinds of checks, in the order of the groups."""
    return [kind for group in GROUPS for name in FILES.get(group, ()) for kind in _file(name).KINDS]


def _file(name: str) -> Any:
    """Return a file of a group. Import statements, because Ansible sends to another laptop only what they name."""
    from . import compliance
    from .groups import (
        builders,
        credentials,
        docker,
        engines,
        kubernetes,
        leftovers,
        network,
        profiles,
        registries,
        timers,
        tools,
        vms,
    )

    files = (
        builders,
        compliance,
        credentials,
        docker,
        engines,
        kubernetes,
        leftovers,
        network,
        profiles,
        registries,
        timers,
        tools,
        vms,
    )
    return next(file for file in files if file.__name__.rpartition(".")[2] == name)


def _collect(key: tuple[str, str], one: Examine, laptop: Any, into: list[Check]) -> None:
    """Add the checks of one file to a list as they come, each with the time since the one before it."""
    began = time.monotonic()
    try:
        for check in one(laptop):
            ended = time.monotonic()
            into.append(check.timed(ended - began))
            began = ended
    except (WorkstationError, OSError) as caught:
        error = closed(caught) if isinstance(caught, OSError) else caught
        what = error.what if not error.reason else f"could not {error.what}: {error.reason}"
        check = _unfinished(key[0], what, error.remedy)
        # What keeps the doctor out keeps every run out.
        worse = replace(check, status=Status.BROKEN) if isinstance(error, Cancelled) else check
        into.append(worse.timed(time.monotonic() - began))
    except Exception as error:
        # One fault must not hide what all the other checks have found.
        fault = f"the doctor itself failed in {key[1]}.py: {type(error).__name__}: {error}"
        into.append(_unfinished(key[0], fault, "Report it, with the output of support.yml.").timed(time.monotonic() - began))


def _unfinished(group: str, reason: str, remedy: str) -> Check:
    return Check(f"{group}.examined", Status.UNKNOWN, reason, remedy)
