# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the subject here, and only its scripts on the laptop: there may be no Python yet that could run a module."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from ..module_utils.core.progress import VARIABLE
from ..module_utils.core.subject import Subject
from ..module_utils.core.system.command import Output
from ..plugin_utils.task_environment import run_in_environment
from .converge import ActionModule as Converge


class ActionModule(Converge):
    """See converge.py."""

    # Whether the laptop is another machine, or is worked on as another user.
    _far = False

    def _result(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        self._far = not self._is_here(task_vars)
        if not self._far:
            return super()._result(tmp, task_vars)
        # Progress is shown of this machine only.
        os.environ.pop(VARIABLE, None)
        return self._here(json.loads(json.dumps(self._task.args)))

    def _made(self, module: str) -> Subject[Any, Any]:
        subject: Any = super()._made(module)
        if self._far:
            subject.shell = _FarShell(self)
        return subject

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """Give this process the task's environment, where it is that of this machine."""
        with contextlib.nullcontext() if self._far else super()._environment():
            yield

    def _recorded(self, *record: Any) -> list[str]:
        """Keep a record here of what was done here."""
        return [] if self._far else super()._recorded(*record)


class _FarShell:
    """The shell of a laptop, behind its connection."""

    def __init__(self, action: Converge) -> None:
        self._action = action

    def run(self, script: str, *arguments: str, stdin: str = "") -> Output:
        """Run a script in the task's environment."""
        argv = ("sh", "-c", script, "sh", *arguments)
        done = run_in_environment(self._action, argv, stdin)
        return Output(argv, done["rc"], done["stdout"], done["stderr"])
