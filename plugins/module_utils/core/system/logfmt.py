# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima, limactl and nerdctl say in their log lines, time=... level=... msg="...", as logrus writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r'\blevel=(\w+) msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))(?: context=("[^"]*"|\S+))?')
# What colima closes with when a command in the VM failed: the reason stands above it.
_STATUS = re.compile(r"exit status \d+")


@dataclass(frozen=True)
class LogLine:
    """One line of a log: its level, its message, and the part of the program that wrote it (empty: not told)."""

    level: str
    message: str
    context: str = ""


def log_line(line: str) -> LogLine | None:
    """Return what a log line says; None for any other line."""
    if not (found := _LINE.search(line)):
        return None
    message = (found[2] or found[3] or "").replace('\\"', '"').replace("\\n", " ")
    return LogLine(found[1], message, (found[4] or "").strip('"'))


def message_of(line: str) -> str:
    """Return the message of a log line; of any other line all of it."""
    logged = log_line(line)
    return logged.message if logged else line.strip()


def final_message(text: str) -> str:
    """Return the last message of an output that gives a reason; empty where there is none."""
    messages = (message_of(line) for line in reversed(text.splitlines()))
    return next((message for message in messages if message and not _STATUS.fullmatch(message)), "")
