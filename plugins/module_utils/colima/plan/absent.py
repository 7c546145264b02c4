# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a profile that shall not be there: the VM and its traces go, the data disk only if its name was repeated. Pure."""

from __future__ import annotations

from ..model.desired import Desired, Policy
from ..model.state import DAMAGED, DEFINED, LEFTOVER, Current
from .action import (
    DOCKER_CONTEXT,
    KUBECONFIG_BACKUPS,
    KUBECONFIG_ENTRY,
    WRAPPER,
    Action,
    ProfilePlan,
    delete_with_data,
    forget_note,
)

_BACKUPS = (
    "colima's copies of your kubeconfig from before profile '{name}' hold something that your kubeconfig no longer has, and were "
    "left alone: {files}. Remove them when you need nothing of it."
)


def plan_absent(current: Current, desired: Desired, policy: Policy) -> ProfilePlan:
    """Return the plan for state absent."""
    refusal = _refusal(current, policy)
    if refusal:
        return ProfilePlan(desired, current, refusals=(refusal,))
    name = current.name
    actions: list[Action] = []
    destroy = policy.delete_data and (current.disk is not None or current.exists)
    if current.health in (DAMAGED, LEFTOVER):
        actions.append(Action("aside_first", name, "set aside the VM of", "Lima can't delete what it can't read"))
    if current.disk_unfinished:
        actions.append(Action("aside_disk_first", name, "set aside the unfinished data disk of", "its creation was interrupted"))
    if destroy and current.lock_is_stale:
        actions.append(Action("unlock_first", name, "unlock the data disk of"))
    lost_note = (current.applied or {}).get("runtime") and current.store_is_lost
    if not destroy and current.exists and lost_note:
        # What the VM ran with is the last sign of what the disk was made for, and goes with it.
        verb = "restore colima's note of the data disk of"
        actions.append(Action("store_first", name, verb, "else nobody could use the disk again", config=current.applied))
    if destroy:
        actions.extend(delete_with_data(current, ""))
    elif current.exists:
        kept = not current.why_data_is_inside
        detail = f"the data disk stays: {current.disk_gib} GiB" if kept else ""
        actions.append(Action("delete", name, "delete the VM of" if kept else "delete", detail))
    elif current.health in (DEFINED, LEFTOVER):
        actions.append(Action("delete", name, "delete the settings of"))
    actions.extend(_leftovers(current))
    if current.note_is_stale:
        actions.append(forget_note(name))
    if current.interrupted is not None:
        # A killed run may have come as far as the deletion itself. Nothing may bring these settings back.
        actions.append(Action("forget", name, "forget the settings of", hidden=True))
    copies = ", ".join(current.clients.kube_backups_kept)
    warnings = (_BACKUPS.format(name=name, files=copies),) if copies and actions else ()
    return ProfilePlan(desired, current, actions=tuple(actions), warnings=warnings)


def _refusal(current: Current, policy: Policy) -> str:
    name = current.name
    if policy.delete_data:
        if policy.may_destroy(name) or (current.disk is None and not current.exists):
            return ""
        return (
            f"Could not delete the data of profile '{name}': its name is not in confirm_data_loss. Add it there if all its "
            "images and volumes may be destroyed, or leave delete_data out."
        )
    why = current.why_data_is_inside
    if current.exists and why and not current.never_came_up:
        return (
            f"Could not delete profile '{name}': {why}, so all its images and volumes would be lost. "
            f"Save what you need, then set delete_data with '{name}' in confirm_data_loss."
        )
    return ""


def _leftovers(current: Current) -> list[Action]:
    """Return what colima leaves on the host when it deletes a profile, or left when it did."""
    name, clients = current.name, current.clients
    actions = []
    if clients.docker_context and clients.docker_context == current.docker_socket:
        actions.append(Action("clean", name, "remove", "", f"docker context '{name.id}'", number=DOCKER_CONTEXT))
    actions.extend(_kubeconfig(current))
    for wrapper in clients.wrappers:
        bound = f"it is bound to profile '{name}'"
        actions.append(Action("clean", name, "remove", bound, f"nerdctl wrapper '{wrapper}'", number=WRAPPER, about=wrapper))
    return actions


def _kubeconfig(current: Current) -> list[Action]:
    """Return what takes the profile out of the kubeconfig, and makes the context current that was so before it."""
    name, clients, actions = current.name, current.clients, []
    former = clients.kube_former
    if clients.kube_entry:
        detail = f"context '{former}' becomes current again" if former else ""
        target = f"kubeconfig entry '{name.id}'"
        actions.append(Action("clean", name, "remove", detail, target, number=KUBECONFIG_ENTRY, about=former))
    elif former:
        # A killed run got as far as colima's own part.
        target = f"kubeconfig context '{former}'"
        actions.append(Action("clean", name, "make current again", "", target, number=KUBECONFIG_ENTRY, about=former))
    if clients.kube_backups:
        target = f"colima's copies of the kubeconfig from before profile '{name}'"
        detail = "the kubeconfig still has all that is in them"
        actions.append(Action("clean", name, "remove", detail, target, number=KUBECONFIG_BACKUPS))
    return actions
