# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins of a run: options in, plan, then what became of it. Without logins wanted or noted it costs one missing file.

The parts that look and act are loaded only when there is something to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..ecr.lease import TokenLike
from ..ecr.registries import Registry
from .notes import Notes
from .plan import Clock, LoginPlan, Outcome, Place, foreseen, plan_logins

Wanted = Mapping[Place, Mapping[str, str]]


@dataclass
class Logins:
    """The logins during the run."""

    plan: LoginPlan = field(default_factory=LoginPlan)
    notes: Notes | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)

    def foresee(self) -> None:
        """Take the plan for what became of it, as check mode does."""
        self.outcomes = [foreseen(item) for item in self.plan.items]

    def apply(self, tokens: Mapping[str, TokenLike], identities: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Carry out the plan, as far as there are tokens for it."""
        if self.notes is None or all(item.idle for item in self.plan.items):
            self.foresee()
            return
        from .apply import Access, apply_logins

        access = {host: Access(token, identities[host]) for host, token in tokens.items()}
        self.outcomes, self.kept = apply_logins(self.plan, access, self.notes, environment)


def wanted_from(
    params: Mapping[str, Any], registries: Sequence[Registry], prints: Mapping[str, str], environment: Mapping[str, str]
) -> Wanted:
    """Return which hosts each place shall know. Raises InputError for what can't be meant."""
    helpers, login, profiles = params["docker_cred_helpers"], params["docker_login"], params["nerdctl_profiles"] or ()
    if helpers and login:
        raise InputError(
            "Could not plan docker's logins: docker_cred_helpers and docker_login exclude each other, as the credential helper "
            "takes no logins. Turn one of them off."
        )
    wanted: dict[Place, Mapping[str, str]] = {}
    if params["state"] == "absent" or not (helpers or login or profiles):
        return wanted
    from ..colima_paths import parse_name
    from ..docker.client import docker_directory

    directory = str(docker_directory(environment, _home(environment)))
    if helpers:
        # The helper knows ECR's own names only.
        wanted[Place("helper", directory)] = {one.host.name: prints[one.host.name] for one in registries}
    if login:
        wanted[Place("docker", directory)] = prints
    return wanted | {Place("nerdctl", parse_name(profile).name): prints for profile in profiles}


def read_logins(wanted: Wanted, secret: str, clock: Clock, environment: Mapping[str, str]) -> Logins:
    """Look at every place that is wanted or noted, and plan."""
    notes = Notes(environment, _home(environment), secret)
    noted = notes.read()
    if not wanted and not noted:
        return Logins()
    from .read import helper_installed, look

    found = look({*wanted, *noted}, environment)
    return Logins(plan_logins(wanted, noted, found, clock, helper_installed(environment)), notes)


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or str(Path.home())
