# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about settings that are fixed for a VM's life: refuse, leave them, or replace the VM. Pure.

The container-data disk is kept wherever colima can keep it; it is destroyed only for a user who repeated the profile's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...toolchain.programs import in_digits
from ..model.config import Config
from ..model.settings import DATA_DISK_SINCE, INCUS_KEEPS_DATA_SINCE, Version
from ..model.spec import ChangePolicy, Refusal
from ..model.state import DataDisk, ProfileState
from .target import PORT, changes, settings_there


@dataclass(frozen=True)
class RecreateDecision:
    """recreate: replace the VM, with_data: and its data disk; keep: leave these settings as they are.

    moves: the change, in words, that waits until what is in the VM has moved.
    """

    recreate: bool = False
    with_data: bool = False
    keep: Mapping[str, Any] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    moves: str = ""


def how_to_recreate(
    current: ProfileState, fixed: tuple[str, ...], target: Config, policy: ChangePolicy, version: Version | None
) -> RecreateDecision:
    """Return what is to be done about fixed differences, or about a kept disk that does not fit."""
    if not fixed:
        return RecreateDecision() if current.exists else _for_kept_disk(current, target, policy)
    if _holds_nothing(current, fixed, target):
        return RecreateDecision(recreate=True, with_data="disk" in fixed)
    what = changes(current, target, fixed)
    loss = data_at_stake(current, fixed, target, version)
    may_recreate = policy.on_fixed_change in ("recreate", "recreate_with_data_loss")
    if may_recreate and not loss:
        return RecreateDecision(recreate=True)
    if policy.may_recreate_with_loss(current.name):
        return RecreateDecision(recreate=True, with_data=True)
    if policy.on_fixed_change == "warn":
        return _left_alone(current, fixed, target)
    moves = "runtime" in fixed and (old_runtime(current), target["runtime"]) == ("docker", "containerd")
    waits = moves and policy.on_fixed_change == "recreate"
    return (
        RecreateDecision(moves=what)
        if waits
        else RecreateDecision(refusals=(_refusal(current, fixed, what, loss, policy, moves=moves),))
    )


def _left_alone(current: ProfileState, fixed: tuple[str, ...], target: Config) -> RecreateDecision:
    instead = changes(current, target, fixed, "instead of")
    return RecreateDecision(
        keep=_as_they_are(current, fixed),
        warnings=(f"Profile '{current.name}' keeps {instead}: it is fixed for the life of its VM.",),
    )


def _as_they_are(current: ProfileState, fixed: tuple[str, ...]) -> Mapping[str, Any]:
    there = settings_there(current)
    there.setdefault("disk", None)
    there.setdefault("runtime", current.disk_runtime)
    keep = {option: there[option] for option in fixed}
    if PORT in keep:
        # The files need not say which one it is: 0 fits any, and the VM knows.
        keep[PORT] = (current.configured or current.applied or keep)[PORT]
    return keep


def _refusal(
    current: ProfileState, fixed: tuple[str, ...], what: str, loss: str, policy: ChangePolicy, *, moves: bool
) -> Refusal:
    name = current.name
    lossy = f"E(on_fixed_change=recreate_with_data_loss) and E(confirm_data_loss={name})"
    at = f"W({name}.{fixed[0]})"
    if moves and policy.on_fixed_change != "recreate_with_data_loss":
        keep = f"Let playbooks/move.yml with -e move_profile={name} do it, which keeps everything"
        lose = f"to lose its images and volumes, run with {lossy}"
        return Refusal(f"change {what} of profile '{name}'", "fixed for the life of its VM", f"{keep}; {lose}. {at}")
    if policy.on_fixed_change == "recreate_with_data_loss":
        reason = f"{loss}, so all its images and volumes would be lost"
        accepted = f"Run with E(confirm_data_loss={name}) if you accept that. {at}"
        return Refusal(f"recreate profile '{name}' for {what}", reason, accepted)
    if policy.on_fixed_change == "recreate":
        return Refusal(
            f"recreate profile '{name}' for {what}",
            f"{loss}, so its images and volumes can't be kept",
            f"Keep the old value, or save what you need and run with {lossy}. {at}",
        )
    way = "set O(on_fixed_change=recreate) (replaces the VM; images and volumes stay)"
    if loss:
        way = f"run with {lossy} (destroys its images and volumes, because {loss})"
    return Refusal(f"change {what} of profile '{name}'", "fixed for the life of its VM", f"Keep the old value, or {way}. {at}")


def _holds_nothing(current: ProfileState, fixed: tuple[str, ...], target: Config) -> bool:
    """Whether the VM never came up: its data disk is empty, or it is noted that its first start did not finish."""
    if not current.exists or current.applied is not None or current.live or current.store_is_lost:
        return False
    if current.disk is None:
        return current.never_came_up
    fits = current.disk_runtime in ("", target["runtime"])
    return fits and _is_empty(current, current.disk, may_stay="disk" not in fixed)


def _is_empty(current: ProfileState, disk: DataDisk, *, may_stay: bool) -> bool:
    """Whether a VM, and its data disk unless that may stay, have nothing of the user's on them."""
    if current.why_data_is_inside:
        return current.never_came_up and (may_stay or not disk.written)
    return not disk.written or (current.never_came_up and may_stay)


def _for_kept_disk(current: ProfileState, target: Config, policy: ChangePolicy) -> RecreateDecision:
    """A VM is to be made, and a data disk of an earlier one is there."""
    disk, store, name = current.disk, current.store, current.name
    if disk is None or store is None or current.disk_runtime in ("", target["runtime"]):
        return RecreateDecision()
    if policy.may_recreate_with_loss(name):
        return RecreateDecision(recreate=True, with_data=True)
    return RecreateDecision(
        refusals=(
            Refusal(
                f"create profile '{name}' with runtime {target['runtime']}",
                f"its data disk holds the images and volumes of runtime {store.runtime}",
                f"Use that runtime, or run with E(on_fixed_change=recreate_with_data_loss) and E(confirm_data_loss={name}) to "
                f"destroy them. W({name}.runtime)",
            ),
        )
    )


def old_runtime(current: ProfileState) -> str:
    """Return the runtime that a profile has had so far."""
    return str(current.settings.get("runtime") or current.disk_runtime)


def data_at_stake(current: ProfileState, fixed: tuple[str, ...], target: Config, version: Version | None) -> str:
    """Return why the container data would not survive; empty when colima keeps it."""
    old = old_runtime(current)
    if not current.exists and current.disk is None:
        return ""
    reasons = (
        ("disk" in fixed, "a disk can't shrink"),
        ("runtime" in fixed, f"the data disk belongs to runtime {old}"),
        (old == "none", "a profile without runtime has no data disk"),
        (version is not None and version < DATA_DISK_SINCE, f"colima before {in_digits(DATA_DISK_SINCE)} has no data disk"),
        (current.exists and bool(current.why_data_is_inside), current.why_data_is_inside),
        (not current.noted_as_formatted, "colima's note that the data disk is formatted is lost"),
        (
            current.store is not None and current.store.runtime not in ("", target["runtime"]),
            f"the data disk belongs to runtime {current.store.runtime if current.store else ''}",
        ),
        (
            target["runtime"] == "incus" and version is not None and version < INCUS_KEEPS_DATA_SINCE,
            f"colima before {in_digits(INCUS_KEEPS_DATA_SINCE)} wipes the storage pool of incus",
        ),
    )
    return next((text for applies, text in reasons if applies), "")
