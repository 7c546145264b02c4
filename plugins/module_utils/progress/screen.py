# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines redrawn in place at the end of a terminal, and streams that let them be finished before anything else is printed.

Knows terminals, and nothing of what the lines say.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, TextIO


class Screen:
    """A block of lines where the cursor is. Once anything else was printed it stays as it is, and a new one begins below."""

    def __init__(self, stream: TextIO) -> None:
        self.file = stream.fileno()
        self.drawn: list[str] = []

    def draw(self, lines: Sequence[str]) -> None:
        """Draw the block again, each line cut to the width and the block to the height that the terminal has now."""
        columns, rows = self._size()
        shown = ["".join(c if c.isprintable() else " " for c in line)[: columns - 1] for line in lines][-(rows - 1) :]
        # A terminal that was made narrower has broken what was drawn wider.
        above = sum(max(1, -(-len(line) // columns)) for line in self.drawn)
        up = f"\x1b[{above}A" if above else ""
        self._write(f"\r{up}" + "".join(f"\x1b[2K{line}\n" for line in shown) + "\x1b[J")
        self.drawn = shown

    def leave(self) -> None:
        """Leave the block as it is."""
        self.drawn = []

    def _size(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self.file)
            if columns > 1 and rows > 1:
                return columns, rows
        return 80, 24

    def _write(self, text: str) -> None:
        write(self.file, text)


class Watched:
    """A stream as it was, but that something is done before each text. Only in this process: workers are forked meanwhile."""

    def __init__(self, stream: TextIO, before: Callable[[], None]) -> None:
        self.stream = stream
        self._before = before
        self._process = os.getpid()

    def write(self, text: str) -> int:
        """Write a text, at once."""
        if os.getpid() != self._process:
            return self.stream.write(text)
        if text:
            self._before()
        count = self.stream.write(text)
        self.stream.flush()
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def write(file: int, text: str) -> None:
    """Write past Python's buffers, whose locks a worker that is being forked would keep indefinitely."""
    data = text.encode()
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(file, data) :]


def can_redraw(stream: TextIO, terminal: str | None) -> bool:
    """Whether lines can be redrawn there. terminal is TERM."""
    return stream.isatty() and terminal not in (None, "", "dumb")
