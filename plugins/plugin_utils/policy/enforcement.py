# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds tasks against the team's policy: what they will really do, whatever layer of settings it comes from.

A rule names a setting of a role. What counts is the option that a task of this collection gets after all templates are read, also
where the task stands in a playbook of the user's own. One that is not an option by itself is judged by its variable's value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils.core.errors import InputError, WorkstationError
from ...module_utils.core.subject import Subject
from ...module_utils.policy.judge import Violation, violations, wrong_version
from ...module_utils.policy.path import LEFT_OUT
from ...module_utils.policy.rules import Rule, rules_from
from ..layers import origin, written_at
from .files import read
from .setting_options import ROLES, Option, Setting, Settings

# Whose version counts for a module. Homebrew's has to run where one is wrong.
_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "buildx_builder": ("docker", "docker-buildx"),
    "cluster_migration": ("colima", "limactl"),
    "colima_disk_snapshot": ("colima", "limactl"),
    "colima_profile": ("colima", "limactl"),
    "move": ("colima", "limactl"),
    "reclaim": ("colima", "limactl"),
    "docker_cli_config": ("docker",),
    "docker_context": ("docker",),
    "docker_migration": ("docker",),
    "docker_volume_snapshot": ("docker",),
    "ecr_pull_secret": ("kubectl",),
    "nerdctl_wrapper": ("colima", "limactl"),
}


@dataclass(frozen=True)
class Work:
    """A task as it is to be held against the policy.

    options: what its module gets; written: the same, where it still knows its lines; templar: reads templates as the task does.
    """

    task: Any
    subject: Subject[Any, Any]
    options: Mapping[str, Any]
    written: Mapping[str, Any]
    variables: Mapping[str, Any]
    templar: Any

    @property
    def module(self) -> str:
        """The short name of the module."""
        return str(self.task.action).rpartition(".")[2]

    @property
    def role(self) -> str:
        """The role of this collection that the task belongs to; empty for a task of anyone else."""
        role = self.task._role
        path = Path(role._role_path).resolve() if role else Path()
        return path.name if path.parent == ROLES else ""

    def passes(self, option: str) -> bool:
        """Whether the task hands an option on, or could do so."""
        written = getattr(self.task, "_ds", None) or {}
        given = written.get(self.task.action, written.get(self.module)) or {}
        return not self.role or option in given or option in self.options


