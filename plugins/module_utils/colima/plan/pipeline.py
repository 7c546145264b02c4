# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for one profile: from what is there and what is wanted to actions, refusals and held-back changes. Pure."""

from __future__ import annotations

from dataclasses import replace

from ...core.plan import Pending
from ..model.config import Config, Host
from ..model.desired import Desired, Policy, kubernetes_problems, version_problems
from ..model.settings import SETTINGS, too_old
from ..model.state import BROKEN, RUNNING, Current
from .action import Action, Facts, ProfilePlan, delete_with_data, forget_note
from .heal import Repair, repairs, runs_unseen
from .recreate import how_to_recreate
from .target import Gap, changes, gap_of, port_in_doubt, summary, target_of

_NOTHING_ASKED = Facts()


def plan_profile(current: Current, desired: Desired, policy: Policy, host: Host, facts: Facts = _NOTHING_ASKED) -> ProfilePlan:
    """Return the plan for one profile. Refusals come back in it: with one of them nothing at all may be done."""
    unseen = runs_unseen(current)
    if unseen and desired.state != "present":
        return ProfilePlan(desired, current, refusals=(unseen,))
    if desired.state == "absent":
        from .absent import plan_absent

        return plan_absent(current, desired, policy)
    if str(current.name) in facts.k3s_ports:
        current = replace(current, k3s_port=facts.k3s_ports[str(current.name)])
    target = target_of(current, desired, host)
    gap = gap_of(current, desired, target, host)
    doubt = str(current.name) not in facts.k3s_ports and port_in_doubt(current, desired, target)
    outdated = tuple(too_old(facts.version) or version_problems(desired, facts.version))
    plan = ProfilePlan(desired, current, target, refusals=outdated, asks_port=doubt)
    want_up = desired.state == "started" or (desired.state == "present" and current.up)
    verdict = how_to_recreate(current, gap.fixed, target, policy, facts.version)
    if unseen and verdict.recreate:
        return replace(plan, refusals=(unseen,))
    plan = replace(plan, refusals=plan.refusals + verdict.refusals, warnings=verdict.warnings)
    if verdict.keep:
        target = {**target, **verdict.keep}
        gap = gap_of(current, replace(desired, stated={**desired.stated, **verdict.keep}), target, host)
        plan = replace(plan, target=target)
    plan = replace(plan, refusals=(*plan.refusals, *kubernetes_problems(desired, target["runtime"])))
    repair = repairs(current, target, facts.version, want_up, going_away=verdict.recreate)
    plan = replace(plan, refusals=plan.refusals + repair.refusals, warnings=plan.warnings + repair.warnings)
    needed = current.up and bool(gap.restart or verdict.recreate or repair.restart)
    reason = _held_back(plan, needed, policy, facts)
    if reason is not None and desired.state != "stopped":
        return _hold(plan, gap, repair, reason)
    only_if_idle = needed and desired.state != "stopped" and policy.restart == "if_idle"
    asks = only_if_idle and str(current.name) not in facts.busy
    if needed and (current.applied or {}).get("vm_type") == "krunkit":
        warning = f"Profile '{current.name}' restarts, and colima is reported to lose data of krunkit VMs then (its issue 1583)."
        plan = replace(plan, warnings=(*plan.warnings, warning))
    plan = replace(plan, will_be_up=want_up, only_if_idle=only_if_idle, asks_idle=asks)
    if verdict.recreate:
        return _recreate(plan, gap, repair, host, with_data=verdict.with_data)
    return _converge(plan, gap, repair, host)


def _held_back(plan: ProfilePlan, needed: bool, policy: Policy, facts: Facts) -> tuple[str, str] | None:
    """Return why a needed restart may not be done now and the remedy; None when there is none, or it may."""
    if not needed:
        return None
    if policy.restart == "never":
        return "restart is set to never", "Run again with restart set to if_idle or always."
    busy = facts.busy.get(str(plan.current.name), "")
    if policy.restart == "if_idle" and busy:
        return busy, "Run again when nothing runs in it, or with restart set to always."
    return None


def _hold(plan: ProfilePlan, gap: Gap, repair: Repair, reason: tuple[str, str]) -> ProfilePlan:
    """Do what needs no restart, and report the rest as pending."""
    current, target = plan.current, plan.target or {}
    actions: tuple[Action, ...] = ()
    if gap.live:
        kept = {**(current.configured or target), **{option: target[option] for option in gap.live}}
        actions = (Action("write", current.name, "write the settings of", changes(current, target, gap.live), config=kept),)
    wanted = tuple(s.option for s in SETTINGS if s.option in {*gap.restart, *gap.fixed})
    change = changes(current, target, wanted) or f"a restart ({repair.restart})"
    pending = Pending(f"profile '{current.name}'", change, *reason)
    return replace(plan, actions=actions + _client_repairs(plan), pending=(pending,), will_be_up=True)


