# SPDX-License-Identifier: GPL-3.0-or-later
"""read -> plan -> apply -> verify for several profiles as one plan. The module and its tests enter here; Ansible does not."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..core.errors import NotVerified, RefusedStep, naming_files
from ..core.plan import Plan, merge
from .carry_out.ready import booting, refuse_blind_plans, require_tools, require_writable, told_missing, wait_for_others
from .client.programs import Colima
from .model.config import Host
from .model.desired import Desired, Policy
from .observe.read import Snapshot, read, together
from .plan.action import SSH_INCLUDE, WRAPPER, Action, Facts, ProfilePlan
from .plan.pipeline import plan_profile
from .plan.rules import check
from .report import public_profile

_NO_ADDRESS = (
    "Profile '{name}' has no address that the laptop can reach, although network.address is on: colima could not set up its "
    "network daemon. Allow it with sudo (see 'colima start -p {name}' on a terminal), then restart the profile."
)


@dataclass(frozen=True)
class Request:
    """What one run is asked for."""

    desired: tuple[Desired, ...]
    policy: Policy
    host: Host
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Survey:
    """The plans for all profiles, with what forbids them and what the user should know."""

    snapshot: Snapshot
    plans: tuple[ProfilePlan, ...]
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)

    @property
    def has_work(self) -> bool:
        """Whether there is any action, shown or not."""
        return any(plan.actions for plan in self.plans)

    def public(self) -> Plan:
        """Return the plan as shown."""
        merged = merge(plan.public() for plan in self.plans)
        return Plan(merged.steps, merged.before, merged.after, merged.pending, (*merged.warnings, *self.warnings))


@dataclass(frozen=True)
class Outcome:
    """What the module returns."""

    plan: Plan
    actions: tuple[str, ...]
    profiles: tuple[dict[str, Any], ...]
    # Whether nothing is left but our own notes, which a plan without a run does not bring in order.
    bookkeeping: bool = False


def plan_all(snapshot: Snapshot, request: Request, facts: Facts) -> Survey:
    """Return all plans and what they mean together. Pure."""
    plans = tuple(
        plan_profile(snapshot.profiles[desired.name.name], desired, request.policy, request.host, facts)
        for desired in request.desired
    )
    refusals = [refusal for plan in plans for refusal in plan.refusals]
    together_refusals, warnings = check(plans, snapshot.others, request.host)
    warned = (*snapshot.problems, *warnings)
    return Survey(snapshot, _with_last_traces(snapshot, plans), (*refusals, *together_refusals), warned, facts)


def _with_last_traces(snapshot: Snapshot, plans: tuple[ProfilePlan, ...]) -> tuple[ProfilePlan, ...]:
    """When the last profile goes, so does what all of them shared on the host."""
    going = all(plan.desired.state == "absent" for plan in plans)
    if not plans or not going or snapshot.others or not snapshot.ssh_include:
        return plans
    *most, last = plans
    target = f"line 'Include {snapshot.ssh_include}' from ~/.ssh/config"
    action = Action("clean", last.current.name, "remove", "no profile is left", target, number=SSH_INCLUDE)
    wrappers = tuple(one for one in last.actions if one.kind == "clean" and one.number == WRAPPER)
    rest = tuple(one for one in last.actions if one not in wrappers)
    return (*most, replace(last, actions=(*rest, action, *wrappers)))


def survey(colima: Colima, request: Request, facts: Facts | None = None) -> Survey:
    """Read and plan; ask VMs for more, and for colima's version, only if the plan hangs on it.

    facts: what is known already; then nothing of that kind is asked.
    """
    with_wrappers = any(desired.state == "absent" for desired in request.desired)
    snapshot = read(colima, [desired.name for desired in request.desired], with_wrappers)
    known = facts or Facts()
    result = plan_all(snapshot, request, known)
    if not colima.installed:
        return result
    doubtful = {str(plan.desired.name): partial(colima.k3s_port, plan.current.name) for plan in result.plans if plan.asks_port}
    if doubtful:
        known = replace(known, k3s_ports=together(doubtful))
        result = plan_all(snapshot, request, known)
    if facts is not None or result.refusals:
        return result
    questions: dict[str, Any] = {}
    if result.has_work:
        questions["version"] = colima.version
    asked = [plan for plan in result.plans if plan.asks_idle]
    if asked:
        from .observe.idle import busy

        for plan in asked:
            questions[f"busy {plan.desired.name}"] = partial(busy, colima, plan.current)
    if not questions:
        return result
    answers = together(questions)
    held = {str(plan.desired.name): answers[f"busy {plan.desired.name}"] for plan in asked}
    return plan_all(snapshot, request, replace(known, version=answers.get("version"), busy=held))


@naming_files("converge the colima profiles")
def converge(colima: Colima, request: Request, check_mode: bool) -> Outcome:
    """Make it so. Raises a WorkstationError before the first step when anything is refused."""
    from .client.lock import exclusive, stamp

    for desired in request.desired:
        colima.paths.check_socket_length(desired.name, request.host.system)
    seen = stamp(colima.paths.own)
    result = survey(colima, request)
    refuse_blind_plans(colima, result.plans)
    if check_mode or not (result.refusals and booting(colima, result.plans)):
        # What somebody is just making may look like a loss; that is waited for below.
        _refuse(result)
    only_notes = result.has_work and not result.public().changed
    work = result.has_work and (colima.installed or not only_notes)
    if check_mode or not (work or booting(colima, result.plans)):
        notes = told_missing(colima, result.plans) if work else ()
        return replace(_outcome(colima, result, result, request, notes=notes), bookkeeping=only_notes)
    require_tools(colima, result.plans)
    from .carry_out.apply import Applier, Limits
    from .carry_out.progress import Progress

    limits, progress = Limits(**request.limits), Progress()
    colima.make_base()

    def say(phase: str) -> None:
        for desired in request.desired:
            progress.say(str(desired.name), phase)

    with _interruptible(), exclusive(colima.paths.own, limits.timeout, seen, say) as quiet:
        if not quiet:
            # Another run has changed things while this one waited for the lock.
            result = survey(colima, request)
        if wait_for_others(colima, result.plans, limits.timeout, progress.say):
            result = survey(colima, request)
        _refuse(result)
        require_writable(colima, result.plans)
        applier = Applier(colima, request.host, limits, progress)
        with applier.account.told(), naming_files("converge the colima profiles"):
            done = applier.run(result.plans, partial(_asked_again, colima, request, result.facts))
            result = replace(result, plans=tuple(done))
            after = _verified(colima, request, result)
    return _outcome(colima, result, after, request, extra=tuple(applier.account.further))


def _asked_again(colima: Colima, request: Request, facts: Facts, plan: ProfilePlan) -> ProfilePlan:
    """Return the plan for a profile that must be idle, as it is now."""
    from .observe.idle import busy

    name = str(plan.current.name)
    known = replace(facts, busy={**facts.busy, name: busy(colima, plan.current)})
    return plan_profile(plan.current, plan.desired, request.policy, request.host, known)


def _refuse(result: Survey) -> None:
    if result.refusals:
        raise RefusedStep(" ".join(dict.fromkeys(result.refusals)), refusals=list(result.refusals))


def _verified(colima: Colima, request: Request, done: Survey) -> Survey:
    """Read again and plan again: what is left to do was not done, whatever colima's exit code said."""
    after = survey(colima, request, Facts(busy={str(desired.name): "" for desired in request.desired}))
    held = {str(plan.desired.name) for plan in done.plans if plan.pending}
    for plan in after.plans:
        # A change that was held back is no failure; it stays to be done.
        if plan.actions and str(plan.desired.name) not in held:
            left = "; ".join(str(step) for step in plan.steps) or "its settings are not complete"
            raise NotVerified(
                f"Could not converge profile '{plan.desired.name}': colima reported success, and a second look still finds this "
                f"to do: {left}. Check whether this colima and this system can do it.",
                left=[str(step) for step in plan.steps],
                ha_log=colima.host_agent_tail(plan.current.name),
            )
        if plan.refusals:
            raise NotVerified(" ".join(plan.refusals))
    return after


def _outcome(
    colima: Colima, done: Survey, after: Survey, request: Request, *, extra: Sequence[str] = (), notes: Sequence[str] = ()
) -> Outcome:
    plan = done.public()
    plan = Plan(plan.steps, plan.before, plan.after, plan.pending, tuple(dict.fromkeys((*plan.warnings, *notes))))
    pending = {str(item.desired.name): item.pending for item in done.plans}
    missing = [str(item.desired.name) for item in after.plans if item.current.lacks_address]
    notes = (*notes, *(f"{_NO_ADDRESS.format(name=name)}" for name in missing))
    profiles = tuple(
        public_profile(
            colima.paths,
            item.current,
            request.host,
            pending=pending[str(item.desired.name)],
            target=item.target,
            state=item.desired.state,
        )
        for item in after.plans
    )
    return Outcome(plan, (*plan.actions, *extra), profiles)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: children first, so that nothing works on unseen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
