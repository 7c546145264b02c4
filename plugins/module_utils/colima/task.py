# SPDX-License-Identifier: GPL-3.0-or-later
"""colima profiles as a subject: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ..colima_paths import resolve
from ..core.errors import refused
from ..core.plan import Plan
from ..core.subject import Result, Subject
from .carry_out.apply import Applier
from .carry_out.progress import Progress
from .carry_out.ready import (
    booting,
    missing_notes,
    provider_notes,
    refuse_blind_plans,
    require_tools,
    require_writable,
    wait_for_others,
)
from .client import kept
from .client.programs import Colima
from .client.run_lock import RunLock
from .model.options import desired_from, limits_from, policy_from, profile_options, profiles_from
from .observe.host import host_from
from .plan.action import ActionKind, ProfileFacts, ProfilePlan
from .report import public_profile
from .sizing import sized
from .survey import ProfilesPlan, ProfilesSpec, ProfilesState, asked_again, plan_all, survey

_NO_ADDRESS = (
    "Profile '{name}' has no address that the laptop can reach, although network.address is on: colima could not set up its "
    "network daemon. Allow it with sudo (see 'colima start -p {name}' on a terminal), then restart the profile."
)
_ONE = profile_options(name_required=False)


class Profiles(Subject[ProfilesSpec, ProfilesState]):
    """The colima profiles of one user."""

    spec = {
        "profiles": {"type": "list", "elements": "dict", "options": profile_options(name_required=True)},
        **_ONE,
        "overrides": {"type": "dict", "default": {}},
        "sizes": {"type": "str", "choices": ["keep", "share"], "default": "keep"},
        "start": {"type": "str", "choices": ["always", "never"], "default": "always"},
        "restart": {"type": "str", "choices": ["always", "if_idle", "never"], "default": "if_idle"},
        "stop": {"type": "str", "choices": ["always", "if_idle"], "default": "always"},
        "idle_for": {"type": "str", "default": ""},
        "on_fixed_change": {
            "type": "str",
            "choices": ["refuse", "warn", "recreate", "recreate_with_data_loss"],
            "default": "refuse",
        },
        "confirm_data_loss": {"type": "list", "elements": "str", "default": []},
        "delete_data": {"type": "bool", "default": False},
        "keep_deleted": {"type": "float", "default": 7},
        "timeout": {"type": "int", "default": 1800},
        "stall_timeout": {"type": "int", "default": 600},
        "host": {
            "type": "dict",
            "options": {
                "cpus": {"type": "int"},
                "memory_mib": {"type": "int"},
                "reserve_memory_mib": {"type": "int", "default": 1024},
                "disk_free_mib": {"type": "int"},
                "system": {"type": "str", "choices": ["Darwin", "Linux"]},
                "arch": {"type": "str"},
                "weight": {"type": "float", "default": 1.0},
            },
        },
    }
    rules = {
        # state beside profiles is that of the whole.
        "mutually_exclusive": [("profiles", option) for option in _ONE if option != "state"],
        "required_one_of": [("profiles", "name")],
    }
    hidden = frozenset({"env", "docker", "provision", "overrides"})
    work = "converge the colima profiles"
    look = "Check whether this colima and this system can do it."

    def __init__(self) -> None:
        self.progress = Progress()
        self.applied: list[ProfilePlan] | None = None

    def desired(self, params: Mapping[str, Any], *, check_mode: bool) -> ProfilesSpec:
        """Return what is asked for. Raises InputError."""
        given = params["host"] or {}
        profiles: Sequence[Mapping[str, Any]] = profiles_from(params)
        self.colima = Colima(resolve(os.environ, given.get("system") or os.uname().sysname))
        chip = any(profile.get("nested_virtualization") for profile in profiles)
        host = host_from(given, os.environ, self.colima.paths.lima, with_chip=chip)
        if params["sizes"] == "share":
            profiles = sized(profiles, host, given.get("weight"))
        self.request = ProfilesSpec(
            tuple(desired_from(profiles, host)), policy_from(params), host, limits_from(params), check_mode
        )
        return self.request

    def programs(self, desired: ProfilesSpec) -> tuple[str, ...]:
        """Return what the settings say that starts will need; what only the laptop knows, the plan adds."""
        started = [spec for spec in desired.desired if spec.state == "started"]
        runtimes = {spec.stated.get("runtime") for spec in started}
        kubernetes = any(spec.stated.get("kubernetes.enabled") for spec in started)
        parts = ((bool(started), "colima"), ("docker" in runtimes, "docker"), (kubernetes, "kubectl"))
        return tuple(program for needed, program in parts if needed)

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs out, and wait for what they left at work and for starts by other programs."""
        limits = self.request.limits
        return self._guarded(RunLock(self.colima.paths.own, limits.timeout, self._say, self._line))

    @contextlib.contextmanager
    def _guarded(self, alone: RunLock) -> Iterator[bool]:
        require_tools(self.colima, self.planned.profiles)
        self.colima.make_base()
        with alone as quiet:
            waited = wait_for_others(self.colima, self.planned.profiles, self.request.limits.timeout, self.progress.say)
            yield quiet and not waited

    def read(self, desired: ProfilesSpec) -> ProfilesState:
        """Return what is there; after the actions, without the questions that only a plan needs."""
        colima = self.colima
        if self.applied is not None:
            names = [str(spec.name) for spec in desired.desired]
            held = frozenset(str(plan.desired.name) for plan in self.applied if plan.pending)
            after = survey(colima, desired, ProfileFacts(busy=dict.fromkeys(names, "")))
            # What has expired meanwhile is left to the next run.
            left = tuple(vm for vm in after.snapshot.expired if vm.name in {gone.name for gone in self.planned.expired})
            return replace(after, held=held, snapshot=replace(after.snapshot, expired=left))
        for spec in desired.desired:
            colima.paths.check_socket_length(spec.name, desired.host.system)
        reading = survey(colima, desired)
        planned = plan_all(reading, desired)
        refuse_blind_plans(colima, planned.profiles)
        # What another program is just making may look like a loss, or like a VM that is as it should be.
        unsure = not desired.check_mode and (planned.refusals or not planned.has_work) and booting(colima, planned.profiles)
        if unsure and wait_for_others(colima, planned.profiles, desired.limits.timeout, self.progress.say):
            reading = survey(colima, desired)
        self.facts = reading.facts
        return reading

    def plan(self, desired: ProfilesSpec, current: ProfilesState) -> Plan:
        """Return the plan for all profiles."""
        self.planned = plan_all(current, desired)
        return self.planned

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out all plans side by side as far as they can be."""
        planned, request = cast(ProfilesPlan, plan), self.request
        require_writable(self.colima, planned.profiles)
        applier = Applier(self.colima, request.host, request.limits, self.progress)
        for step in planned.expired:
            kept.remove(self.colima.paths, step.name)
            report(str(step))
        with applier.reporting(report):
            if planned.stands_still:
                applier.continue_all(planned.profiles)
                reading = survey(self.colima, request)
                self.facts, planned = reading.facts, plan_all(reading, request)
                if planned.refusals:
                    raise refused(planned.refusals)
            self.applied = applier.run(planned.profiles, partial(asked_again, self.colima, request, self.facts))

    def public(self, outcome: Result[ProfilesSpec, ProfilesState]) -> dict[str, Any]:
        """Return the profiles as they are, or in check mode would be."""
        request, planned = outcome.desired, cast(ProfilesPlan, outcome.plan)
        carried = {str(profile.desired.name): profile.pending for profile in self.applied or planned.profiles}
        after = plan_all(outcome.after, request).profiles
        notes = missing_notes(self.colima, planned.profiles) if planned.has_work and request.check_mode else ()
        # Without a start nothing has changed since the last warning, and asking a VM takes a second.
        provider = provider_notes(self.colima, [profile for profile in after if self._restarted(profile)])
        lacking = [str(profile.current.name) for profile in after if profile.current.lacks_address]
        return {
            "pending": [item.public() for items in carried.values() for item in items],
            "profiles": [
                public_profile(
                    self.colima.paths,
                    profile.current,
                    request.host,
                    pending=carried[str(profile.desired.name)],
                    target=profile.target,
                    state=profile.desired.state,
                )
                for profile in after
            ],
            "warnings": [*notes, *provider, *(_NO_ADDRESS.format(name=name) for name in lacking)],
        }

    def _restarted(self, plan: ProfilePlan) -> bool:
        return any(profile.does(ActionKind.START) for profile in self.applied or () if profile.desired.name == plan.desired.name)

    def _say(self, phase: str) -> None:
        for spec in self.request.desired:
            self.progress.say(str(spec.name), phase)

    def _line(self, instance: str, line: str) -> None:
        for spec in self.request.desired:
            if spec.name.id == instance:
                self.progress.line(str(spec.name), line)


SUBJECT = Profiles
