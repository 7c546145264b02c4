# SPDX-License-Identifier: GPL-3.0-or-later
"""colima profiles as a subject: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ..colima_paths import resolve
from ..company.network import OPTIONS, company_from
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
from .client import retained_vms
from .client.programs import Colima
from .client.run_lock import RunLock
from .model.options import limits_from, policy_from, profile_options, profiles_from, specs_from
from .observe.host import host_from
from .plan.model import ProfileFacts
from .report import public_profile
from .sizing import sized
from .survey import AppliedProfiles, ProfilesPlan, ProfilesSpec, ProfilesState, asked_again, plan_all, survey

_NO_ADDRESS = (
    "Profile '{name}' has no address that the laptop can reach, although network.address is on: colima could not set up its "
    "network daemon. Allow it with sudo (see 'colima start -p {name}' on a terminal), then restart the profile."
)
_ONE = profile_options(name_required=False)


class Profiles(Subject[ProfilesSpec, ProfilesState]):
    """The colima profiles of one user."""

    argument_spec = {
        "profiles": {"type": "list", "elements": "dict", "options": profile_options(name_required=True)},
        **_ONE,
        "overrides": {"type": "dict", "default": {}},
        "company_network": {"type": "dict", "options": OPTIONS},
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
    hidden = frozenset({"env", "docker", "provision", "overrides", "company_network"})
    work = "converge the colima profiles"
    look = "Check whether this colima and this system can do it."

    def __init__(self) -> None:
        self.progress = Progress()

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ProfilesSpec:
        """Return what is asked for. Raises InputError."""
        given = params["host"] or {}
        profiles: Sequence[Mapping[str, Any]] = profiles_from(params)
        self.colima = Colima(resolve(os.environ, given.get("system") or os.uname().sysname))
        chip = any(profile.get("nested_virtualization") for profile in profiles)
        host = host_from(given, os.environ, self.colima.paths.lima, with_chip=chip)
        if params["sizes"] == "share":
            profiles = sized(profiles, host, given.get("weight"))
        network = params["company_network"]
        company = None if network is None else company_from(network, host.system)
        specs = tuple(specs_from(profiles, host, company))
        self.request = ProfilesSpec(specs, policy_from(params), host, limits_from(params), check_mode)
        return self.request

    def programs(self, spec: ProfilesSpec) -> tuple[str, ...]:
        """Return what the settings say that starts will need; what only the laptop knows, the plan adds."""
        started = [profile for profile in spec.profiles if profile.state == "started"]
        runtimes = {profile.stated.get("runtime") for profile in started}
        kubernetes = any(profile.stated.get("kubernetes.enabled") for profile in started)
        parts = ((bool(started), "colima"), ("docker" in runtimes, "docker"), (kubernetes, "kubectl"))
        return tuple(program for needed, program in parts if needed)

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs out, and wait for what they left running."""
        return RunLock(self.colima.paths.own, self.request.limits.timeout, self._say, self._line)

    def require(self, plan: Plan) -> None:
        """Raise for programs that are missing, and make colima's directory, without which it ignores a COLIMA_HOME."""
        require_tools(self.colima, cast(ProfilesPlan, plan).profiles)
        self.colima.make_base()

    def still_true(self, plan: Plan) -> bool:
        """Wait for starts by other programs; what was read before one of them is not true any more."""
        profiles = cast(ProfilesPlan, plan).profiles
        return not wait_for_others(self.colima, profiles, self.request.limits.timeout, self.progress.say)

    def read(self, spec: ProfilesSpec) -> ProfilesState:
        """Return the profiles as they are, and the answers of VMs that the plan depends on."""
        colima = self.colima
        colima.paths.check_links()
        for profile in spec.profiles:
            colima.paths.check_socket_length(profile.name, spec.host.system)
        reading = survey(colima, spec)
        planned = plan_all(reading, spec)
        refuse_blind_plans(colima, planned.profiles)
        # What another program is just making may look like a loss, or like a VM that is as it should be.
        unsure = not spec.check_mode and (planned.refusals or not planned.has_work) and booting(colima, planned.profiles)
        if unsure and wait_for_others(colima, planned.profiles, spec.limits.timeout, self.progress.say):
            reading = survey(colima, spec)
        return reading

    def read_again(self, spec: ProfilesSpec, applied: AppliedProfiles) -> ProfilesState:
        """Return the profiles as they are now, without the questions that only a plan needs."""
        names = [str(profile.name) for profile in spec.profiles]
        after = survey(self.colima, spec, ProfileFacts(busy=dict.fromkeys(names, "")))
        # What has expired meanwhile is left to the next run.
        left = tuple(vm for vm in after.snapshot.expired if vm.name in applied.removed)
        return replace(after, held=applied.held, snapshot=replace(after.snapshot, expired=left))

    def plan(self, spec: ProfilesSpec, current: ProfilesState) -> ProfilesPlan:
        """Return the plan for all profiles."""
        return plan_all(current, spec)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> AppliedProfiles:
        """Carry out all plans side by side as far as they can be."""
        planned, request = cast(ProfilesPlan, plan), self.request
        removed = frozenset(step.name for step in planned.expired)
        require_writable(self.colima, planned.profiles)
        applier = Applier(self.colima, request.host, request.limits, self.progress)
        for step in planned.expired:
            retained_vms.remove(self.colima.paths, step.name)
            report(str(step))
        with applier.reporting(report):
            if planned.stands_still:
                applier.continue_all(planned.profiles)
                planned = plan_all(survey(self.colima, request), request)
                if planned.refusals:
                    raise refused(planned.refusals)
            plans = applier.run(planned.profiles, partial(asked_again, self.colima, request, planned.facts))
        return AppliedProfiles(tuple(plans), removed)

    def public(self, outcome: Result[ProfilesSpec, ProfilesState]) -> dict[str, Any]:
        """Return the profiles as they are, or in check mode would be."""
        request, planned = outcome.spec, cast(ProfilesPlan, outcome.plan)
        applied = outcome.applied or AppliedProfiles()
        carried = {str(profile.spec.name): profile.pending for profile in applied.plans or planned.profiles}
        after = plan_all(outcome.after, request).profiles
        notes = missing_notes(self.colima, planned.profiles) if planned.has_work and request.check_mode else ()
        # Without a start nothing has changed since the last warning, and asking a VM takes a second.
        provider = provider_notes(self.colima, [profile for profile in after if applied.started(profile)])
        lacking = [str(profile.current.name) for profile in after if profile.current.lacks_address]
        return {
            "pending": [item.public() for items in carried.values() for item in items],
            "profiles": [
                public_profile(
                    self.colima.paths,
                    profile.current,
                    request.host,
                    pending=carried[str(profile.spec.name)],
                    target=profile.target,
                    state=profile.spec.state,
                )
                for profile in after
            ],
            "warnings": [*notes, *provider, *(_NO_ADDRESS.format(name=name) for name in lacking)],
        }

    def _say(self, phase: str) -> None:
        for spec in self.request.profiles:
            self.progress.say(str(spec.name), phase)

    def _line(self, instance: str, line: str) -> None:
        for spec in self.request.profiles:
            if spec.name.id == instance:
                self.progress.line(str(spec.name), line)


SUBJECT = Profiles
