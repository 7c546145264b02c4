# SPDX-License-Identifier: GPL-3.0-or-later
"""What the workstation is to be: the options that its roles give to their modules, as the subjects of these modules take them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..company.network import network_variables
from ..core.defaults import complete
from ..core.errors import InputError, WorkstationError, in_words
from ..core.options import problems
from ..core.subject import Subject

# Role and subject of each module that an examination looks at; of the timers, one is called by the name of its module.
MODULES: Mapping[str, tuple[str, str]] = {
    "colima_profile": ("colima", "colima.task"),
    "nerdctl_wrapper": ("nerdctl", "nerdctl.task"),
    "docker_cli_config": ("docker_cli", "docker.config.task"),
    "docker_context": ("docker_context", "docker.context.task"),
    "buildx_builder": ("buildx", "buildx.task"),
    "network": ("network", "network.task"),
    "ecr_pull_secret": ("secret_refresh", "ecr_pull_secret.task"),
    "user_timer": ("refresh_timer", "timer.task"),
    "autostart_timer": ("autostart", "timer.task"),
    "idle_stop_timer": ("idle_stop", "timer.task"),
    "pull_timer": ("pull_timer", "timer.task"),
}
# Variables whose names do not follow from the option's.
_VARIABLES = {
    "secret_refresh_refresh_before": "secret_refresh_before",
    "secret_refresh_contexts": "secret_refresh_context",
    "docker_context_current_context": "docker_context_current",
    "network_context": "network_pod_context",
}


@dataclass(frozen=True)
class SubjectReading:
    """One subject as an examination finds it: its spec, its state, and what a run would do about it."""

    module: str
    subject: Any = field(repr=False)
    spec: Any = field(repr=False)
    current: Any = field(repr=False)
    plan: Any = field(repr=False)

    def words(self, text: str) -> str:
        """Return a text with the module's options as the user of the role knows them."""
        return in_words(text, variables_of(self.module, self.subject))


def subject_of(module: str) -> Subject[Any, Any]:
    """Return the subject of a module. Import statements, because Ansible sends to another laptop only what they name."""
    from ..buildx import task as buildx
    from ..colima import task as colima
    from ..docker.config import task as config
    from ..docker.context import task as context
    from ..ecr_pull_secret import task as ecr_pull_secret
    from ..nerdctl import task as nerdctl
    from ..network import task as network
    from ..timer import task as timer

    files = {
        "buildx.task": buildx,
        "colima.task": colima,
        "docker.config.task": config,
        "docker.context.task": context,
        "nerdctl.task": nerdctl,
        "network.task": network,
        "ecr_pull_secret.task": ecr_pull_secret,
        "timer.task": timer,
    }
    found: Subject[Any, Any] = files[MODULES[module][1]].SUBJECT()
    return found


def spec_of(module: str, subject: Subject[Any, Any], options: Mapping[str, Any]) -> Any:
    """Return what the settings ask of a module. Raises InputError for settings that a run would refuse."""
    refuse_wrong(module, subject, options)
    with _in_words_of(module, subject):
        return subject.parse(complete(subject.argument_spec, options), check_mode=True)


@contextlib.contextmanager
def _in_words_of(module: str, subject: Subject[Any, Any]) -> Iterator[None]:
    """Let failures name the variables of the role instead of the module's options."""
    try:
        yield
    except WorkstationError as error:
        names = variables_of(module, subject)
        error.what, error.reason, error.remedy = (in_words(part, names) for part in (error.what, error.reason, error.remedy))
        raise


def refuse_wrong(module: str, subject: Subject[Any, Any], options: Mapping[str, Any]) -> None:
    """Raise InputError for options of a type or form that the module does not take."""
    wrong = problems(subject.argument_spec, options, subject.hidden, variables_of(module, subject))
    if wrong:
        raise InputError(wrong[0].sentence)


def variables_of(module: str, subject: Subject[Any, Any]) -> Mapping[str, str]:
    """Return the variable of the role by each option of the module."""
    names = {option: f"{MODULES[module][0]}_{option}" for option in subject.argument_spec}
    known = {option: _VARIABLES.get(name, name) for option, name in names.items()}
    return {**network_variables(subject.argument_spec), **known}


def look(module: str, options: Mapping[str, Any], prepared: Callable[[Any], None] | None = None) -> SubjectReading:
    """Read the state, and plan what a run would do. prepared: what has to be set on the subject before it reads."""
    subject = subject_of(module)
    spec = spec_of(module, subject, options)
    if prepared is not None:
        prepared(subject)
    with _in_words_of(module, subject):
        current = subject.read(spec)
        return SubjectReading(module, subject, spec, current, subject.plan(spec, current))
