# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tasks of this collection: on the laptop itself inside Ansible's worker, elsewhere as modules.

Most of what a small task costs is not its work: a module is packed, sent to a directory, and started by a new Python. On the
laptop itself none of that is needed: read, plan, apply and verify run here, once, through the same skeleton as in the module.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleTemplateError, AnsibleValueOmittedError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action.normal import ActionModule as Normal
from ansible.utils.display import Display

from ..module_utils.core.errors import WorkstationError, listed, result_in_words
from ..module_utils.core.options import problems
from ..module_utils.core.records import keep
from ..module_utils.core.secrecy.known import hidden, learn
from ..module_utils.core.secrecy.patterns import secrets_in
from ..module_utils.core.subject import Reader, Subject, run
from ..plugin_utils.plain import is_shown, task_lines
from ..plugin_utils.policy.files import policy_files
from ..plugin_utils.templates import Unread

MODULES = frozenset(path.stem for path in (Path(__file__).resolve().parents[1] / "modules").glob("*.py"))
# The laptops whose settings were checked in this play, "name:" each; set by the callback plugin after a first good task.
CHECKED = "LAPTOP_CONTAINERS_CHECKED"


class ActionModule(Normal):
    """The action of every module with a subject; each has a file of its own name beside this one."""

    @classmethod
    def finalize_task_arg(cls, name: str, value: Any, templar: Any, context: Any) -> Any:
        """Return an option as it is read, or why it can't be: Ansible would end the run before all settings are checked.

        A hook that ansible-core calls experimental: a version without it ends the run with a sentence.
        """
        try:
            return super().finalize_task_arg(name, value, templar, context)
        except AnsibleValueOmittedError:
            raise
        except AnsibleTemplateError as error:
            return Unread(error)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the task. With invalid options nothing runs, and all of them are named."""
        subject, variables = subject_of(self._task.action.rpartition(".")[2]), task_vars or {}
        self._variables = variables
        try:
            self.policy = self._policy(subject, variables)
        except WorkstationError as error:
            return self._failed(subject, {"kind": "policy", **error.result})
        invalid, warnings = self._settings(variables)
        if invalid := invalid or self._invalid(subject):
            return {**self._refused(subject, "settings", invalid, "the settings; nothing was changed"), "warnings": warnings}
        if forbidden := self._forbidden(subject, variables):
            return self._refused(subject, "policy", forbidden, "the policy; this task changed nothing")
        result = self._result(tmp, variables)
        if not is_shown() and not isinstance(subject, Reader):
            for line in task_lines(result, check_mode=self._task.check_mode):
                Display().display(line)
        return {**result, "warnings": [*warnings, *result.get("warnings", ())]} if warnings else result

    def _invalid(self, subject: Subject[Any, Any]) -> list[str]:
        """Return what is wrong with the options of this task."""
        for option in self._task.args.values():
            if isinstance(option, Unread):
                raise option.error
        return [problem.sentence for problem in problems(subject.argument_spec, self._task.args, subject.hidden)]

    def _forbidden(self, subject: Subject[Any, Any], variables: Mapping[str, Any]) -> list[str]:
        """Return in which ways this task would break the policy."""
        written = self._task.args
        if self.policy is not None:
            # What is judged now is what runs, also should a template in a list answer otherwise when it is read again.
            self._task.args = json.loads(json.dumps(written, default=str))
        found = self._against_policy(self._task, subject, self._task.args, variables, self._templar, written=written)
        return list(dict.fromkeys(found))

    def _refused(self, subject: Subject[Any, Any], kind: str, sentences: list[str], where: str) -> dict[str, Any]:
        """Return the failure of a task that has done nothing. where: the problems are, and what else a list of them says."""
        msg = listed(sentences, f"Found {len(sentences)} problems in {where}")
        found = {"changed": False, "actions": [], "kind": kind, "problems": len(sentences), "msg": msg}
        return self._typed(self._failed(subject, found))

    def _result(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        return self._typed(self._carried_out(tmp, task_vars))

    def _typed(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a result whose commands can be typed in the shell of this run."""
        from ..plugin_utils.shell import playbook_dir_of, result_typed, shell_of

        return result_typed(result, shell_of(os.environ, playbook_dir_of(self._variables)))

    def _carried_out(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._is_here(task_vars):
            # What JSON can't hold (a vaulted string, say), Ansible knows how to hand over.
            with contextlib.suppress(TypeError):
                return self._here(json.loads(json.dumps(self._task.args)))
        self._is_sent = True
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result

    # Whether the module itself is sent to the laptop.
    _is_sent = False

    def _compute_environment_string(self, raw_environment_out: dict[str, Any] | None = None) -> str:
        """Keep secrets of the task's environment out of arguments, where Ansible would put them."""
        values: dict[str, Any] = {}
        variables: str = super()._compute_environment_string(values)
        if raw_environment_out is not None:
            raw_environment_out.update(values)
        # Who asks for the values as well does not use the text.
        asked = raw_environment_out is None and self._is_sent
        if not (asked and secrets_in(json.loads(json.dumps(values, default=str)))):
            return variables
        from ..plugin_utils.task_environment import read_from_file

        return read_from_file(self, variables)

    def _policy(self, subject: Subject[Any, Any], task_vars: Mapping[str, Any]) -> Any:
        """Return the team's policy for a task that changes something; None for another, or where there is none."""
        files = policy_files(self._task.get_play())
        if not files:
            return None
        from ..plugin_utils.policy.enforcement import Policy, for_doctor

        if isinstance(subject, Reader):
            if "policy" in subject.argument_spec:
                self._task.args["policy"] = for_doctor(files, self._loader, known_subject, task_vars, self._templar)
            return None
        policy = Policy(files, self._loader, known_subject)
        if "policy" in subject.argument_spec:
            # It judges itself what it is about to install.
            self._task.args["policy"] = {"rules": [rule.public() for rule in policy.rules if rule.tool]}
        return policy

    def _against_policy(
        self,
        task: Any,
        subject: Subject[Any, Any],
        options: Mapping[str, Any],
        variables: Mapping[str, Any],
        templar: Any,
        *,
        written: Mapping[str, Any] | None = None,
    ) -> Iterator[str]:
        """Yield a sentence for each way in which a task of this run would break the policy."""
        if self.policy is None or isinstance(subject, Reader):
            return
        from ..plugin_utils.policy.enforcement import Work
        from ..plugin_utils.policy.versions import tool_version

        work = Work(task, subject, options, options if written is None else written, variables, templar)
        yield from self.policy.broken_by(work, partial(tool_version, self))

    def _settings(self, task_vars: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Return what is wrong with the settings of the whole run, and warnings; asked once for each laptop and play."""
        if self._task._role is None or f"{task_vars.get('inventory_hostname')}:" in os.environ.get(CHECKED, ""):
            return [], []
        from ..plugin_utils.own_settings import own_settings
        from ..plugin_utils.settings import check_settings
        from ..plugin_utils.variable_files import misnamed

        # Ansible has read that file with its own environment, not the task's.
        own = list(own_settings(self._task.get_play(), task_vars, self._templar, os.environ))
        inventory = self._task.get_play()._variable_manager._inventory
        near = list(misnamed(inventory, self._loader.get_basedir(), os.environ, Path.cwd()))
        here = self._connection.transport == "local"
        with self._environment():
            found = check_settings(self._task, task_vars, self._templar, known_subject, self._against_policy, here=here)
        return [*own, *found.lines], [*near, *found.warnings]

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the module would run on this machine, as this user, by this Python, while the task waits."""
        interpreter = self._templar.template(task_vars.get("ansible_python_interpreter", ""))
        elsewhere = self._task.delegate_to or self._task.async_val or self._connection.become
        return self._connection.transport == "local" and not elsewhere and interpreter == sys.executable

    def _here(self, options: Mapping[str, Any]) -> dict[str, Any]:
        began, planned = datetime.now(UTC), list[str]()
        with self._environment():
            # Made here, because it looks for its programs and directories at once.
            module = self._task.action.rpartition(".")[2]
            subject = self._made(module)
            # Paths are expanded here, so this belongs into the environment as well.
            checked = ArgumentSpecValidator(subject.argument_spec, **subject.rules).validate(dict(options))
            learn(*subject.secrets(options), *checked._no_log_values)
            if checked.error_messages:
                result = self._failed(subject, {"changed": False, "actions": [], "msg": " ".join(checked.error_messages)})
            else:
                try:
                    result = run(subject, checked.validated_parameters, check_mode=self._task.check_mode)
                except WorkstationError as error:
                    planned = error.planned
                    result = self._failed(subject, error.result)
            # run() began with the options in their types; what they were as given, and what was wrong with them, counts as well.
            learn(*subject.secrets(options), *checked._no_log_values)
            plain: dict[str, Any] = hidden(json.loads(json.dumps(self._worded(result))))
            if not self._task.check_mode:
                plain["warnings"] += self._recorded(module, began, plain, planned)
        return plain

    # The action of a subject that works on another machine replaces these two.
    def _made(self, module: str) -> Subject[Any, Any]:
        return subject_of(module)

    def _recorded(self, *record: Any) -> list[str]:
        return keep(*record)

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """Give this process, which serves one task, the task's environment meanwhile."""
        before, extra = dict(os.environ), {}
        self._compute_environment_string(extra)
        os.environ.update({name: str(value) for name, value in extra.items()})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _failed(self, subject: Subject[Any, Any], result: dict[str, Any]) -> dict[str, Any]:
        """Return a failure without a value of a hidden option."""
        learn(*subject.secrets(self._task.args))
        return hidden({"failed": True, **result})  # type: ignore[no-any-return]

    def _worded(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return the result with options named as the user knows them: in a role, by the role's variables."""
        from ..plugin_utils.settings import profile_setting_at, variables_of

        place = partial(profile_setting_at, self._task.args)
        return {"warnings": [], **result_in_words(result, variables_of(self._task), place)}


def subject_of(module: str) -> Subject[Any, Any]:
    """Return the subject of a module, whose file says which that is."""
    found: Subject[Any, Any] = _file_of(module).subject()()
    return found


def known_subject(module: str) -> Subject[Any, Any] | None:
    """Return the subject of a module; None where it has none."""
    return subject_of(module) if module in MODULES and hasattr(_file_of(module), "subject") else None


def _file_of(module: str) -> Any:
    return import_module(f"..modules.{module}", __package__)
