# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a start has got to, from the lines that colima and Lima print; written as JSON lines for a display."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from ...core.progress import VARIABLE, emit
from ...core.system.logfmt import log_line

_PHASES = (
    (re.compile(r"downloading disk image"), "downloading the disk image"),
    (re.compile(r"Attempting to download the image"), "preparing the disk image"),
    (re.compile(r'requirement 1 of \d+: "ssh'), "booting"),
    (re.compile(r"SSH Local Port"), "booting"),
    (re.compile(r"Waiting for the guest agent"), "booting, guest agent"),
    (re.compile(r"^READY"), "booted"),
)
# From here on Lima counts the VM as running, and its network is safe from the start of another one.
_PAST_RACE = re.compile(
    r"SSH Local Port|[Ww]aiting for the essential requirement|\bREADY\b|context=(docker|containerd|incus|kubernetes)"
)
_LOOK_SECONDS = 1.0
_STEP_MIB = 50
_SIZE = re.compile(r"(\d+(?:\.\d+)?\s?[KMG]i?B\s?/\s?\d+(?:\.\d+)?\s?[KMG]i?B|\d{1,3}(?:\.\d+)?%)")


def phase_of(line: str) -> str:
    """Return what a line says about the phase; empty when it says nothing."""
    logged = log_line(line)
    if not logged:
        size = _SIZE.search(line)
        return f"downloading {size[1]}" if size else ""
    message = logged.message.rstrip(" .")
    known = (phase for pattern, phase in _PHASES if pattern.search(message))
    said = {"": "", "vm": message}.get(logged.context, f"{logged.context}: {message}")
    return next(known, said)


def is_past_race(line: str) -> bool:
    """Whether another VM may be started beside the VM that printed this line."""
    return bool(_PAST_RACE.search(line))


class Progress:
    """Appends what happens to the file that the callback plugin watches; silent when there is none."""

    def __init__(self, path: str | None = None) -> None:
        self._path = os.environ.get(VARIABLE, "") if path is None else path
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}

    def say(self, profile: str, phase: str, done: bool = False) -> None:
        """Write that a profile is in a phase (done: the last one); a phase that repeats is written once."""
        if not self._path or not phase or self._last.get(profile) == phase:
            return
        self._last[profile] = phase
        with self._lock:
            emit(self._path, profile=profile, phase=phase, done=done)

    def line(self, profile: str, line: str) -> None:
        """Tell what a line of colima's output says."""
        self.say(profile, phase_of(line))

    def in_phase(self, profile: str, beginning: str) -> bool:
        """Whether the last report of a profile begins so."""
        return self._last.get(profile, "").startswith(beginning)

    @contextlib.contextmanager
    def downloads(self, profile: str, cache: Path) -> Iterator[None]:
        """Tell how much has been downloaded: without a terminal colima itself says nothing for minutes."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_LOOK_SECONDS):
                if self.in_phase(profile, "downloading") and (size := _growing(cache)):
                    self.say(profile, f"downloading the disk image, {size} MiB")

        watcher = threading.Thread(target=watch, daemon=True)
        if self._path:
            watcher.start()
        try:
            yield
        finally:
            ended.set()


def _growing(cache: Path) -> int:
    """Return the MiB of the files that colima is downloading, in steps that are worth a line."""
    sizes = []
    for part in cache.glob("*.downloading"):
        with contextlib.suppress(OSError):
            sizes.append(part.stat().st_size)
    return sum(sizes) // (_STEP_MIB << 20) * _STEP_MIB
