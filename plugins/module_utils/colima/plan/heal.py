# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder of repairs: what is wrong with a profile and the gentlest thing that puts it right. Pure; nothing here deletes."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.plan import Pending
from ...toolchain.programs import in_digits
from ..model.config import Config, Host, has_kubernetes
from ..model.settings import DATA_DISK_SINCE, INCUS_KEEPS_DATA_SINCE, Version
from ..model.spec import Refusal
from ..model.state import ABSENT, BROKEN, DAMAGED, DEFINED, HALF, LEFTOVER, RUNNING, SILENT, ProfileState, Standstill
from .clients import carries_socket
from .model import Action, ActionKind, act_on

# A VM whose writes fail needs this much of the laptop's disk before it can go on.
ROOM_MIB = 512


@dataclass(frozen=True)
class Repair:
    """restart: why the running VM must be stopped and started; actions: what comes before a start."""

    restart: str = ""
    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()


def unreadable(current: ProfileState) -> tuple[Refusal, ...]:
    """Return why nothing may be done on the word of what was read."""
    if current.contradiction:
        remedy = "Run 'colima list' by hand, repair what it shows, and run again."
        return (Refusal(f"plan profile '{current.name}'", current.contradiction, remedy),)
    return ()


def leaves_disk_out(current: ProfileState, version: Version | None) -> list[Refusal]:
    """Return why this colima must not start a profile: it would do so without the data disk that a newer one made for it."""
    if version is None or version >= DATA_DISK_SINCE or current.disk is None or current.fresh:
        return []
    if current.exists and current.why_data_is_inside:
        # Its VM does not use that disk.
        return []
    reason = f"its images and volumes are on a data disk, which a colima before {in_digits(DATA_DISK_SINCE)} leaves out"
    return [Refusal(f"start profile '{current.name}' with colima {in_digits(version)}", reason, "Run 'brew upgrade colima'.")]


def runs_unseen(current: ProfileState) -> tuple[Refusal, ...]:
    """Return why nothing can be done to a VM that runs where Lima does not see it."""
    if not current.unseen_agent:
        return ()
    lost = current.health in (ABSENT, DEFINED)
    why = "its directory in Lima's home is gone, and its VM still runs" if lost else ""
    return (
        Refusal(
            f"repair profile '{current.name}'",
            why or "Lima can't read its definition, and its host agent still runs",
            f"Shut it down with 'kill {current.unseen_agent}', and run again.",
        ),
    )


def goes_on(current: ProfileState, host: Host) -> tuple[tuple[Action, ...], tuple[Pending, ...]]:
    """Return what lets a VM that stands still go on, or what that waits for. Nothing in it can be asked before."""
    still, name = current.still, current.name
    if still is None:
        return (), ()
    if still is Standstill.FAILED_WRITE and 0 < host.disk_free_mib < ROOM_MIB:
        reason = f"the laptop's disk is full ({host.disk_free_mib} MiB are free)"
        remedy = "Free some disk space, and run again: the VM then continues where it stopped."
        return (), (Pending(f"profile '{name}'", f"going on ({still})", reason, remedy, kind="room"),)
    return (act_on(ActionKind.CONTINUE, name, "continue", "the VM", still.value),), ()


def repairs(current: ProfileState, target: Config, version: Version | None, want_up: bool, going_away: bool) -> Repair:
    """Return the repairs that a profile needs to run with these settings.

    going_away: its VM is about to be deleted, so that only what outlives it matters.
    """
    if going_away:
        return Repair(_why_restart(current, target), _aside(current, early=True))
    if not want_up:
        return Repair()
    rungs = [Repair(actions=_aside(current)), _of_definition(current), _of_lock(current), _of_note(current)]
    rungs += [_of_storage_pool(current, target, version), _of_size(current, target)]
    return Repair(
        _why_restart(current, target),
        tuple(action for rung in rungs for action in rung.actions),
        tuple(refusal for rung in rungs for refusal in rung.refusals),
        tuple(warning for rung in rungs for warning in rung.warnings),
    )


def aside_early(current: ProfileState) -> tuple[Action, ...]:
    """Return what must be set aside before a deletion: what Lima can't read, and what was never finished."""
    if current.health not in (DAMAGED, LEFTOVER):
        return _aside_disk(current, early=True)
    why = "Lima can't delete what it can't read"
    return (
        act_on(ActionKind.SET_VM_ASIDE, current.name, "set aside", "the VM", why, early=True),
        *_aside_disk(current, early=True),
    )


def _aside(current: ProfileState, early: bool = False) -> tuple[Action, ...]:
    if current.health != LEFTOVER:
        return _aside_disk(current, early)
    why = "its creation was interrupted"
    return (
        act_on(ActionKind.SET_VM_ASIDE, current.name, "set aside", "the unfinished VM", why, early=early),
        *_aside_disk(current, early),
    )


def _aside_disk(current: ProfileState, early: bool) -> tuple[Action, ...]:
    if not current.disk_unfinished:
        return ()
    why = "its creation was interrupted"
    return (act_on(ActionKind.SET_DISK_ASIDE, current.name, "set aside", "the unfinished data disk", why, early=early),)


