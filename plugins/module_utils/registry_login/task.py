# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins of a run: options in, the current state, then what became of the plan. Without any it costs one missing file.

The parts that look and act are loaded only when there is something to look at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import InputError, WorkstationError, naming_files
from ..ecr.registries import Registry
from ..ecr.renewal import TokenLike
from .helper import helper_for
from .model import LoginPlan, Note, Outcome, Place, PlaceState, planned_outcome
from .notes import Notes
from .plan import Clock, plan_logins

Wanted = Mapping[Place, Mapping[str, str]]
_WORK = "change the registry logins"


@dataclass(frozen=True)
class Logins:
    """What is wanted, what is noted and what the places hold."""

    wanted: Wanted = field(default_factory=dict)
    noted: Mapping[Place, Mapping[str, Note]] = field(default_factory=dict)
    found: Mapping[Place, PlaceState] = field(default_factory=dict)
    helper_installed: bool = True

    def plan(self, clock: Clock) -> LoginPlan:
        """Return what to do."""
        return plan_logins(self.wanted, self.noted, self.found, clock, self.helper_installed)


def carry_out(
    plan: LoginPlan, tokens: Mapping[str, TokenLike], identities: Mapping[str, str], secret: str, environment: Mapping[str, str]
) -> tuple[list[Outcome], list[Path]]:
    """Carry out the plan, as far as there are tokens for it. Returns what became of it, and where docker's file was kept.

    No other run changes files of the user's meanwhile: docker and nerdctl read their whole file, ask the registry, and replace
    the file, so of two logins at the same time one would be lost.
    """
    from ..core.system.lock import user_files
    from .apply import Access, apply_logins

    access = {host: Access(token, identities[host]) for host, token in tokens.items()}
    with contextlib.ExitStack() as alone:
        try:
            with naming_files(_WORK):
                alone.enter_context(user_files(_WORK))
        except WorkstationError as error:
            # The clusters are served nevertheless.
            planned = map(planned_outcome, plan.items)
            return [one if one.item.nothing_to_do else replace(one, state="failed", failure=error.message) for one in planned], []
        return apply_logins(plan, access, Notes(environment, secret), environment)


def wanted_from(
    params: Mapping[str, Any], registries: Sequence[Registry], prints: Mapping[str, str], environment: Mapping[str, str]
) -> Wanted:
    """Return which hosts each place is to know. Raises InputError."""
    helpers, login, profiles = params["docker_cred_helpers"], params["docker_login"], params["nerdctl_profiles"] or ()
    if helpers and login:
        raise InputError(
            "plan docker's logins",
            "O(docker_cred_helpers) and O(docker_login) exclude each other, as the credential helper takes no logins",
            "Turn one of them off.",
        )
    wanted: dict[Place, Mapping[str, str]] = {}
    if params["state"] == "absent" or not (helpers or login or profiles):
        return wanted
    from ..colima_paths import parse_name
    from ..docker.client import docker_directory

    directory = str(docker_directory(environment, _home(environment)))
    if helpers:
        wanted |= _helpers(registries, directory, environment)
    if login:
        wanted[Place("docker", directory)] = prints
    return wanted | {Place("nerdctl", parse_name(profile).name): prints for profile in profiles}


def _helpers(registries: Sequence[Registry], docker: str, environment: Mapping[str, str]) -> dict[Place, Mapping[str, str]]:
    """Return the helpers that docker's config.json is to name, and the wrappers that those for an AWS profile are."""
    # The helper knows ECR's own names only.
    wanted: dict[Place, Mapping[str, str]] = {
        Place("helper", docker): {one.host.name: helper_for(one.identity.profile) for one in registries}
    }
    profiles = {one.identity.profile for one in registries if one.identity.profile}
    if profiles:
        place = Place("wrapper", f"{_home(environment)}/.local/bin")
        wanted[place] = {helper_for(profile): profile for profile in profiles}
    return wanted


def read_logins(wanted: Wanted, secret: str, environment: Mapping[str, str]) -> Logins:
    """Look at every place that is wanted or noted."""
    noted = Notes(environment, secret).read()
    if not wanted and not noted:
        return Logins()
    from .read import helper_installed, look

    return Logins(wanted, noted, look({*wanted, *noted}, environment), helper_installed(environment))


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or str(Path.home())
