# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading for several profiles and planning them as one. Planning is pure; reading asks only what a plan depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..core.errors import RefusedStep
from ..core.plan import Plan, Step, merge
from ..core.system.together import together
from .client.programs import Colima
from .client.retained_vms import RetainedVm
from .model.config import Host
from .model.spec import ChangePolicy, ProfileSpec, Refusal, TimeLimits
from .observe.idle import why_busy
from .observe.read import ColimaState, read
from .plan.absent import with_last_traces
from .plan.between_profiles import check
from .plan.model import ActionKind, Phase, ProfileFacts, ProfilePlan
from .plan.profile import plan_profile

# The profiles that there are without any setting: a VM without one was ours.
OURS = ("k8s", "docker-buildx")
_DROPPED = (
    "Profile '{name}' has a VM, and O(profiles) does not list it: the VM stays as it is. List it with 'state: absent' to remove "
    "it. O(overrides) changes single settings of a profile without the whole list."
)


@dataclass(frozen=True)
class ProfilesSpec:
    """What one run is asked for."""

    profiles: tuple[ProfileSpec, ...]
    policy: ChangePolicy
    host: Host
    limits: TimeLimits = field(default_factory=TimeLimits)
    check_mode: bool = False


@dataclass(frozen=True)
class ProfilesState:
    """What was found, and what VMs and colima said when asked. installed: whether colima is there.

    held: profiles whose changes wait. What a second look still finds to do there does not count as a failure.
    """

    snapshot: ColimaState
    facts: ProfileFacts = field(default_factory=ProfileFacts)
    installed: bool = True
    held: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AppliedProfiles:
    """What a run has carried out: the plans as they were in the end, and the names of what it removed for good."""

    plans: tuple[ProfilePlan, ...] = ()
    removed: frozenset[str] = frozenset()

    @property
    def held(self) -> frozenset[str]:
        """The profiles of which something was held back."""
        return frozenset(str(plan.spec.name) for plan in self.plans if plan.pending)

    def started(self, plan: ProfilePlan) -> bool:
        """Whether the profile of a plan was started."""
        return any(done.does(ActionKind.START) for done in self.plans if done.spec.name == plan.spec.name)


@dataclass(frozen=True)
class RemoveExpired(Step):
    """Remove for good what was set aside in place of a deletion. name: of its directory."""

    name: str = field(kw_only=True)


@dataclass(frozen=True)
class ProfilesPlan(Plan):
    """The plan for all profiles together, with the plan of each. expired: what was deleted long ago, and goes for good."""

    profiles: tuple[ProfilePlan, ...] = ()
    expired: tuple[RemoveExpired, ...] = ()
    # What it rests on, for a profile that is planned once more just before it stops.
    facts: ProfileFacts = field(default_factory=ProfileFacts)

    @property
    def stands_still(self) -> bool:
        """Whether a VM has to go on before anything can be asked in it."""
        return any(plan.does(ActionKind.CONTINUE) for plan in self.profiles)

    @property
    def has_work(self) -> bool:
        """Whether there is any action, shown or not."""
        return any(plan.actions for plan in self.profiles)


def plan_all(reading: ProfilesState, request: ProfilesSpec) -> ProfilesPlan:
    """Return all plans and what they mean together. Pure."""
    found = reading.snapshot.profiles
    plans = tuple(
        plan_profile(found[spec.name.name], spec, request.policy, request.host, reading.facts) for spec in request.profiles
    )
    refusals = [refusal for plan in plans for refusal in plan.refusals]
    shared, warnings = check(plans, reading.snapshot.others, request.host)
    if plans and all(plan.spec.state == "absent" for plan in plans) and not reading.snapshot.others:
        plans = with_last_traces(plans, reading.snapshot.shared)
    plans = tuple(replace(plan, actions=()) if str(plan.spec.name) in reading.held else plan for plan in plans)
    if not reading.installed and not any(plan.shown for plan in plans):
        # Only notes of our own: they wait for a colima.
        plans = tuple(replace(plan, actions=()) for plan in plans)
    expired = tuple(map(expire, reading.snapshot.expired))
    dropped = [_DROPPED.format(name=row.name) for row in reading.snapshot.others if row.name in OURS]
    shown = _shown(plans, [*refusals, *shared], [*reading.snapshot.problems, *dropped, *warnings], expired)
    return replace(shown, facts=reading.facts)


def expire(kept: RetainedVm) -> RemoveExpired:
    """Return the step that removes for good what was set aside in place of a deletion."""
    return RemoveExpired("remove", f"what was deleted as '{kept.name}'", f"it was kept until {kept.lasts}", name=kept.name)


def _shown(
    plans: tuple[ProfilePlan, ...], refusals: Sequence[Refusal], warnings: Sequence[str], expired: tuple[RemoveExpired, ...]
) -> ProfilesPlan:
    merged = merge(plan.public() for plan in plans)
    actions = (action for phase in Phase for plan in plans for action in plan.actions if action.phase is phase)
    return ProfilesPlan(
        # In the order in which they run.
        steps=(*expired, *actions),
        before=merged.before,
        after=merged.after,
        pending=merged.pending,
        warnings=(*merged.warnings, *warnings),
        refusals=tuple(RefusedStep(*refusal) for refusal in dict.fromkeys(refusals)),
        profiles=plans,
        expired=expired,
    )


def survey(colima: Colima, request: ProfilesSpec, facts: ProfileFacts | None = None) -> ProfilesState:
    """Read; ask VMs for more, and for colima's version, only if the plan depends on it.

    facts: what is known already; then nothing of that kind is asked.
    """
    traces = any(spec.state == "absent" for spec in request.profiles)
    snapshot = read(colima, [spec.name for spec in request.profiles], traces)
    reading = ProfilesState(snapshot, facts or ProfileFacts(), colima.installed)
    if not colima.installed:
        return reading
    plan = plan_all(reading, request)
    doubtful = {
        str(profile.spec.name): partial(colima.k3s, profile.current.name) for profile in plan.profiles if profile.asks_k3s
    }
    if doubtful:
        reading = replace(reading, facts=replace(reading.facts, k3s=together(doubtful)))
        plan = plan_all(reading, request)
    if facts is not None or plan.refusals or (not plan.has_work and not any(profile.asks_idle for profile in plan.profiles)):
        return reading
    return replace(reading, facts=_asked(colima, plan, reading.facts))


def _asked(colima: Colima, plan: ProfilesPlan, known: ProfileFacts) -> ProfileFacts:
    """Return the facts with colima's version, and what runs in VMs that would have to stop."""
    asked = [profile for profile in plan.profiles if profile.asks_idle]
    questions: dict[str, Any] = {f"busy {waiting.spec.name}": partial(why_busy, colima, waiting.current) for waiting in asked}
    if plan.has_work:
        questions["version"] = colima.version
        if colima.lima.installed and not colima.paths.lima.exists():
            # Nothing was asked of Lima yet.
            questions["user"] = colima.check_user
    answers = together(questions)
    held = {str(waiting.spec.name): answers[f"busy {waiting.spec.name}"] for waiting in asked}
    return replace(known, version=answers.get("version"), busy=held)


def asked_again(colima: Colima, request: ProfilesSpec, facts: ProfileFacts, plan: ProfilePlan) -> ProfilePlan:
    """Return the plan for a profile that must be idle, as it is now."""
    name = str(plan.current.name)
    known = replace(facts, busy={**facts.busy, name: why_busy(colima, plan.current)})
    return plan_profile(plan.current, plan.spec, request.policy, request.host, known)
