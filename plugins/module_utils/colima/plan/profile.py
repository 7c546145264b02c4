# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for one profile: from state and spec to actions, refusals and held-back changes. Pure.

In this order, because each part rests on those before it: the target settings and the gap to them; what to do about settings
that are fixed for the VM's life (which may keep old values, and so change target and gap); the repairs. Then all refusals and
warnings are collected, and one of three ways is taken: hold back, recreate, or converge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ...core.plan import Pending
from ..model.cluster_builds import build_refusals
from ..model.config import Config, Host, has_kubernetes
from ..model.ecr_credentials import ARGUMENTS, SCRIPTS, ecr_settings, sees_aws
from ..model.settings import SETTINGS
from ..model.spec import ChangePolicy, ProfileSpec, Refusal, kubernetes_problems, too_old, version_problems
from ..model.state import BROKEN, ProfileState
from .absent import plan_absent
from .builds import BuildConfigPlan, plan_builds, restored, saved
from .clients import client_repairs, context_after_start
from .company_network import company_settings
from .heal import Repair, enlarge, goes_on, leaves_disk_out, repairs, runs_unseen, unlock_early, unreadable
from .idle_stop import idle_notes, why_idle_stop, why_not_idle_enough
from .model import Action, ActionKind, ProfileFacts, ProfilePlan, act, act_on, delete_with_data, forget_note
from .recreate import RecreateDecision, how_to_recreate
from .target import VERSION, SettingsGap, changes, gap_of, k3s_in_doubt, settings_known, summary, target_of, why_k3s_downgrade

_NOTHING_ASKED = ProfileFacts()


@dataclass(frozen=True)
class _ProfileCase:
    """Everything that the plan of one profile rests on."""

    current: ProfileState
    spec: ProfileSpec
    policy: ChangePolicy
    host: Host
    facts: ProfileFacts
    target: Config
    gap: SettingsGap
    recreation: RecreateDecision
    repair: Repair
    builds: BuildConfigPlan = field(default_factory=BuildConfigPlan)

    @property
    def want_up(self) -> bool:
        """Whether the VM is to run afterwards."""
        return self.spec.state == "started" or (self.spec.state == "present" and self.current.up)

    @property
    def known_idle(self) -> bool:
        """Whether the VM was asked, and nothing of the user's runs in it."""
        return self.facts.busy.get(str(self.current.name)) == ""

    @property
    def stops(self) -> bool:
        """Whether a running VM must be stopped for what is wanted."""
        why = (self.gap.restart, self.builds.change, self.recreation.recreate, self.repair.restart)
        return self.current.up and any(why)

    @property
    def only_if_idle(self) -> bool:
        """Whether the VM is only stopped while nothing of the user's runs in it."""
        if self.spec.state == "stopped":
            return self.current.up and self.policy.stop == "if_idle"
        return self.stops and self.policy.restart == "if_idle"

    @property
    def asks_idle(self) -> bool:
        """Whether that was not asked yet."""
        return self.only_if_idle and str(self.current.name) not in self.facts.busy


def plan_profile(
    current: ProfileState, spec: ProfileSpec, policy: ChangePolicy, host: Host, facts: ProfileFacts = _NOTHING_ASKED
) -> ProfilePlan:
    """Return the plan for one profile. Refusals come back in it: with one of them nothing at all may be done."""
    blind = unreadable(current) or (runs_unseen(current) if spec.state != "present" else ())
    if blind:
        return ProfilePlan(spec, current, refusals=blind)
    if spec.state == "absent":
        return plan_absent(current, spec, policy, host, facts)
    if current.still is not None:
        goes, waits = goes_on(current, host)
        # What else there is to do shows when it answers.
        return ProfilePlan(spec, current, actions=goes, pending=waits, will_be_up=True)
    asked = str(current.name) in facts.k3s
    case = _case(replace(current, k3s=facts.k3s[str(current.name)]) if asked else current, spec, policy, host, facts)
    plan = ProfilePlan(
        spec,
        case.current,
        case.target,
        refusals=tuple(refusal for check in _CHECKS for refusal in check(case)),
        warnings=(*case.recreation.warnings, *case.repair.warnings),
        asks_k3s=not asked and k3s_in_doubt(case.current, case.spec, case.target),
    )
    if case.recreation.moves:
        return _wait_for_move(plan, case)
    reason = _why_not_now(case)
    if reason is not None:
        return _hold(plan, case, reason)
    plan = replace(plan, will_be_up=case.want_up, only_if_idle=case.only_if_idle, asks_idle=case.asks_idle)
    return (_recreate if case.recreation.recreate else _converge)(plan.adding(warnings=_krunkit(case)), case)


