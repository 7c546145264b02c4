# SPDX-License-Identifier: GPL-3.0-or-later
"""Every failure that a user can meet, as one family of exceptions: what failed, why, and what to do next.

The sentence is made here, and nowhere else. What a tool printed goes into the context, never into the sentence.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .install import how_to_install
from .secrecy.known import hidden

# O(adopt=true): a setting to write down. E(restart=always): one for a single run. O(adopt): the option itself.
_OPTION = re.compile(r"\b([OE])\((\w+)(?:=([^()]*))?\)")
# W(k8s.disk): where a setting of a profile is written.
_WRITTEN = re.compile(r" ?\bW\(([^().]+)\.([^()]+)\)")
# The keys of a result that hold sentences.
_SENTENCES = frozenset(("change", "failures", "msg", "reason", "refusals", "remedy", "warnings"))


class WorkstationError(Exception):
    """A failure that a user can act on: "Could not {what}: {reason}. {remedy}".

    what starts with a verb; reason has no full stop; remedy is one or two whole sentences. All name an option as O(name=value) or
    O(name), or as E(name=value) where it belongs to a single run, and where a profile's setting is written as W(profile.setting).
    context holds further result keys, such as a tool's output.
    Without a reason, what is a whole sentence.
    """

    def __init__(self, what: str, reason: str = "", remedy: str = "", **context: Any) -> None:
        super().__init__(what, reason, remedy)
        self.what, self.reason, self.remedy = what, reason, remedy
        self.context: dict[str, Any] = context
        # The steps that were finished before the failure, in words.
        self.done: list[str] = []
        # All steps that the run had set out to take, in words.
        self.planned: list[str] = []

    @property
    def message(self) -> str:
        """The sentence."""
        return f"{self.complaint}. {self.remedy}".rstrip() if self.reason else self.what

    @property
    def complaint(self) -> str:
        """The sentence without what to do next, and without a full stop."""
        return f"Could not {self.what}: {self.reason}" if self.reason else self.what.removesuffix(".")

    def __str__(self) -> str:
        return self.message

    def hide(self) -> None:
        """Leave out what the run knows to be a secret."""
        self.what, self.reason, self.remedy = hidden((self.what, self.reason, self.remedy))
        self.args = (self.what, self.reason, self.remedy)
        self.context, self.done, self.planned = hidden((self.context, self.done, self.planned))

    @property
    def result(self) -> dict[str, Any]:
        """The result keys of a failure."""
        return {"changed": bool(self.done), "actions": self.done, **self.context, "msg": self.message}


class InputError(WorkstationError):
    """An option, or a file that the user wrote, holds something invalid."""


class ToolMissing(WorkstationError):
    """Programs or Python libraries that the task needs are not installed. remedy: by default as the system offers them."""

    def __init__(self, *tools: str, remedy: str = "", **context: Any) -> None:
        listed = " and ".join(f"'{tool}'" for tool in tools)
        reason = f"{'it is' if len(tools) == 1 else 'they are'} not installed or not on PATH"
        super().__init__(f"find {listed}", reason, remedy or how_to_install(*tools), **context)
        self.tool = tools[0]


class CommandFailed(WorkstationError):
    """A tool ran and reported a failure."""


class TimedOut(CommandFailed):
    """A tool did not finish, or printed nothing, for too long. Its effect is unknown: read again."""


class RefusedStep(WorkstationError):
    """The plan would destroy, interrupt or contradict something, and the option that allows it was not given."""


class NotVerified(WorkstationError):
    """The steps ran, and a second look does not find what was asked for."""


class Defect(WorkstationError):
    """The code met something that it does not expect: a mistake of its own."""


class Interrupted(WorkstationError):
    """Ctrl-C or SIGTERM ended the run."""


def refused(refusals: Sequence[WorkstationError]) -> WorkstationError:
    """Return one failure for all refusals of a plan."""
    if len(refusals) == 1:
        return refusals[0]
    messages = list(dict.fromkeys(refusal.message for refusal in refusals))
    return RefusedStep(listed(messages, f"Found {len(messages)} problems"), refusals=messages)


def failed(failures: Sequence[WorkstationError]) -> WorkstationError:
    """Return one failure for all steps that have failed."""
    if len(failures) == 1:
        return failures[0]
    messages = list(dict.fromkeys(failure.message for failure in failures))
    return CommandFailed(listed(messages, f"{len(messages)} steps failed"), failures=messages)


def listed(sentences: Sequence[str], title: str) -> str:
    """Return several sentences as one message: one as it is, more as a numbered list under the title."""
    if len(sentences) == 1:
        return sentences[0]
    return f"{title}:" + "".join(f"\n  {number}. {text}" for number, text in enumerate(sentences, 1))


def in_words(text: str, variables: Mapping[str, str], place: Callable[[str, str], str] = lambda _profile, _setting: "") -> str:
    """Return a text with its options as the caller knows them.

    variables: the variable that each option comes from, where a role calls the module; else empty. place: returns the file and
    line of a profile's setting, empty where that is not known.
    """

    def word(match: re.Match[str]) -> str:
        form, option, value = match.groups()
        name = variables.get(option, option)
        if value is None:
            return str(name)
        return f"-e {name}={value}" if form == "E" and option in variables else f"{name}: {value}"

    def written(match: re.Match[str]) -> str:
        at = place(*match.groups())
        return f" ({at})" if at else ""

    return _WRITTEN.sub(written, _OPTION.sub(word, text))


def result_in_words(
    result: Mapping[str, Any], variables: Mapping[str, str], place: Callable[[str, str], str] = lambda _profile, _setting: ""
) -> dict[str, Any]:
    """Return a result whose sentences, at any depth, name options as the caller knows them."""

    def worded(value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return {name: worded(item, name) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [worded(item, key) for item in value]
        return in_words(value, variables, place) if isinstance(value, str) and key in _SENTENCES else value

    return {key: worded(value, key) for key, value in result.items()}


@contextlib.contextmanager
def naming_files(what: str, remedy: str = "") -> Iterator[None]:
    """Turn trouble with a file (a directory in its place, no permission, a full disk) into a sentence that names it."""
    try:
        yield
    except OSError as error:
        raise file_trouble(what, error, remedy) from error


def file_trouble(what: str, error: OSError, remedy: str = "") -> InputError:
    """Return a failure that names the file, the system's reason, and what to do. A full disk needs space, whatever the remedy."""
    file = error.filename2 or error.filename
    named = f"'{file}': " if file and str(file) not in what else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "Free some disk space, and run again."
    return InputError(what, f"{named}{(error.strerror or str(error)).lower()}", remedy or "Check that path, and run again.")
