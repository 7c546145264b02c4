# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder of repairs: what is wrong with a profile and the gentlest thing that puts it right. Pure; nothing here deletes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..model.config import Config, has_kubernetes
from ..model.settings import INCUS_KEEPS_DATA_SINCE, Version, text_of
from ..model.state import BROKEN, DAMAGED, HALF, LEFTOVER, RUNNING, SILENT, Current

_Action: TypeAlias = "tuple[str, str, str, int, Config | None]"


@dataclass(frozen=True)
class Repair:
    """restart: why the running VM must be stopped and started; actions: (kind, verb, detail, number, config) before a start."""

    restart: str = ""
    actions: tuple[_Action, ...] = ()
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def runs_unseen(current: Current) -> str:
    """Return why nothing can be done to a VM that runs where Lima does not see it; empty when it does not."""
    if not current.unseen_agent:
        return ""
    return (
        f"Could not repair profile '{current.name}': Lima can't read its definition, and its host agent still runs. "
        f"Shut it down with 'kill {current.unseen_agent}', and run again."
    )


def repairs(current: Current, target: Config, version: Version | None, want_up: bool, going_away: bool) -> Repair:
    """Return the repairs that a profile needs to run with these settings.

    going_away: its VM is about to be deleted, so that only what outlives it matters.
    """
    if going_away:
        return Repair(_why_restart(current, target), _of_unfinished(current, "_first").actions)
    if not want_up:
        return Repair()
    rungs = [_of_unfinished(current), _of_definition(current), _of_lock(current), _of_note(current)]
    rungs += [_of_storage_pool(current, target, version), _of_size(current, target)]
    return Repair(
        _why_restart(current, target),
        tuple(action for rung in rungs for action in rung.actions),
        tuple(refusal for rung in rungs for refusal in rung.refusals),
        tuple(warning for rung in rungs for warning in rung.warnings),
    )


def _of_unfinished(current: Current, when: str = "") -> Repair:
    detail, actions = "its creation was interrupted", []
    if current.health == LEFTOVER:
        actions.append((f"aside{when}", "set aside the unfinished VM of", detail, 0, None))
    if current.disk_unfinished:
        actions.append((f"aside_disk{when}", "set aside the unfinished data disk of", detail, 0, None))
    return Repair(actions=tuple(actions))


def _of_definition(current: Current) -> Repair:
    if current.health != DAMAGED:
        return Repair()
    name = current.name
    if not current.noted_as_formatted or current.disk is None:
        return Repair(
            refusals=(
                f"Could not repair profile '{name}': Lima can't read the definition of its VM (lima.yaml), and colima has "
                "no note of a separate data disk, so a new VM could lose data. "
                "Restore lima.yaml from a backup, or delete the profile.",
            )
        )
    detail = "Lima can't read its definition; images and volumes are elsewhere"
    warning = (
        f"The VM of profile '{name}' is made anew, because Lima can't read its definition. What was installed in the "
        "VM itself is in the directory that the VM was moved to; images and volumes stay."
    )
    return Repair(actions=(("aside", "set aside the VM of", detail, 0, None),), warnings=(warning,))


def _of_lock(current: Current) -> Repair:
    if not current.lock_is_stale:
        return Repair()
    detail = f"still marked as used by {current.disk.used_by if current.disk else ''}"
    return Repair(actions=(("unlock", "unlock the data disk of", detail, 0, None),))


def _of_note(current: Current) -> Repair:
    if not current.store_is_lost:
        return Repair()
    if (current.applied or {}).get("runtime"):
        verb = "restore colima's note of the data disk of"
        return Repair(actions=(("store", verb, "else it would be formatted", 0, current.applied),))
    name = current.name
    return Repair(
        refusals=(
            f"Could not start profile '{name}': its data disk holds data, but colima's note of it is lost, so colima would "
            f"format the disk. Restore _store/{name.id}.json; or, if nothing on it is needed, set delete_data with state "
            f"absent and '{name}' in confirm_data_loss first.",
        )
    )


def _of_storage_pool(current: Current, target: Config, version: Version | None) -> Repair:
    old = version is not None and version < INCUS_KEEPS_DATA_SINCE
    if not (old and _made_anew(current) and target["runtime"] == current.disk_runtime == "incus"):
        return Repair()
    name = current.name
    return Repair(
        refusals=(
            f"Could not start profile '{name}': its data disk holds the storage pool of incus, and colima before "
            f"{text_of(INCUS_KEEPS_DATA_SINCE)} wipes that when it makes a new VM. Run 'brew upgrade colima'; or, if nothing on "
            f"the disk is needed, set delete_data with state absent and '{name}' in confirm_data_loss first.",
        )
    )


def _of_size(current: Current, target: Config) -> Repair:
    if not _needs_own_resize(current, target):
        return Repair()
    detail = f"{current.disk_gib} GiB -> {target['disk']} GiB"
    return Repair(actions=(("resize", "enlarge the data disk of", detail, target["disk"], None),))


def _why_restart(current: Current, target: Config) -> str:
    if current.dead_engine:
        return current.dead_engine
    if current.health == SILENT:
        return "it gives no answer"
    if current.health == HALF:
        return "its last start did not finish"
    if current.health == BROKEN:
        return "parts of it have died"
    wants_kubernetes = has_kubernetes(target) and (current.applied or {}).get("kubernetes.enabled")
    if current.health == RUNNING and wants_kubernetes and current.live and current.live.get("kubernetes") is False:
        return "Kubernetes is not running in it"
    return ""


def _made_anew(current: Current) -> bool:
    """Whether a start makes a new VM. One that Lima can't read is set aside before."""
    return not current.exists or current.health == DAMAGED


def _needs_own_resize(current: Current, target: Config) -> bool:
    """Whether the disk is too small and colima would not notice: it compares its own notes, not the disk."""
    if current.disk_gib is None or current.disk_gib >= target["disk"]:
        return False
    # A new VM takes a kept disk as it is.
    return _made_anew(current) or current.applied is None or current.applied["disk"] >= target["disk"]