def _converge(plan: ProfilePlan, gap: Gap, repair: Repair, host: Host) -> ProfilePlan:
    """The usual way: stop if needed, write if needed, start if wanted."""
    want_up = plan.will_be_up
    current, target, name = plan.current, plan.target or {}, plan.current.name
    restart = current.up and want_up and bool(gap.restart or repair.restart)
    actions: list[Action] = []
    if restart or (current.up and not want_up):
        kind = "kill" if current.health == BROKEN else "stop"
        verb = "end the remains of" if kind == "kill" else "stop"
        why = repair.restart or (f"to apply {changes(current, target, gap.restart)}" if restart else "")
        actions.append(Action(kind, name, verb, why))
    start = want_up and (restart or not current.up)
    if start:
        actions.extend(_of_repair(current, repair))
    lost = current.configured is None
    if gap.file or lost or (start and current.configured_problem):
        detail = changes(current, target, gap.file)
        if lost and current.exists:
            detail = f"colima.yaml {current.configured_problem}"
        created = not current.exists and want_up
        actions.append(Action("write", name, "write the settings of", detail, config=target, hidden=created))
    if start:
        new_disk = current.disk is None or (not current.disk.written and current.applied is None)
        actions.extend(_start(current, target, host, "start" if current.exists else "create", new_disk))
    plan = replace(plan, actions=tuple(actions + _settled(current, actions)))
    return plan if start or not want_up else replace(plan, actions=plan.actions + _client_repairs(plan))


def _start(current: Current, target: Config, host: Host, verb: str, new_disk: bool) -> list[Action]:
    """Start, and note before it if there can be nothing on the data disk yet: a crash must not make a riddle of it."""
    actions = [Action("start", current.name, verb, summary(target, host, current.name.id), config=target)]
    if new_disk and target["runtime"] != "none":
        actions.insert(0, Action("fresh", current.name, "note the new data disk of", hidden=True))
    return [*actions, *_context_after_start(current, target)]


def _recreate(plan: ProfilePlan, gap: Gap, repair: Repair, host: Host, *, with_data: bool) -> ProfilePlan:
    """Delete the VM and make it anew. The journal keeps the settings while colima has none."""
    current, target, name = plan.current, plan.target or {}, plan.current.name
    why = f"to apply {changes(current, target, gap.fixed)}" if gap.fixed else "it belongs to another runtime"
    actions = []
    if current.up:
        kind = "kill" if current.health == BROKEN else "stop"
        actions.append(Action(kind, name, "stop", why))
    actions.append(Action("journal", name, "note the settings of", config=target, hidden=True))
    if current.lock_is_stale:
        actions.append(Action("unlock_first", name, "unlock the data disk of"))
    # colima can't delete what was never finished.
    actions.extend(_of_repair(current, repair))
    if with_data:
        actions.extend(delete_with_data(current, why))
    elif current.exists:
        actions.append(Action("delete", name, "delete the VM of", f"{why}; images and volumes stay on the data disk"))
    if not with_data and current.disk_gib is not None and target["disk"] > current.disk_gib:
        # colima does not look at the size of a data disk that it finds.
        actions.append(_resize(current, target))
    actions.append(Action("write", name, "write the settings of", changes(current, target, gap.file), config=target))
    if plan.will_be_up:
        actions.extend(_start(current, target, host, "create", new_disk=with_data or current.disk is None))
    return replace(plan, actions=tuple(actions + _settled(current, actions)))


def _settled(current: Current, actions: list[Action]) -> list[Action]:
    """Forget a stale note of a new data disk, unless a start is about to make it true again."""
    stale = current.note_is_stale and not any(action.kind == "fresh" for action in actions)
    return [forget_note(current.name)] if stale else []


def _resize(current: Current, target: Config) -> Action:
    detail = f"{current.disk_gib} GiB -> {target['disk']} GiB"
    return Action("resize", current.name, "enlarge the data disk of", detail, number=target["disk"])


def _of_repair(current: Current, repair: Repair) -> list[Action]:
    return [
        Action(kind, current.name, verb, detail, number=number, config=config)
        for kind, verb, detail, number, config in repair.actions
    ]


def _client_repairs(plan: ProfilePlan) -> tuple[Action, ...]:
    """Return what a running profile needs on the host and gets without a restart."""
    current, clients = plan.current, plan.current.clients
    if current.health != RUNNING:
        return ()
    actions = []
    applied = current.applied or {}
    if current.live.get("kubernetes") and applied.get("kubernetes.enabled"):
        target = f"kubeconfig entry '{current.name.id}'"
        activate = int(bool((plan.target or {}).get("auto_activate")))
        if clients.kube_entry != "present":
            actions.append(Action("kubeconfig", current.name, "repair", "from the running k3s", target, number=activate))
        elif clients.kube_current_dangling and activate:
            detail = "the current context is not there"
            actions.append(Action("kubeconfig", current.name, "make current", detail, target, number=activate))
    if applied.get("runtime") == "docker":
        actions.extend(_context(current))
    return tuple(actions)


def _context(current: Current) -> list[Action]:
    """Correct colima's docker context: colima itself leaves one alone that it finds, whatever its address."""
    there = current.clients.docker_context
    if not there or there == current.docker_socket:
        return []
    detail = f"{there} -> {current.docker_socket}"
    return [Action("context", current.name, "correct", detail, f"docker context '{current.name.id}'")]


def _context_after_start(current: Current, target: Config) -> list[Action]:
    if target["runtime"] != "docker":
        return []
    # A proper stop takes the context away, and the start makes it anew, but current only where it is told to.
    removed = current.health == RUNNING and (current.applied or {}).get("runtime") == "docker"
    if not removed:
        return _context(current)
    if target["auto_activate"] or not current.clients.docker_current:
        return []
    return [Action("use_context", current.name, "make current again", "", f"docker context '{current.name.id}'")]