def _case(current: ProfileState, spec: ProfileSpec, policy: ChangePolicy, host: Host, facts: ProfileFacts) -> _ProfileCase:
    stopped = spec.state == "stopped"
    if stopped:
        # It keeps its settings: the run that starts it writes them.
        spec = replace(spec, stated={}, ecr_profile=None, build=None, company=None)
    if spec.ecr_profile is not None:
        known = {**settings_known(current, host), **spec.stated}
        provider = ecr_settings(spec.ecr_profile, host, known[ARGUMENTS], known[SCRIPTS])
        spec = replace(spec, stated={**spec.stated, **provider})
    if spec.company is not None:
        laid = company_settings(spec.company, spec.stated, settings_known(current, host), current.name.id)
        spec = replace(spec, stated={**spec.stated, **laid})
    target = target_of(current, spec, host, facts.version)
    gap = gap_of(current, spec, target, host)
    recreation = RecreateDecision() if stopped else how_to_recreate(current, gap.fixed, target, policy, facts.version)
    if recreation.keep:
        target = {**target, **recreation.keep}
        gap = gap_of(current, replace(spec, stated={**spec.stated, **recreation.keep}), target, host)
    case = _ProfileCase(current, spec, policy, host, facts, target, gap, recreation, Repair())
    builds = BuildConfigPlan() if _no_builds(case) else plan_builds(current, spec)
    return replace(
        case, builds=builds, repair=repairs(current, target, facts.version, case.want_up, going_away=recreation.recreate)
    )


def _outdated(case: _ProfileCase) -> Iterable[Refusal]:
    starts = case.want_up and (case.stops or not case.current.up) and not case.recreation.with_data
    without = leaves_disk_out(case.current, case.facts.version) if starts else []
    return too_old(case.facts.version) or version_problems(case.spec, case.facts.version) or without


def _older_k3s(case: _ProfileCase) -> Iterable[Refusal]:
    there = "" if case.recreation.with_data else why_k3s_downgrade(case.current, case.target)
    if there:
        yield Refusal(
            f"set 'kubernetes.version' of profile '{case.current.name}' to '{case.target[VERSION]}'",
            f"its k3s is {there}, and an older k3s can't read the data of a newer one",
            f"Use {there} or a newer release.",
        )


def _no_ecr(case: _ProfileCase) -> Iterable[Refusal]:
    """Refuse credentials for a kubelet that is not there, or that could not read them."""
    what = f"set 'kubernetes.ecr_profile' of profile '{case.current.name}' to '{case.spec.ecr_profile}'"
    if case.spec.ecr_profile and not has_kubernetes(case.target):
        yield Refusal(what, "it has no Kubernetes", "Set kubernetes.enabled with it, or leave it out.")
    elif case.spec.ecr_profile and not sees_aws(case.target, case.host.home):
        yield Refusal(what, "its VM does not have ~/.aws", "Add '~/.aws' to its mounts, or leave it out.")


def _no_builds(case: _ProfileCase) -> list[Refusal]:
    return build_refusals(case.spec, case.target, case.current.buildkit, case.facts.version)


