# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees while a run works: the lines of its progress file as they come. Its events are those of core/progress.py."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO, cast

from .screen import Screen, Watched, write

SECONDS_BETWEEN_LOOKS = 0.5


class Follower(threading.Thread):
    """Shows the lines of a progress file as they come, until it is stopped. Whatever else is printed meanwhile stays readable.

    typed: writes the playbooks in a sentence as commands of the reader's shell.
    """

    def __init__(self, path: Path, terminal: bool, role: str = "", typed: Callable[[str], str] = str) -> None:
        super().__init__(daemon=True)
        self.path, self.role, self.typed = path, role, typed
        self.ended = threading.Event()
        self.offset = path.stat().st_size if path.exists() else 0
        self.phases: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.output = sys.stdout
        self.errors = sys.stderr
        self.screen = Screen(self.output) if terminal else None
        # Other output has come after the lines: from then on only news is worth drawing them again.
        self.passed = False

    def start(self) -> None:
        """Begin to look, and to watch what is printed."""
        self.output.flush()
        sys.stdout = cast(TextIO, Watched(self.output, self._before_other_output))
        sys.stderr = cast(TextIO, Watched(self.errors, self._before_other_output))
        super().start()

    def run(self) -> None:
        """Look for new lines twice a second."""
        while not self.ended.wait(SECONDS_BETWEEN_LOOKS):
            self.look()

    def stop(self) -> None:
        """Show the last lines and end."""
        self.ended.set()
        self.join(timeout=2)
        self.look()
        sys.stdout, sys.stderr = self.output, self.errors

    def look(self) -> None:
        """Read what is new and show it."""
        with self.lock:
            self._look()

    def _before_other_output(self) -> None:
        with self.lock:
            self._look()
            self.passed = True
            if self.screen is not None:
                self.screen.leave()

    def _look(self) -> None:
        news = self._news()
        for event in news:
            if "plan" in event:
                self._show_plan(event["plan"])
                continue
            begun = self.phases.get(event["profile"], {}).get("begun", event["time"])
            self.phases[event["profile"]] = {**event, "begun": begun}
            if self.screen is None:
                write(self.output.fileno(), f"  {line_of(self.phases[event['profile']], event['time'])}\n")
        if self.screen is not None and self.phases and (news or not self.passed):
            self.passed = False
            self.screen.draw([f"  {line_of(event, time.time())}" for event in self.phases.values()])

    def _show_plan(self, actions: Iterable[str]) -> None:
        """Show what is about to be done; it stays above the lines that are redrawn."""
        if self.screen is not None:
            self.screen.leave()
        write(self.output.fileno(), "".join(f"{self.role}: will {self.typed(action)}\n" for action in actions))

    def _news(self) -> list[dict[str, Any]]:
        try:
            with self.path.open() as file:
                file.seek(self.offset)
                text = file.read()
        except OSError:
            return []
        # A line that is still being written is read the next time.
        whole = text[: text.rfind("\n") + 1]
        self.offset += len(whole.encode())
        events = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                event = json.loads(line)
                if "plan" in event:
                    events.append({"plan": [str(action) for action in event["plan"]]})
                else:
                    events.append({key: event[key] for key in ("profile", "phase", "time")} | {"done": bool(event.get("done"))})
        return events


def line_of(event: dict[str, Any], now: float) -> str:
    """Return one line: profile, seconds since it began, phase."""
    took = max(0.0, (event["time"] if event.get("done") else now) - event["begun"])
    return f"{event['profile']:<16} {took:5.0f} s  {event['phase']}"


def wrapped(text: str, indent: int, width: int | None) -> str:
    """Return a text in lines of that width; never broken inside a word, such as a path.

    Its first line is already indented so far; the others go further in, so that texts stay apart.
    """
    if width is None:
        return text
    further = " " * (indent + 2)
    lines = textwrap.wrap(
        text,
        max(indent + 20, width),
        initial_indent=" " * indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)[indent:]
