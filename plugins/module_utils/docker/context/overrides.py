# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds what makes docker ignore its current context: DOCKER_HOST and DOCKER_CONTEXT, and where they are set."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ...core.system.home import home

VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT")

_START_FILES = (
    "~/.zshenv",
    "~/.zprofile",
    "~/.zshrc",
    "~/.zlogin",
    "~/.bash_profile",
    "~/.bash_login",
    "~/.bashrc",
    "~/.profile",
    "~/.config/fish/config.fish",
    "/etc/environment",
    "/etc/profile",
    "/etc/zshenv",
    "/etc/zprofile",
    "/etc/zshrc",
)
_ASSIGNMENT = re.compile(
    r"^\s*(?:(?:export|typeset|declare)\s+(?:-\w+\s+)*|set\s+(?:-{1,2}\w+\s+)*)?"
    r"(DOCKER_HOST|DOCKER_CONTEXT)(?:=|\s+)(?P<value>\"[^\"]*\"|'[^']*'|[^\s;#]*)"
)


@dataclass(frozen=True)
class ShellAssignment:
    """A line of a shell's start file that sets one of the variables."""

    variable: str
    value: str
    path: str
    line: int


def start_files(home: str) -> list[str]:
    """Return the files in which shells usually get their environment."""
    return [path.replace("~", home, 1) for path in _START_FILES]


def read_text(path: str) -> str:
    """Return the file's text, empty when it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - one handle for a dozen small reads
            return file.read()
    except OSError:
        return ""


def find_settings(paths: Iterable[str], home: str, read: Callable[[str], str] = read_text) -> list[ShellAssignment]:
    """Return every line that sets one of the variables to something."""
    findings = []
    for path in paths:
        text = read(path)
        if "DOCKER_" not in text:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            match = _ASSIGNMENT.match(line)
            value = match["value"].strip("\"'") if match else ""
            if match and value:
                value = value.replace("${HOME}", home).replace("$HOME", home)
                findings.append(ShellAssignment(match[1], value, path, number))
    return findings


@dataclass(frozen=True)
class Override:
    """A variable that makes docker use anything but the current context: its value, and the lines that set it."""

    variable: str
    value: str
    settings: tuple[ShellAssignment, ...] = ()

    @property
    def where(self) -> str:
        """Where it is set, in words."""
        places = [f"{item.path} line {item.line}" for item in self.settings]
        return f"set in {' and '.join(places)}" if places else "set in the environment of this run"


def overriding(
    environment: Mapping[str, str], findings: Iterable[ShellAssignment], current: str, current_host: str
) -> list[Override]:
    """Return each variable that makes docker use anything but the current context.

    A variable that says the same as the context (many tools only read DOCKER_HOST) overrides nothing.
    """
    found = []
    listed = list(findings)
    for variable in VARIABLES:
        agreed = current_host if variable == "DOCKER_HOST" else current
        settings = tuple(item for item in listed if item.variable == variable and item.value != agreed)
        value = environment.get(variable, "")
        if value != agreed if value else settings:
            found.append(Override(variable, value or settings[-1].value, settings))
    return found


def override_warnings(
    environment: Mapping[str, str], findings: Iterable[ShellAssignment], current: str, current_host: str
) -> list[str]:
    """Return a warning for each variable that makes docker use anything but the current context."""
    return [
        f"{override.variable}={override.value} is {override.where} and overrides docker's current context '{current}'. "
        f"Remove it there (in an open shell: unset {override.variable}) to use the context."
        for override in overriding(environment, findings, current, current_host)
    ]


def overrides_of(current: str, host: str) -> list[str]:
    """Return what makes docker on this laptop use anything but the current context, which is at host."""
    environment = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return override_warnings(environment, find_settings(start_files(home()), home()), current, host)