# In the order in which a user sees them.
_CHECKS: tuple[Callable[[_ProfileCase], Iterable[Refusal]], ...] = (
    _outdated,
    lambda case: runs_unseen(case.current) if case.recreation.recreate else (),
    lambda case: case.recreation.refusals,
    lambda case: kubernetes_problems(case.spec, case.target["runtime"]),
    _older_k3s,
    _no_ecr,
    _no_builds,
    lambda case: case.repair.refusals,
)


def _krunkit(case: _ProfileCase) -> list[str]:
    if case.stops and (case.current.applied or {}).get("vm_type") == "krunkit":
        name = case.current.name
        return [f"Profile '{name}' restarts, and colima is reported to lose data of krunkit VMs then (its issue 1583)."]
    return []


def _why_not_now(case: _ProfileCase) -> tuple[str, str] | None:
    """Return why a stop or restart may not be done now and the remedy; None when none is needed, or it may."""
    stopped = case.spec.state == "stopped"
    if case.stops and not stopped and case.policy.restart == "never":
        return "O(restart) is set to never", "Run again with E(restart=if_idle) or E(restart=always)."
    busy = case.facts.busy.get(str(case.current.name), "")
    if case.only_if_idle and busy:
        word = "E(stop=always)" if stopped else "E(restart=always)"
        return busy, f"Run again when nothing runs in it, or with {word}."
    if stopped and case.only_if_idle and case.known_idle and (soon := why_not_idle_enough(case.current, case.policy)):
        return soon, "Run again later, or with E(stop=always)."
    return None


def _wait_for_move(plan: ProfilePlan, case: _ProfileCase) -> ProfilePlan:
    """Leave the VM as it is: what is in it would be lost with it."""
    name = case.current.name
    why, how = "what is in the VM has to move first", f"playbooks/move.yml with -e move_profile={name} does that."
    pending = Pending(f"profile '{name}'", case.recreation.moves, why, how, kind="move")
    return replace(plan, pending=(pending,), will_be_up=case.current.up)


def _hold(plan: ProfilePlan, case: _ProfileCase, reason: tuple[str, str]) -> ProfilePlan:
    """Do what needs no restart, and report the rest as pending."""
    current, target, gap = case.current, case.target, case.gap
    actions: list[Action] = []
    if gap.live:
        kept = {**(current.configured or target), **{option: target[option] for option in gap.live}}
        detail = changes(current, target, gap.live)
        actions.append(act_on(ActionKind.WRITE_SETTINGS, current.name, "write", "the settings", detail, config=kept))
    wanted = tuple(s.option for s in SETTINGS if s.option in {*gap.restart, *gap.fixed})
    applied = _applied(case, wanted)
    change, kind = applied or f"a restart ({case.repair.restart})", "restart" if applied else "repair"
    if case.spec.state == "stopped":
        change = kind = "stop"
        actions += idle_notes(current, case.policy, case.facts.busy.get(str(current.name), ""))
    pending = Pending(f"profile '{current.name}'", change, *reason, kind=kind)
    return replace(plan, actions=(*actions, *client_repairs(case.current, case.target)), pending=(pending,), will_be_up=True)


def _converge(plan: ProfilePlan, case: _ProfileCase) -> ProfilePlan:
    """The usual way: stop if needed, write if needed, start if wanted."""
    current = case.current
    restart = case.stops and case.want_up
    starts = case.want_up and (restart or not current.up)
    actions = [*_stop_first(case, restart), *(case.repair.actions if starts else ()), *_files(case, starts)]
    if starts:
        new_disk = current.disk is None or (not current.disk.written and current.applied is None)
        actions += _start(case, "start" if current.exists else "create", new_disk)
    actions += _settled(current, actions)
    if case.want_up and not starts:
        actions += client_repairs(current, case.target)
    return plan.adding(actions=actions)


def _stop_first(case: _ProfileCase, restart: bool) -> list[Action]:
    if not restart and (case.want_up or not case.current.up):
        return []
    why = f"to apply {_applied(case, case.gap.restart)}" if restart else why_idle_stop(case.current, case.policy)
    return [_stop(case.current, case.repair.restart or why)]


