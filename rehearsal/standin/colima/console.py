# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima and limactl print: log lines as without a terminal (time="..." level=info msg=done), tables, and questions."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from .process import Process

_PLAIN = re.compile(r"[A-Za-z0-9\-._/@^+]*\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Fatal(Exception):
    """What ends a command with a fatal line and exit code 1. The message is the error chain as it is printed."""


def quote(text: str) -> str:
    """Quote a value the way logrus does: single words stay bare."""
    return text if _PLAIN.match(text) else go_quote(text)


def go_quote(text: str) -> str:
    """Quote as Go's %q."""
    out = "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\x{ord(c):02x}") for c in text)
    return f'"{out}"'


def now() -> str:
    """The local time in RFC 3339, whole seconds."""
    zone = time.strftime("%z")
    shown = "Z" if zone in ("", "+0000") else f"{zone[:3]}:{zone[3:]}"
    return time.strftime("%Y-%m-%dT%H:%M:%S") + shown


def fatal_line(text: str) -> str:
    """Return the line of a program below, as colima repeats it."""
    return f'time="{now()}" level=fatal msg={go_quote(text)}\n'


class Log:
    """Writes log lines to one stream, at once."""

    def __init__(self, stream: TextIO, **fields: str) -> None:
        self._stream = stream
        self._fields = fields

    def context(self, name: str) -> Log:
        """The same log with a context field, as colima names its parts."""
        return Log(self._stream, context=name)

    def info(self, message: str, **fields: str) -> None:
        """Write an info line."""
        self.write("info", message, **fields)

    def warning(self, message: str, **fields: str) -> None:
        """Write a warning line."""
        self.write("warning", message, **fields)

    def error(self, message: str, **fields: str) -> None:
        """Write an error line."""
        self.write("error", message, **fields)

    def fatal(self, message: str, **fields: str) -> NoReturn:
        """Write a fatal line and end the process."""
        self.write("fatal", message, **fields)
        sys.exit(1)

    def write(self, level: str, message: str, **fields: str) -> None:
        """Write one line with its fields in alphabetical order."""
        parts = [f'time="{now()}"', f"level={level}", f"msg={quote(message)}"]
        parts += [f"{key}={quote(value)}" for key, value in sorted({**self._fields, **fields}.items())]
        self._stream.write(" ".join(parts) + "\n")
        self._stream.flush()


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the cells as Go's tabwriter does: four spaces after the longest one of each column; the last keeps its length."""
    widths = [max(len(row[i]) for row in rows) + 4 for i in range(len(rows[0]) - 1)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[-1] for row in rows]
    return "".join(line + "\n" for line in lines)


def confirmed(process: Process, question: str) -> bool:
    """Ask for yes or no on stdout, without a newline. Only a first letter y means yes; the end of the input means no."""
    process.stdout.write(f"{question}? [y/N] \x1b[0m")
    process.stdout.flush()
    words = process.stdin.readline().split()
    return bool(words) and words[0][:1] in "yY"
