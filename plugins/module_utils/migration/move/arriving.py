# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to fill the new VM, to go back to the old one, and to give it up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from ...colima.client.retained_vms import KEPT, LEAVING, RETURNING, RetainedVm, grace
from ...colima.model.state import RUNNING, STOPPED
from ...core.errors import InputError, NotVerified, RefusedStep, WorkstationError
from ...core.plan import Plan, Step, in_number, size_in_words
from ...manifest.model import Fingerprint, Kind, Resource, Row, Status, SyncState
from ..model import Note
from ..wording import listed
from .archive import missing
from .evidence import arrived, claim_key, going, in_words, is_data, is_in, lacking, name_of, own_files, stands, staying, unnamed
from .leaving import SOURCE, kept_name, kept_to_return, runtime_of, set_aside
from .model import (
    PLAYBOOK,
    Claim,
    Create,
    Fill,
    Load,
    Objects,
    Remove,
    Return,
    RuntimeMoveSpec,
    RuntimeMoveState,
    SavedClaim,
)
from .objects import key_of

_MOST = 10


def plan_arriving(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Plan:
    """Return the steps: images, then the data of volumes, then the objects that use both."""
    archive = found.archive
    if is_verified(found) or old_vm(found) is None:
        return Plan()
    if refusals := _why_not_filled(found, spec):
        return Plan(refusals=refusals)
    steps: list[Step] = [
        Load("load", in_number(len(one.images), "image"), size_in_words(one.size), saved=one)
        for one in archive.images
        if one.file not in found.arrived.files
    ]
    steps += [
        Fill("fill", f"volume '{one.claim.claim}'", size_in_words(one.size), saved=one)
        # What is below another volume comes with that one, and is compared then.
        for one in sorted(archive.claims, key=lambda one: one.claim.path.count("/"))
        if not _given_up(one, spec) and _stands(one, found) in (SyncState.NEW, SyncState.LOST)
    ]
    # It is noted before a pod can change it.
    if rows := tuple(_there(found, spec)):
        steps.append(Note("note", "what has arrived", silent=True, rows=rows))
    items = tuple(one for one in (archive.objects or Objects()).items if key_of(one) not in found.arrived.objects)
    if items:
        steps.append(Create("create", f"{in_number(len(items), 'object')} in the cluster", items=items))
    return Plan(tuple(steps))


_DIFFERING = (SyncState.CONFLICT, SyncState.SOURCE_CHANGED)


def _why_not_filled(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> tuple[WorkstationError, ...]:
    """Return why nothing may go into the new VM."""
    archive, what = found.archive, f"fill profile '{spec.profile}'"
    if lost := missing(found):
        return (lost,)
    if found.current.health != RUNNING or runtime_of(found) != spec.runtime:
        reason = f"it does not run with {spec.runtime}"
        return (RefusedStep(what, reason, "Make it with playbooks/workstation.yml, and run again."),)
    if (archive.objects or Objects()).items and not found.current.live.get("kubernetes"):
        return (RefusedStep(what, "its Kubernetes does not run", "Set kubernetes.enabled, and run again."),)
    differing = [one for one in archive.claims if not _given_up(one, spec) and _stands(one, found) in _DIFFERING]
    return tuple(_taken(one.claim, what) for one in differing)


def old_vm(found: RuntimeMoveState) -> RetainedVm | None:
    """Return the VM that the profile had with docker, where it is kept."""
    return next((one for one in found.kept if one.runtime == SOURCE), None)


def is_verified(found: RuntimeMoveState) -> bool:
    """Whether all has arrived in the VM that the profile has now. From then on, what the user changes there is theirs."""
    return bool(found.rows) and found.current.exists and not lacking(found.rows, found.vm)


def _stands(saved: SavedClaim, found: RuntimeMoveState) -> SyncState:
    row, there = found.rows.get(claim_key(saved)), found.arrived.volumes.get(saved.claim.claim)
    return stands(row, found.vm, Fingerprint(saved.contents), there)


def _given_up(saved: SavedClaim, spec: RuntimeMoveSpec) -> bool:
    return any(fnmatchcase(saved.claim.claim, pattern) for pattern in spec.leave)


def _taken(claim: Claim, what: str) -> WorkstationError:
    reason = f"'{claim.path}' in the new VM has other content than volume '{claim.claim}' of the old one"
    remedy = f"Empty it to get the old one's, or keep the new one's with O(leave=[{claim.claim}]), and run again."
    return RefusedStep(what, reason, remedy)


def _there(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Iterator[Row]:
    """Yield new rows of what was found in the new VM, and has none there yet. The VM's id is added when they are written."""
    for batch in found.archive.images:
        if batch.file in found.arrived.files:
            yield from (
                _image_row(found, tag, image.content) for image in batch.images for tag in image.tags if _is_new(found, tag)
            )
    for saved in found.archive.claims:
        row = found.rows.get(claim_key(saved))
        held = found.arrived.volumes.get(saved.claim.claim)
        if row is None or row.status is Status.LEFT or is_in(row, found.vm):
            continue
        if held and held.reading.digest == saved.contents:
            yield arrived(row, "", held.reading.digest, held.reading.identity)
        elif _given_up(saved, spec):
            yield replace(row, status=Status.LEFT, target=None, reason="O(leave) names it")


def _is_new(found: RuntimeMoveState, tag: str) -> bool:
    row = found.rows.get(Resource(Kind.IMAGE, tag))
    return row is not None and not is_in(row, found.vm)


def _image_row(found: RuntimeMoveState, tag: str, digest: str) -> Row:
    return arrived(found.rows[Resource(Kind.IMAGE, tag)], "", digest)


def plan_ready(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Plan:
    """Return nothing to do, or what is not as it was in the old cluster."""
    left_to_do = plan_arriving(found, spec)
    if problem := _why_not_ready(found, left_to_do, f"verify profile '{spec.profile}'"):
        return Plan(refusals=(problem,))
    if old_vm(found) is None or is_verified(found):
        return Plan()
    objects = [
        row for row in found.rows.values() if row.resource.kind is Kind.OBJECT and row.resource.name in found.arrived.objects
    ]
    rows = tuple(arrived(row, "") for row in objects if not is_in(row, found.vm))
    noted = tuple(step for step in left_to_do.steps if isinstance(step, Note))
    return Plan((*noted, Note("note", "that everything has arrived", silent=True, rows=rows)) if rows else noted)


def _why_not_ready(found: RuntimeMoveState, left_to_do: Plan, what: str) -> NotVerified | None:
    if left_to_do.refusals or left_to_do.actions:
        reason = left_to_do.refusals[0].message if left_to_do.refusals else f"it is left to {left_to_do.actions[0]}"
        return NotVerified(what, reason, f"Run {PLAYBOOK} again.")
    if found.arrived.waiting:
        reason = f"{', '.join(found.arrived.waiting[:5])} {'is' if len(found.arrived.waiting) == 1 else 'are'} not ready"
        remedy = f"See 'kubectl get pods --all-namespaces', and run again; {PLAYBOOK} with --tags back brings back the old VM."
        return NotVerified(what, reason, remedy)
    return None


def plan_return(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Plan:
    """Return the steps that let the old VM be the profile again. The new one is kept in its turn."""
    what = f"bring back the old VM of profile '{spec.profile}'"
    kept, runtime = kept_to_return(found, spec), runtime_of(found)
    if kept is None:
        return _plan_without_kept(found, spec, what)
    steps: list[Step] = [Return("bring back", f"the VM of profile '{spec.profile}'", f"kept as '{kept.name}'", kept=kept)]
    if half := next((one for one in found.kept if one.state == LEAVING and one.runtime == spec.runtime), None):
        steps.insert(0, set_aside(spec, half.name, half.runtime))
    elif runtime == spec.runtime or _has_only_parts(found, kept):
        name = kept_name(spec, spec.runtime)
        if problem := _why_not_aside(found, spec, name, what):
            return Plan(refusals=(problem,))
        steps.insert(0, set_aside(spec, name, spec.runtime))
    elif runtime and kept.state == KEPT:
        remedy = f"If nothing in it is needed, delete it with 'colima delete --data {spec.profile}', and run again."
        return Plan(refusals=(RefusedStep(what, f"another VM with runtime {runtime} has its place", remedy),))
    return Plan(tuple(steps))


def _has_only_parts(found: RuntimeMoveState, kept: RetainedVm) -> bool:
    """Whether the profile has no new VM, but what is left of one in the place of the old one."""
    return not runtime_of(found) and found.parts and kept.state == KEPT


def _plan_without_kept(found: RuntimeMoveState, spec: RuntimeMoveSpec, what: str) -> Plan:
    """Return nothing to do where the old VM is back already, or why it is not known which one is meant."""
    others = [one.name for one in found.kept if one.runtime != spec.runtime]
    if not others and runtime_of(found) not in ("", spec.runtime):
        return Plan()
    reason, remedy = "none is kept", f"There is one only after {PLAYBOOK} has moved the profile."
    if others:
        reason, remedy = "it is not clear which", f"Name it as E(confirm). There are: {', '.join(others)}."
    return Plan(refusals=(InputError(what, reason, remedy),))


def _why_not_aside(found: RuntimeMoveState, spec: RuntimeMoveSpec, name: str, what: str) -> WorkstationError | None:
    """Return why the new VM can't be kept under a name."""
    if found.current.exists and found.current.health != STOPPED:
        reason = f"the new one is {found.current.health}"
        return RefusedStep(what, reason, f"Stop it with 'colima stop {spec.profile}', and run again.")
    if any(one.name == name for one in found.kept):
        remedy = f"Remove that with {PLAYBOOK}, --tags retire and E(confirm={name})."
        return RefusedStep(what, f"another one is still kept as '{name}'", remedy)
    return None


def plan_retire(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Plan:
    """Return the steps that give up a kept VM and the archive. Only for who names it, and once the new one was found good."""
    if not found.kept:
        left = Remove("remove", "what a killed run has left", silent=True, name="")
        # No refusal: an earlier run may have removed it, and what was removed is not found afterwards.
        none = f"No old VM of profile '{spec.profile}' is kept as '{spec.confirm}', so none was removed."
        return Plan((left,)) if found.left else Plan(warnings=(none,) if spec.confirm else ())
    what, names = f"remove the old VM of profile '{spec.profile}'", [one.name for one in found.kept]
    kept = next((one for one in found.kept if one.name == spec.confirm), None)
    if kept is None:
        return Plan(
            refusals=(RefusedStep(what, "everything in it would be lost", f"Name it as E(confirm): {', '.join(names)}."),)
        )
    if kept.state != KEPT:
        how = " with --tags back" if kept.state == RETURNING or kept.runtime == spec.runtime else ""
        return Plan(refusals=(RefusedStep(what, "it is half on its way", f"Run {PLAYBOOK}{how} to its end, and then this."),))
    if kept.runtime != spec.runtime and (problem := _kept_back(found, spec, what)):
        return Plan(refusals=(problem,))
    return _plan_removal(kept, found, spec)


def _plan_removal(kept: RetainedVm, found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Plan:
    target, files = f"the VM of profile '{spec.profile}' that is kept as '{kept.name}'", own_files(found.rows)
    comes_back = f"; {grace(spec.days, found.free)}" if spec.days else ""
    if kept.runtime == spec.runtime:
        return Plan((Remove("remove", target, f"with everything that was written in it{comes_back}", name=kept.name),))
    goes = f"; with it go {listed(lost, _MOST)}" if (lost := going(found.rows)) else ""
    away = "" if found.archive.there or not files else f" Its archive at '{found.place}' can't be reached, and is left there."
    warnings = (f"The VM is removed.{away}",) if away else ()
    detail = f"{'and the archive' * (not away)}{goes}{comes_back}".removeprefix("; ")
    return Plan((Remove("remove", target, detail, name=kept.name, files=files),), warnings=warnings)


def _kept_back(found: RuntimeMoveState, spec: RuntimeMoveSpec, what: str) -> WorkstationError | None:
    """Return why the old VM has to stay: only it has something that its user did not give up."""
    if not found.rows and "*" not in spec.leave:
        remedy = f"Bring it back with {PLAYBOOK}, --tags back, and move it again; or give up all of it with O(leave=['*'])."
        return RefusedStep(what, "nothing is noted of what it holds", remedy)
    if left := unnamed(lacking(found.rows, found.vm), spec.leave):
        reason = f"not in the profile's VM: {_listed(left)}"
        return RefusedStep(what, reason, f"Run {PLAYBOOK} to its end, and then this.")
    alone = [one for one in staying(found.rows) if one.status is Status.IMMOVABLE and is_data(one.resource)]
    if alone := unnamed(alone, spec.leave):
        remedy = f"Take that out with {PLAYBOOK}, --tags back, or name what you give up: O(leave=[{name_of(alone[0].resource)}])."
        return RefusedStep(what, f"only it has {_listed(alone)}", remedy)
    return None


def _listed(rows: Iterable[Row]) -> str:
    return listed([in_words(one.resource) for one in rows], _MOST)
