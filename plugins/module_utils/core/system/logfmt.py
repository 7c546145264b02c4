# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima, limactl and nerdctl say in their log lines, time=... level=... msg="...", as logrus writes them."""

from __future__ import annotations

import re

_MESSAGE = re.compile(r'\blevel=\w+ msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))')
# What colima closes with when a command in the VM failed: the reason stands above it.
_STATUS = re.compile(r"exit status \d+")


def message_of(line: str) -> str:
    """Return the message of a log line; of any other line all of it."""
    found = _MESSAGE.search(line)
    return (found[1] or found[2] or "").replace('\\"', '"').replace("\\n", " ") if found else line.strip()


def final_message(text: str) -> str:
    """Return the last message of an output that gives a reason; empty where there is none."""
    messages = (message_of(line) for line in reversed(text.splitlines()))
    return next((message for message in messages if message and not _STATUS.fullmatch(message)), "")
