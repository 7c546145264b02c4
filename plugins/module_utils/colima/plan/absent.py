# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for state absent: the VM and its traces go, the data disk only if its name was repeated. Pure."""

from __future__ import annotations

from dataclasses import replace

from ...nerdctl.wrapper import removal
from ..model.config import Host
from ..model.spec import ChangePolicy, ProfileSpec, Refusal
from ..model.state import ABSENT, DEFINED, LEFTOVER, ProfileState, SharedTraces
from .heal import aside_early, restore_note, unlock_early
from .model import Action, ActionKind, ProfileFacts, ProfilePlan, act, act_on, delete_with_data, forget_note

_COPIES = (
    "colima's copies of your kubeconfig from before profile '{name}' hold something that your kubeconfig no longer has, so they "
    "stay: {files}. Remove them when you need nothing of it."
)
_ENDS = "The VM of profile '{name}' is removed although {what}."


def plan_absent(current: ProfileState, spec: ProfileSpec, policy: ChangePolicy, host: Host, facts: ProfileFacts) -> ProfilePlan:
    """Return the plan for state absent. What runs in the VM does not hold it back, and is said."""
    busy = facts.busy.get(str(current.name))
    plan = ProfilePlan(spec, current, asks_idle=current.up and busy is None)
    refusals = _refusals(current, policy)
    if refusals:
        return plan.adding(refusals=refusals)
    name = current.name
    actions = [*aside_early(current), *_deletion(current, policy, host), *_host_traces(current)]
    if current.note_is_stale:
        actions.append(forget_note(current))
    if current.interrupted is not None:
        # A killed run may have come as far as the deletion itself. Nothing may bring these settings back.
        actions.append(act_on(ActionKind.FORGET_SAVED_SETTINGS, name, "forget", "the settings", silent=True))
    if current.health == ABSENT and current.buildkit.is_ours:
        # All else of the profile was removed by hand; colima's own deletion takes the file along.
        file = current.buildkit.path
        actions.append(act(ActionKind.REMOVE_BUILDKIT, name, "remove", "", f"'{file}'", files=(file,)))
    copies = ", ".join(current.clients.kube_backups_kept)
    warnings = [_ENDS.format(name=name, what=busy)] if busy else []
    warnings += [_COPIES.format(name=name, files=copies)] if copies and actions else []
    return plan.adding(actions=actions, warnings=warnings)


def _deletion(current: ProfileState, policy: ChangePolicy, host: Host) -> list[Action]:
    name, actions = current.name, list[Action]()
    if policy.delete_data and (current.disk is not None or current.exists):
        return [*unlock_early(current), *delete_with_data(current, "", policy, host)]
    if current.exists and current.store_is_restorable:
        # What the VM ran with is the last sign of what the disk was made for, and goes with it.
        actions.append(restore_note(current, "else the disk would be of no use", early=True))
    if current.exists:
        kept = not current.why_data_is_inside
        detail = f"the data disk stays: {current.disk_gib} GiB" if kept else ""
        actions.append(act_on(ActionKind.DELETE, name, "delete", "the VM" if kept else "", detail))
    elif current.health in (DEFINED, LEFTOVER):
        actions.append(act_on(ActionKind.DELETE, name, "delete", "the settings"))
    return actions


def _refusals(current: ProfileState, policy: ChangePolicy) -> list[Refusal]:
    name, confirmed = current.name, f"E(confirm_data_loss={current.name})"
    if policy.delete_data:
        if policy.may_destroy(name) or (current.disk is None and not current.exists):
            return []
        return [
            Refusal(
                f"delete the data of profile '{name}'",
                "its name is not in O(confirm_data_loss)",
                f"Run with {confirmed} if all its images and volumes may be destroyed, or leave out O(delete_data).",
            )
        ]
    why = current.why_data_is_inside
    if current.exists and why and not current.never_came_up:
        return [
            Refusal(
                f"delete profile '{name}'",
                f"{why}, so all its images and volumes would be lost",
                f"Save what you need, then run with E(delete_data=true) and {confirmed}.",
            )
        ]
    return []


def _host_traces(current: ProfileState) -> list[Action]:
    """Return what colima leaves on the host when it deletes a profile, or left when it did."""
    name, clients, actions = current.name, current.clients, list[Action]()
    if clients.docker_context and clients.docker_context == current.docker_socket:
        actions.append(act(ActionKind.REMOVE_DOCKER_CONTEXT, name, "remove", "", f"docker context '{name.id}'"))
    if clients.buildx_records:
        target = f"buildx's notes of docker context '{name.id}'"
        actions.append(act(ActionKind.REMOVE_BUILDX_NOTES, name, "remove", "", target, files=clients.buildx_records))
    actions.extend(_kubeconfig(current))
    for wrapper in clients.wrappers:
        verb, target, detail = removal(wrapper, name)
        actions.append(act(ActionKind.REMOVE_WRAPPER, name, verb, detail, target, files=(wrapper,)))
    return actions


def _kubeconfig(current: ProfileState) -> list[Action]:
    """Return what removes the profile from the kubeconfig, and makes the context current that was so before it."""
    name, clients, actions = current.name, current.clients, list[Action]()
    former = clients.kube_former
    if clients.kube_entry:
        detail = f"context '{former}' becomes current again" if former else ""
        target = f"kubeconfig entry '{name.id}'"
        actions.append(act(ActionKind.REMOVE_KUBE_ENTRY, name, "remove", detail, target, context=former))
    elif former:
        # A killed run got as far as colima's own part.
        target = f"kubeconfig context '{former}'"
        actions.append(act(ActionKind.REMOVE_KUBE_ENTRY, name, "make current again", "", target, context=former))
    if clients.kube_backups:
        target = f"colima's copies of the kubeconfig from before profile '{name}'"
        detail = "the kubeconfig still has everything in them"
        actions.append(act(ActionKind.REMOVE_KUBE_COPIES, name, "remove", detail, target, files=clients.kube_backups))
    return actions


def with_last_traces(plans: tuple[ProfilePlan, ...], shared: SharedTraces) -> tuple[ProfilePlan, ...]:
    """Return the plans with the removal of what all profiles share, for when the last profile goes."""
    *most, last = plans
    name, why = last.current.name, "no profile is left"
    actions = [
        act(ActionKind.REMOVE_DEFAULT_FILE, name, "remove", f"as colima wrote it; {why}", f"'{file}'", files=(file,))
        for file in shared.files
    ]
    if shared.ssh_include:
        target = f"line 'Include {shared.ssh_include}' from ~/.ssh/config"
        actions.append(act(ActionKind.REMOVE_SSH_INCLUDE, name, "remove", why, target))
    # Wrappers last: a killed run may still need them.
    wrappers = [action for action in last.actions if action.kind is ActionKind.REMOVE_WRAPPER]
    rest = [action for action in last.actions if action.kind is not ActionKind.REMOVE_WRAPPER]
    return (*most, replace(last, actions=(*rest, *actions, *wrappers)))