def _files(case: _ProfileCase, starts: bool) -> list[Action]:
    """Return what writes the profile's files; nothing for one that is to be stopped."""
    if case.spec.state == "stopped":
        return []
    return [*_settings_file(case, starts), *case.builds.actions]


def _settings_file(case: _ProfileCase, starts: bool) -> list[Action]:
    current, gap = case.current, case.gap
    lost = current.configured is None
    if not (gap.file or lost or (starts and current.configured_problem)):
        return []
    detail = f"colima.yaml {current.configured_problem}" if lost and current.exists else changes(current, case.target, gap.file)
    created = not current.exists and case.want_up
    return [act_on(ActionKind.WRITE_SETTINGS, current.name, "write", "the settings", detail, config=case.target, silent=created)]


def _applied(case: _ProfileCase, options: tuple[str, ...]) -> str:
    """Return in words what a restart applies."""
    return ", ".join(filter(None, (changes(case.current, case.target, options), case.builds.change)))


def _stop(current: ProfileState, why: str) -> Action:
    """Stop gently where a guest can hear it. In early boot it ignores the power button, and Lima would wait three minutes."""
    if current.health == BROKEN:
        return act_on(ActionKind.FORCE_STOP, current.name, "end", "the remains", why)
    if current.never_up:
        return act(ActionKind.FORCE_STOP, current.name, "stop by force", f"its VM never came up{why and '; '}{why}")
    return act(ActionKind.STOP, current.name, "stop", why)


def _start(case: _ProfileCase, verb: str, new_disk: bool) -> list[Action]:
    """Start, and note before it if there can be nothing on the data disk yet: a crash must not make a riddle of it."""
    current, target = case.current, case.target
    actions = [act(ActionKind.START, current.name, verb, summary(target, case.host, current.name.id), config=target)]
    if new_disk and target["runtime"] != "none":
        actions.insert(0, act_on(ActionKind.NOTE_NEW_DISK, current.name, "note", "the new data disk", silent=True))
    return [*actions, *context_after_start(current, target)]


def _recreate(plan: ProfilePlan, case: _ProfileCase) -> ProfilePlan:
    """Delete the VM and make a new one. The journal keeps the settings while colima has none."""
    current, target, gap, name = case.current, case.target, case.gap, case.current.name
    with_data = case.recreation.with_data
    why = f"to apply {changes(current, target, gap.fixed)}" if gap.fixed else "it belongs to another runtime"
    actions = [_stop(current, why)] if current.up else []
    actions.append(act_on(ActionKind.SAVE_SETTINGS, name, "note", "the settings", config=target, silent=True))
    actions.extend(saved(current))
    actions.extend(unlock_early(current))
    # colima can't delete what was never finished.
    actions.extend(case.repair.actions)
    if with_data:
        actions.extend(delete_with_data(current, why, case.policy, case.host))
    elif current.exists:
        actions.append(act_on(ActionKind.DELETE, name, "delete", "the VM", f"{why}; images and volumes stay on the data disk"))
    if not with_data and current.disk_gib is not None and target["disk"] > current.disk_gib:
        # colima does not look at the size of a data disk that it finds.
        actions.append(enlarge(current, target))
    actions.append(
        act_on(ActionKind.WRITE_SETTINGS, name, "write", "the settings", changes(current, target, gap.file), config=target)
    )
    actions.extend(
        (*restored(current), *(action for action in case.builds.actions if action.kind is not ActionKind.RESTORE_BUILDKIT))
    )
    if case.want_up:
        actions.extend(_start(case, "create", new_disk=with_data or current.disk is None))
    return plan.adding(actions=(*actions, *_settled(current, actions)))


def _settled(current: ProfileState, actions: list[Action]) -> list[Action]:
    """Forget a stale note of a new data disk, unless a start is about to make it true again."""
    stale = current.note_is_stale and not any(action.kind is ActionKind.NOTE_NEW_DISK for action in actions)
    return [forget_note(current)] if stale else []
