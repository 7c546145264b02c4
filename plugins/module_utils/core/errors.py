# SPDX-License-Identifier: GPL-3.0-or-later
"""Every failure that a user can meet, as one family of exceptions.

A message names the thing, the reason and the next step in one or two sentences; what a tool printed goes into the
context, never into the message. Nothing here knows Ansible.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator


class WorkstationError(Exception):
    """A failure that a user can act on.

    message is shown as it is; context holds extra result keys (for instance the output of a tool).
    """

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context = context

    @property
    def result(self) -> dict[str, object]:
        """The result keys of a failure. Whoever had done something before it says so in the context."""
        return {"changed": False, "actions": [], **self.context, "msg": self.message}


class InputError(WorkstationError):
    """What was asked for can't be meant: a wrong name, size, host or combination."""


class ToolMissing(WorkstationError):
    """A program or a Python library that the task needs is not installed."""

    def __init__(self, tool: str, how_to_install: str, **context: object) -> None:
        super().__init__(f"Could not find '{tool}': it is not installed or not on PATH. {how_to_install}", **context)
        self.tool = tool


class CommandFailed(WorkstationError):
    """A tool ran and reported a failure."""


class TimedOut(CommandFailed):
    """A tool did not finish, or printed nothing, for too long. What it left behind is unknown: read it again."""


class RefusedStep(WorkstationError):
    """The plan would destroy, interrupt or contradict something and the option that allows it was not given."""


class NotVerified(WorkstationError):
    """The steps ran, and yet a second look does not find what was asked for."""


def without_logins(text: str) -> str:
    """Return a text whose addresses have lost the user and password before the host."""
    return re.sub(r"//\S*@", "//", text)


@contextlib.contextmanager
def naming_files(what: str) -> Iterator[None]:
    """Turn trouble with a file (a directory in its place, no permission, a full disk) into a sentence that names it."""
    try:
        yield
    except OSError as error:
        file = error.filename2 or error.filename
        named = f"'{file}': " if file else ""
        reason = (error.strerror or str(error)).lower()
        step = "Free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "See to that file or directory"
        raise InputError(f"Could not {what}: {named}{reason}. {step}, and run again.") from error