class Policy:
    """The rules of all files together."""

    def __init__(self, files: Iterable[Path], loader: Any, subject_of: Callable[[str], Subject[Any, Any] | None]) -> None:
        """Read the files. Raises WorkstationError for an invalid policy."""
        self.project = str(Path.cwd())
        self.settings = Settings(loader, subject_of)
        self.rules: list[Rule] = []
        for file in files:
            shown = str(file.relative_to(self.project)) if file.is_relative_to(self.project) else str(file)
            document, lines = read(file)
            rules = rules_from(document, shown, lines)
            wrong = [f"{text} ({rule.at})" for rule in rules if rule.path for text in self.settings.mistakes(rule.path)]
            if wrong:
                remedy = "Correct it: until then nothing is changed."
                raise InputError(f"use policy '{shown}'", "; ".join(wrong), remedy, problems=len(wrong))
            self.rules += rules

    def broken_by(self, work: Work, version: Callable[[str], str | None]) -> Iterator[str]:
        """Yield a sentence for each way in which a task would break the policy.

        version: what a tool says of its version, None where it is not installed.
        """
        yield from self._private(work)
        for rule in self.rules:
            if rule.path is None:
                if rule.tool in _PROGRAMS.get(work.module, ()) and (output := version(rule.tool)) is not None:
                    yield from (found.sentence for found in wrong_version(rule, output))
                continue
            setting = self.settings[rule.path.setting]
            for value, source, key in self._values(setting, work):
                for found in violations(rule, value):
                    yield self._sentence(found, source, key)

    def kept(self, variables: Mapping[str, Any], templar: Any) -> Iterator[tuple[Rule, list[Violation]]]:
        """Yield each rule about a setting with what breaks it, as the settings are outside of any task."""
        for rule in self.rules:
            if rule.path is not None:
                value, _source = self._of_variable(self.settings[rule.path.setting], variables, templar)
                yield rule, [*violations(rule, value)]

    def _private(self, work: Work) -> Iterator[str]:
        """Yield a sentence for each private variable of the role that someone has set: options are made of them."""
        for name, own in work.task._role._role_vars.items() if work.role else ():
            if name.startswith("__") and work.variables.get(name, own) != own:
                place = origin(_key(work.variables, name), self.project)
                who = ", ".join(dict.fromkeys(rule.contact for rule in self.rules))
                reason = "the policy rests on the variables that a role keeps to itself"
                text = f"Could not use '{name}': {reason}. Remove it. Contact: {who}."
                yield f"{text} ({place})" if place else text

    def _values(self, setting: Setting, work: Work) -> Iterator[tuple[Any, Any, Any]]:
        """Yield each value that a setting has for a task, as the module reads it, with what was written and its key."""
        options = [
            option
            for option in setting.options
            if option.module == work.module and option.name in ("", str(work.options.get("name")))
        ]
        alone = [option for option in options if not option.mixed or not work.role]
        if alone:
            yield from _of_options(setting, alone, work)
        elif options or _is_of(setting, work.role):
            value, source = self._of_variable(setting, work.variables, work.templar)
            yield value, source, _key(work.variables, setting.name)

    def _of_variable(self, setting: Setting, variables: Mapping[str, Any], templar: Any) -> tuple[Any, Any]:
        """Return the value of a setting as a role reads it, and as it is written. What can't be read counts as left out."""
        raw = variables.get(setting.name, setting.default)
        try:
            value = templar.template(raw)
            plain = json.loads(json.dumps(value, default=str))
        except Exception:
            # The task that needs it says why.
            return LEFT_OUT, raw
        checked = ArgumentSpecValidator({setting.name: {**setting.spec, "required": False}}).validate({setting.name: plain})
        found = plain if checked.error_messages else checked.validated_parameters[setting.name]
        return LEFT_OUT if found is None else found, value

    def _sentence(self, found: Violation, source: Any, key: Any) -> str:
        places = (written_at(step, self.project) for step in (*_along(source, found.way), key))
        place = next(filter(None, places), "")
        return f"{found.sentence} ({place})" if place else found.sentence


def for_doctor(
    files: Iterable[Path],
    loader: Any,
    subject_of: Callable[[str], Subject[Any, Any] | None],
    variables: Mapping[str, Any],
    templar: Any,
) -> dict[str, Any]:
    """Return the policy for the doctor, who looks at the laptop itself: rules, and what of the settings breaks them."""
    try:
        policy = Policy(files, loader, subject_of)
    except WorkstationError as error:
        return {"problem": error.message}
    found = [
        {"found": problem.found, "remedy": problem.remedy}
        for _rule, broken in policy.kept(variables, templar)
        for problem in broken
    ]
    return {"rules": [rule.public() for rule in policy.rules], "settings": found}


def _of_options(setting: Setting, options: Iterable[Option], work: Work) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the setting's value in each of a task's options, with what was written and its key."""
    known = _as_module(work.subject, work.options)
    for option in options:
        if known is not None and work.passes(option.option):
            variables = work.variables if work.role else work.written
            key = _key(variables, setting.name if work.role else option.option)
            yield option.of(known), option.of(work.written), key


def _is_of(setting: Setting, role: str) -> bool:
    """Whether a task of this role is where a setting is judged that no option has as it is."""
    return setting.role == "workstation" or (setting.role == role and all(option.mixed for option in setting.options))


def _as_module(subject: Subject[Any, Any], options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return options in their types and with their defaults; None for some that the module refuses by itself."""
    plain = json.loads(json.dumps(options, default=str))
    checked = ArgumentSpecValidator(subject.argument_spec, **subject.rules).validate(plain)
    return None if checked.error_messages else dict(checked.validated_parameters)


def _key(mapping: Mapping[str, Any], name: Any) -> Any:
    """Return a key as it was written, which knows where; a number and a truth value do not."""
    return next((key for key in mapping if key == name), None)


def _along(value: Any, way: tuple[str | int, ...]) -> list[Any]:
    """Return what may know where a value stands: itself, its key, and what is around them, the nearest first."""
    found = [value]
    for step in way:
        try:
            key = _key(value, step) if isinstance(value, Mapping) else step
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
        found[:0] = [value, key]
    return found
