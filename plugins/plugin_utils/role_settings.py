# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that no module takes as they are, since a role computes with them: checked against the role's own specification."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..module_utils.core.errors import WorkstationError
from ..module_utils.core.options import Problem, problems
from ..module_utils.kube.objects import check_name

# An address, a machine's path as ssh has it, or a path.
_REPOSITORY = re.compile(r"\w[\w+.-]*://\S+|[^/\s:]+:\S+|/.*")


def wrong_settings(
    roles: Iterable[Any], known: Collection[str], variables: Mapping[str, Any], templar: Any, *, here: bool
) -> Iterator[Problem]:
    """Yield what is wrong with the settings of roles that differ from their defaults.

    known: the variables that were checked as options of a task. here: whether the laptop is this machine.
    """
    for role in roles:
        set_ = {
            name: variables[name]
            for name, default in role._default_vars.items()
            if name in variables and name not in known and variables[name] != default
        }
        # Reading a specification takes a while.
        spec = _specification(role) if set_ else {}
        for name, value in set_.items():
            # What can't be templated, Ansible or the task that needs it refuses.
            with contextlib.suppress(Exception):
                read = templar.template(value)
                yield from problems({name: spec[name]}, {name: read}) or _unfit(name, read, here=here)


def _specification(role: Any) -> dict[str, Any]:
    import yaml

    text = Path(role._role_path, "meta", "argument_specs.yml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = yaml.load(text, loader)["argument_specs"]["main"]["options"]  # noqa: S506 - a safe one
    return found


def _unfit(name: str, value: Any, *, here: bool) -> Iterator[Problem]:
    """Yield what only the timer's own run would find out, hours later, or a run with a company's network."""
    if name == "network_pod_namespaces":
        yield from _no_namespaces(name, value.split(",") if isinstance(value, str) else value)
    if name == "pull_timer_repository" and value and not _REPOSITORY.fullmatch(str(value)):
        reason = "it is neither an address nor an absolute path"
        yield Problem(f"Could not use '{value}' as '{name}': {reason}. Use one such as git@git.example.com:laptops.git.", value)
    if name == "pull_timer_signers" and value and here and not Path(str(value)).expanduser().is_file():
        yield Problem(f"Could not use '{value}' as '{name}': there is no such file. Correct its path, or write it first.", value)


def _no_namespaces(setting: str, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        try:
            check_name(name, "namespace")
        except WorkstationError as error:
            yield Problem(error.message, setting)
