# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the programs of a laptop for their versions, through the connection of a task: also before any module is sent there."""

from __future__ import annotations

from typing import Any

from ...module_utils.core.system.command import USUAL_DIRECTORIES
from ...module_utils.toolchain.programs import ASK
from ..task_environment import run_in_environment

# colima and limactl would make their directories in the user's home even for this.
_SCRIPT = """\
PATH="$PATH:{directories}"; export PATH
command -v {program} >/dev/null || exit 127
scratch=$(mktemp -d) || exit 1
export COLIMA_HOME="$scratch" LIMA_HOME="$scratch" COLIMA_CACHE_HOME="$scratch"
{ask} 2>&1; rm -rf "$scratch"
"""


def tool_version(action: Any, tool: str) -> str | None:
    """Return what a tool says of its version on the laptop of an action; None where it is not installed."""
    ask = ASK[tool]
    script = _SCRIPT.format(directories=":".join(USUAL_DIRECTORIES), program=ask[0], ask=" ".join(ask))
    answer = run_in_environment(action, ("/bin/sh", "-c", script), sudoable=False)
    return None if answer.get("rc") == 127 else str(answer.get("stdout", ""))
