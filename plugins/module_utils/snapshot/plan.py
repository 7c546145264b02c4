# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot, or the way back to one, takes. Pure."""

from __future__ import annotations

from dataclasses import replace

from ..colima.client.retained_vms import DELETED, RetainedVm, grace
from ..colima.model.state import ABSENT, STOPPED
from ..core.errors import InputError, RefusedStep, WorkstationError
from ..core.options import suggestion
from ..core.plan import Plan, Step, size_in_words
from .model import BringBack, Delete, DiskSnapshotSpec, DiskSnapshotState, Make, Restore
from .store import already_there, remove_left, remove_old, surplus, unknown


def plan_snapshot(found: DiskSnapshotState, spec: DiskSnapshotSpec) -> Plan:
    """Return the steps."""
    plan = _plan_restore(found, spec) if spec.restore else _plan_make(found, spec)
    return replace(plan, steps=(remove_left(found.partial), *plan.steps)) if found.partial else plan


def _plan_make(found: DiskSnapshotState, spec: DiskSnapshotSpec) -> Plan:
    before = [one.name for one in found.snapshots]
    steps: list[Step] = []
    stays = tuple(already_there(one.name, one.made) for one in found.snapshots if one.name == spec.name)
    if not stays:
        if problem := _not_at_rest(found, spec, "take a snapshot of"):
            return Plan(refusals=(problem,))
        target = f"the data disk of profile '{spec.profile}' as '{spec.name}'"
        steps.append(Make("copy", target, size_in_words(found.disk.occupied), path=spec.place / spec.name))
    old = surplus(before, spec.name, spec.keep)
    if old:
        steps.append(remove_old(f"profile '{spec.profile}'", [spec.place / name for name in old]))
    after = sorted({*before, spec.name} - set(old))
    return Plan(tuple(steps), {"snapshots": sorted(before)}, {"snapshots": after}, warnings=stays)


def _plan_restore(found: DiskSnapshotState, spec: DiskSnapshotSpec) -> Plan:
    if gone := next((one for one in found.deleted if one.name == spec.name), None):
        return _plan_bring_back(gone, found, spec)
    snapshot = next((one for one in found.snapshots if one.name == spec.name), None)
    what = f"restore the data disk of profile '{spec.profile}'"
    if snapshot is None:
        known = [*(one.name for one in found.snapshots), *(one.name for one in found.deleted)]
        make = f"playbooks/snapshot.yml with -e snapshot_profile={spec.profile} while its VM is stopped"
        return Plan(refusals=(_no_profile(what, found, spec) or unknown(what, spec.name, known, make),))
    if found.disk.digest == snapshot.digest:
        return Plan()
    if problem := _not_at_rest(found, spec, "restore"):
        return Plan(refusals=(problem,))
    if spec.confirm != spec.profile.name:
        reason = "everything that is on it now would be lost"
        return Plan(refusals=(RefusedStep(what, reason, f"Take a snapshot of it, then run with E(confirm={spec.profile})."),))
    detail = f"as of {snapshot.made}, {size_in_words(snapshot.occupied)}; {_what_is_there(found, spec)}"
    target = f"the data disk of profile '{spec.profile}' from '{spec.name}'"
    shown = {"digest": found.disk.digest}, {"digest": snapshot.digest}
    return Plan((Restore("restore", target, detail, snapshot=snapshot, days=_days(found, spec)),), *shown)


def _days(found: DiskSnapshotState, spec: DiskSnapshotSpec) -> float:
    return spec.days if found.disk.one_disk else 0.0


def _what_is_there(found: DiskSnapshotState, spec: DiskSnapshotSpec) -> str:
    """Return what becomes of the current disk."""
    if not spec.days:
        return "the present content is deleted"
    if not found.disk.one_disk:
        return "the present content is deleted, as it is not on the disk of the VMs"
    return f"of the present content, {grace(spec.days, found.disk.free)}"


def _plan_bring_back(gone: RetainedVm, found: DiskSnapshotState, spec: DiskSnapshotSpec) -> Plan:
    """Return the steps that bring back what was deleted. What has its place now is set aside in its turn."""
    until, days = f"it was kept until {gone.lasts}", _days(found, spec)
    back = BringBack("bring back", f"'{gone.name}' of profile '{spec.profile}'", until, kept=gone, days=days)
    if problem := _no_way_back(gone, found, spec):
        return Plan(refusals=(problem,))
    if not _makes_room(gone, found):
        return Plan((back,))
    if gone.is_disk:
        return Plan((replace(back, detail=f"{until}; {_what_is_there(found, spec)}"),))
    target = f"what profile '{spec.profile}' has now"
    return Plan((Delete("delete", target, _what_is_there(found, spec), days=days), back))


def _makes_room(gone: RetainedVm, found: DiskSnapshotState) -> bool:
    """Whether something else has its place. What was half brought back is its own."""
    there = found.disk.exists if gone.is_disk else found.taken
    return there and not gone.was and gone.state == DELETED


def _no_way_back(gone: RetainedVm, found: DiskSnapshotState, spec: DiskSnapshotSpec) -> WorkstationError | None:
    what, profile = f"bring back '{gone.name}'", f"profile '{spec.profile}'"
    if gone.was in found.kept:
        return RefusedStep(what, f"another VM is kept as '{gone.was}'", "Remove that with playbooks/move.yml.")
    if not _makes_room(gone, found):
        return None
    if found.disk.health not in (STOPPED, ABSENT):
        return RefusedStep(what, f"{profile} is {found.disk.health}", "Stop it with playbooks/stop.yml, and run again.")
    if spec.confirm != spec.profile.name:
        return RefusedStep(what, f"{profile} would make room for it", f"If it may, run with E(confirm={spec.profile}).")
    return None


def _no_profile(what: str, found: DiskSnapshotState, spec: DiskSnapshotSpec) -> WorkstationError | None:
    """Return what is wrong with the name of a profile that does not exist, where others do, and that left nothing."""
    if found.taken or found.snapshots or found.deleted or not found.others:
        return None
    known = f"There are: {', '.join(found.others)}.{suggestion(str(spec.profile), found.others)}"
    return InputError(what, "there is no such profile", f"Correct its name. {known}")


def _not_at_rest(found: DiskSnapshotState, spec: DiskSnapshotSpec, verb: str) -> WorkstationError | None:
    """Return why the disk can't be touched, if it can't."""
    what = f"{verb} the data disk of profile '{spec.profile}'"
    if problem := _no_profile(what, found, spec):
        return problem
    if not found.disk.exists:
        return InputError(
            what, f"there is no '{found.disk.path}'", "Attach the disk that it is on, or correct the profile's name."
        )
    if found.disk.health != STOPPED:
        return RefusedStep(what, f"the profile is {found.disk.health}", "Stop it with playbooks/stop.yml, and run again.")
    return None
