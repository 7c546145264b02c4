# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a task of this collection inside Ansible; only what there is to do goes to the module.

Most of what a task costs is not its work: a module is packed, sent to a directory, and started by a new Python. On the laptop
itself the plan (which reads, and never changes anything) can be made without all that. A plan without steps is the answer; with
anything else (steps, pending changes, a guess, notes of ours to bring in order, a failure) the module runs as always, and reads
and plans for itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action.normal import ActionModule as Normal

from ..module_utils.core.errors import WorkstationError
from ..module_utils.core.options import refusal

# Where each module's work is; each offers ARGUMENT_SPEC, RULES where there are any, and run(params, check_mode).
TASKS = {
    "buildx_builder": "buildx.task",
    "colima_profile": "colima.task",
    "docker_cli_config": "docker.config.task",
    "docker_context": "docker.context.task",
    "ecr_pull_secret": "pull_secret.task",
    "nerdctl_wrapper": "nerdctl.task",
}

# What in a result says that there is something to do, or to look at, for the module.
_OPEN = ("changed", "pending", "guess", "bookkeeping")


class ActionModule(Normal):
    """The action of the modules in TASKS (meta/runtime.yml)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of a plan without steps, else that of the module; nothing runs for options that can't be meant."""
        refused = refusal(self._work().ARGUMENT_SPEC, self._task.args)
        if refused:
            return {"failed": True, "changed": False, "actions": [], "msg": refused}
        if self._is_here(task_vars or {}):
            settled = self._settled()
            if settled is not None:
                return settled
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the module would run on this machine, as this user, by this Python, while the task waits."""
        interpreter = self._templar.template(task_vars.get("ansible_python_interpreter", ""))
        elsewhere = self._task.delegate_to or self._task.async_val or self._connection.become
        return self._connection.transport == "local" and not elsewhere and interpreter == sys.executable

    def _work(self) -> Any:
        return import_module(f"..module_utils.{TASKS[self._task.action.rpartition('.')[2]]}", __package__)

    def _settled(self) -> dict[str, Any] | None:
        """Return the result of a task that finds everything as it should be. Returns None when the module has to run."""
        work = self._work()
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        with _environment(environment):
            try:
                # Options as a module gets them. What JSON can't hold (a vaulted string, say), Ansible knows how to hand over.
                options = json.loads(json.dumps(self._task.args))
            except TypeError:
                return None
            # Paths are expanded here, so this belongs into the environment as well.
            checked = ArgumentSpecValidator(work.ARGUMENT_SPEC, **getattr(work, "RULES", {})).validate(options)
            # Taking things back is no daily work, and also forgets what was noted for it.
            if checked.error_messages or options.get("state") == "absent":
                return None
            try:
                result: dict[str, Any] = json.loads(json.dumps(work.run(checked.validated_parameters, True)))
            except WorkstationError:
                # The module meets the same failure, and reports it as modules do.
                return None
        return None if any(result.get(key) for key in _OPEN) else result


@contextlib.contextmanager
def _environment(extra: Mapping[str, Any]) -> Iterator[None]:
    """Give this process, which serves one task, the task's environment meanwhile."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in extra.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
