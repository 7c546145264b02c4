# SPDX-License-Identifier: GPL-3.0-or-later
"""The two engines of a move, what goes wrong with them in words, and how far a copy is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ...core.errors import CommandFailed, TimedOut
from ...core.plan import size_in_words
from ...core.progress import emit
from ...docker.engine import EngineSilent
from ...docker.stream import EngineApi, EngineRefused

_TELL_SECONDS = 1.0


@dataclass(frozen=True)
class Side:
    """One engine, and what a person calls it: "the source 'desktop-linux'"."""

    api: EngineApi
    called: str

    def trouble(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Turn what this engine refuses, and its silence, into a failure with a reason and a remedy."""
        return trouble(self.called, what)


@contextlib.contextmanager
def trouble(called: str, what: str) -> Iterator[None]:
    """Turn what an engine refuses, and its silence, into a failure with a reason and a remedy. called: the engine."""
    try:
        yield
    except EngineSilent as silent:
        remedy = "Start it, and run again: what is complete is not copied again."
        raise CommandFailed(what, f"{called} does not answer: {silent}", remedy) from silent
    except EngineRefused as refused:
        full = "no space left on device" in str(refused).lower()
        remedy = "Free some disk space there, and run again." if full else "Run again: it continues where it ended."
        raise CommandFailed(what, f"{called} refuses: {refused}", remedy) from refused


def is_silence(failure: BaseException) -> bool:
    """Whether an engine is behind it that does not answer: then nothing else succeeds, either."""
    return isinstance(failure.__cause__, (EngineSilent, TimedOut))


class Meter:
    """Tells how far the copying of one thing is, at most once a second. total: bytes, 0 where it is not known.

    moved: when the last bytes have passed, by the monotonic clock.
    """

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.passed = name, total, 0
        self.began = self.told = self.moved = time.monotonic()
        self.lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count bytes that have passed."""
        with self.lock:
            self.passed += size
            self.moved = now = time.monotonic()
            if now - self.told < _TELL_SECONDS:
                return
            self.told = now
        emit(profile=self.name, phase=progress(self.passed, self.total, now - self.began), done=False)

    def done(self) -> None:
        """Tell that it is complete."""
        emit(profile=self.name, phase=f"{size_in_words(self.passed)} copied", done=True)


def progress(passed: int, total: int, seconds: float) -> str:
    """Return in words how far a copy is, and the time that is left."""
    if total <= passed or not passed:
        return size_in_words(passed)
    left = seconds * (total - passed) / passed
    time_left = f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
    return f"{size_in_words(passed)} of {size_in_words(total)}, about {time_left} left"