def _of_definition(current: ProfileState) -> Repair:
    if current.health != DAMAGED:
        return Repair()
    name = current.name
    if not current.noted_as_formatted or current.disk is None:
        return Repair(
            refusals=(
                Refusal(
                    f"repair profile '{name}'",
                    "Lima can't read the definition of its VM (lima.yaml), and colima has no note of a separate data disk, so a "
                    "new VM could lose data",
                    "Restore lima.yaml from a backup, or delete the profile.",
                ),
            )
        )
    detail = "Lima can't read its definition; images and volumes are elsewhere"
    warning = (
        f"The VM of profile '{name}' is replaced, because Lima can't read its definition. What was installed in the VM itself is "
        "in the directory that the VM was moved to; images and volumes stay."
    )
    return Repair(actions=(act_on(ActionKind.SET_VM_ASIDE, name, "set aside", "the VM", detail),), warnings=(warning,))


def _of_lock(current: ProfileState) -> Repair:
    if not current.lock_is_stale:
        return Repair()
    detail = f"still marked as used by {current.disk.used_by if current.disk else ''}"
    return Repair(actions=(act_on(ActionKind.UNLOCK_DISK, current.name, "unlock", "the data disk", detail),))


def unlock_early(current: ProfileState) -> tuple[Action, ...]:
    """Return what makes a data disk that is marked as in use fit for a deletion."""
    stale = current.lock_is_stale
    return (act_on(ActionKind.UNLOCK_DISK, current.name, "unlock", "the data disk", early=True),) if stale else ()


def _of_note(current: ProfileState) -> Repair:
    if not current.store_is_lost:
        return Repair()
    if current.store_is_restorable:
        return Repair(actions=(restore_note(current, "else it would be formatted"),))
    return Repair(
        refusals=(
            Refusal(
                f"start profile '{current.name}'",
                "its data disk holds data, but colima's note of it is lost, so colima would format the disk",
                f"Restore _store/{current.name.id}.json; or, if nothing on it is needed, {_destroying(current)} first.",
            ),
        )
    )


def restore_note(current: ProfileState, why: str, *, early: bool = False) -> Action:
    """Return the action that writes colima's lost note of the data disk again, from what the VM ran with."""
    part = "colima's note of the data disk"
    return act_on(ActionKind.RESTORE_DISK_NOTE, current.name, "restore", part, why, config=current.applied, early=early)


def _destroying(current: ProfileState) -> str:
    return f"delete the profile with state: absent, E(delete_data=true) and E(confirm_data_loss={current.name})"


def _of_storage_pool(current: ProfileState, target: Config, version: Version | None) -> Repair:
    old = version is not None and version < INCUS_KEEPS_DATA_SINCE
    if not (old and _makes_vm(current) and target["runtime"] == current.disk_runtime == "incus"):
        return Repair()
    return Repair(
        refusals=(
            Refusal(
                f"start profile '{current.name}'",
                f"its data disk holds the storage pool of incus, and colima before {in_digits(INCUS_KEEPS_DATA_SINCE)} wipes "
                "that when it makes a new VM",
                f"Run 'brew upgrade colima'; or, if nothing on the disk is needed, {_destroying(current)} first.",
            ),
        )
    )


def _of_size(current: ProfileState, target: Config) -> Repair:
    return Repair(actions=(enlarge(current, target),)) if _needs_own_resize(current, target) else Repair()


def enlarge(current: ProfileState, target: Config) -> Action:
    """Return the action that enlarges the data disk of a VM that does not run."""
    detail = f"{current.disk_gib} GiB -> {target['disk']} GiB"
    return act_on(ActionKind.ENLARGE_DISK, current.name, "enlarge", "the data disk", detail, gib=target["disk"])


def _why_restart(current: ProfileState, target: Config) -> str:
    if current.dead_engine:
        return current.dead_engine
    if current.lost_socket and not carries_socket(current):
        return f"its socket {current.lost_socket} is gone"
    known = {SILENT: "it gives no answer", HALF: "its last start did not finish", BROKEN: "parts of it have died"}
    if current.health in known:
        return known[current.health]
    wants_kubernetes = has_kubernetes(target) and (current.applied or {}).get("kubernetes.enabled")
    if current.health == RUNNING and wants_kubernetes and current.live and current.live.get("kubernetes") is False:
        return "Kubernetes is not running in it"
    return ""


def _makes_vm(current: ProfileState) -> bool:
    """Whether a start makes a new VM. One that Lima can't read is set aside before."""
    return not current.exists or current.health == DAMAGED


def _needs_own_resize(current: ProfileState, target: Config) -> bool:
    """Whether the disk is too small and colima would not notice: it compares its own notes, not the disk."""
    if current.disk_gib is None or current.disk_gib >= target["disk"]:
        return False
    # A new VM takes a kept disk as it is.
    return _makes_vm(current) or current.applied is None or current.applied["disk"] >= target["disk"]
