# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the programs of this laptop for their versions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import partial

from ..core.system.command import Cli
from ..core.system.together import together
from .matrix import ON_THE_LAPTOP
from .programs import ASK, Version, version_of

# A program that only prints its version; a longer run hangs.
_SECONDS = 20.0


def version_output(tool: str, cli: Callable[[str], Cli] = Cli) -> str:
    """Return what a tool says of its version, '' where it is not installed. Raises TimedOut."""
    program, *words = ASK[tool]
    command = cli(program)
    if not command.installed:
        return ""
    with tempfile.TemporaryDirectory() as scratch:
        # colima and limactl would make their directories in the user's home even for this.
        elsewhere = {"COLIMA_HOME": scratch, "LIMA_HOME": scratch, "COLIMA_CACHE_HOME": scratch}
        return command.run(*words, check=False, timeout=_SECONDS, environment=elsewhere).stdout


def versions(tools: Iterable[str] = ON_THE_LAPTOP) -> dict[str, Version]:
    """Return the versions of the tools that are installed and tell a number. Raises TimedOut."""
    answers = together({tool: partial(version_output, tool) for tool in tools})
    found = {tool: version_of(answer) for tool, answer in answers.items()}
    return {tool: version for tool, version in found.items() if version is not None}
