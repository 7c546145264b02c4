# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to get everything out of a profile, and its VM out of the way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from ...colima.client.retained_vms import KEPT, LEAVING, RETURNING, RetainedVm
from ...colima.model.state import RUNNING, STOPPED
from ...core.errors import CommandFailed, InputError, RefusedStep, WorkstationError
from ...core.options import suggestion
from ...core.plan import Plan, Step, in_number, size_in_words
from ..model import Image, Inventory
from ..plan import in_batches, portion
from ..room import Room, packing, size_of_images
from ..wording import listed
from . import archive
from .evidence import SYSTEM_IMAGES, is_the_users
from .model import (
    CLUSTER,
    OWN,
    PLAYBOOK,
    Claim,
    Objects,
    RuntimeMoveSpec,
    RuntimeMoveState,
    SaveClaim,
    SaveImages,
    SaveObjects,
    Seal,
    SetAside,
    StartProfile,
    StopCluster,
    StopProfile,
)
from .objects import familiar, images_of

SOURCE = "docker"
_MOST = 10


def kept_name(spec: RuntimeMoveSpec, runtime: str) -> str:
    """Return the name under which a VM is kept."""
    return f"{spec.profile}-{runtime}"


def runtime_of(found: RuntimeMoveState) -> str:
    """Return the runtime of the profile's VM; empty for a profile that has none."""
    return str((found.current.known or {}).get("runtime") or "") if found.current.exists else ""


def plan_leaving(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Plan:
    """Return the steps. Nothing is changed in the VM but that its cluster, and then itself, is stopped."""
    half = next((one for one in found.kept if one.state == LEAVING), None)
    if half:
        return Plan((set_aside(spec, half.name, half.runtime),))
    if spec.runtime != SOURCE and _is_gone(found, spec):
        # Before a new VM is made that nothing could fill.
        lost = not found.current.exists and _has_left(found) and archive.missing(found)
        return Plan(refusals=(lost,)) if lost else Plan()
    name, what = kept_name(spec, SOURCE), f"move profile '{spec.profile}' to {spec.runtime}"
    if problem := next(_problems(found, spec, what, name), None):
        return Plan(refusals=(problem,))
    if found.current.health != STOPPED:
        return _plan_saving(found, spec, what, name)
    if _is_saved(found):
        return Plan((set_aside(spec, name, SOURCE),))
    return Plan((StartProfile("start", f"profile '{spec.profile}'", "a run that was ended had not saved all of it"),))


def _is_gone(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> bool:
    """Whether no VM with the old runtime is the profile's."""
    return runtime_of(found) == spec.runtime or (not found.current.exists and (_has_left(found) or _never_was(found, spec)))


def _plan_saving(found: RuntimeMoveState, spec: RuntimeMoveSpec, what: str, name: str) -> Plan:
    objects = found.objects or found.archive.objects or Objects()
    images, claims = list(images_to_save(found, spec, objects)), list(_claims(found, objects))
    files = {one.file for one in images} | {archive.volume_file(one) for one in objects.claims}
    problem = _in_the_way(found, spec, files, what) or _no_room(_room(found, objects, images, claims), what)
    if problem:
        return Plan(refusals=(problem,))
    left = tuple(_left_behind(found, objects, name))
    if left and spec.unattended:
        remedy = f"{' '.join(left)} {PLAYBOOK} moves all else, and keeps the old VM."
        return Plan(refusals=(RefusedStep(what, "not all of it would go along", remedy),))
    # As a rule no one misses it: the plan names it, and it does not stop an unattended move.
    left += tuple(f"No copy of volume '{one.claim}' carries {listed(one.left, _MOST)}." for one in objects.claims if one.left)
    steps: list[Step] = [one for one in images if one.file not in _files(found)]
    if found.objects is not None:
        target = f"{in_number(len(objects.items), 'object')} of the cluster"
        steps.append(SaveObjects("save", target, objects=found.objects, silent=not objects.items))
    if found.current.live.get("kubernetes"):
        steps.append(StopCluster("stop", f"Kubernetes in profile '{spec.profile}'", "so that nothing writes to its volumes"))
    steps += [SaveClaim("save", f"volume '{one.claim}'", size_in_words(one.size), claim=one) for one in claims]
    steps += [
        Seal("verify", "the archive", str(spec.place), boot=found.boot, files=frozenset(files)),
        StopProfile("stop", f"profile '{spec.profile}'", boot=found.boot),
        set_aside(spec, name, SOURCE),
    ]
    shown = {"profile": str(spec.profile), "runtime": SOURCE}, {"profile": str(spec.profile), "runtime": spec.runtime}
    return Plan(tuple(steps), *shown, warnings=left)


def set_aside(spec: RuntimeMoveSpec, name: str, runtime: str) -> SetAside:
    """Return the step that renames the profile's VM away, or completes that."""
    return SetAside("keep", f"the VM of profile '{spec.profile}'", f"aside, as '{name}'", name=name, runtime=runtime)


def _is_saved(found: RuntimeMoveState) -> bool:
    """Whether the archive is complete, and the VM has not run since."""
    return found.archive.stopped and found.archive.sealed == found.boot


def _has_left(found: RuntimeMoveState) -> bool:
    return any(one.state == KEPT and one.runtime == SOURCE for one in found.kept)


def _never_was(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> bool:
    """Whether the profile has no VM, and none is on its way, so that a run which only makes sure has nothing to move."""
    return spec.unattended and not any(one.state == RETURNING for one in found.kept)


def _problems(found: RuntimeMoveState, spec: RuntimeMoveSpec, what: str, name: str) -> Iterator[WorkstationError]:
    """Yield why the move can't begin, or go on."""
    profile = spec.profile
    if not found.current.exists:
        known = f"There are: {', '.join(found.others)}." if found.others else "There are none on this laptop."
        what = f"move profile '{profile}' to another runtime"
        yield InputError(what, "there is no such profile", f"Correct its name. {known}{suggestion(str(profile), found.others)}")
        return
    if spec.runtime == SOURCE:
        what = f"move profile '{profile}' to another runtime"
        say = f"colima_profile_overrides: {{{profile}: {{runtime: containerd}}}}"
        yield InputError(what, "its settings do not say runtime: containerd", f"Set {say}, and run again.")
    if any(one.state == RETURNING for one in found.kept):
        yield RefusedStep(what, "its old VM is on the way back", f"Run {PLAYBOOK} with --tags back to its end.")
    if runtime_of(found) != SOURCE:
        reason = f"it has runtime {runtime_of(found) or 'unknown'}"
        yield InputError(what, reason, f"Only profiles with runtime {SOURCE} can be moved.")
    if any(one.name == name for one in found.kept):
        remedy = f"Remove that with {PLAYBOOK}, --tags retire and E(confirm={name})."
        yield RefusedStep(what, f"a VM of an earlier move is still kept as '{name}'", remedy)
    if not found.one_disk:
        yield RefusedStep(what, "its VM and its settings are on different disks", "Let COLIMA_HOME and LIMA_HOME be on one disk.")
    yield from _out_of_order(found, spec, what)
    yield from _busy(found, spec, what)


def _out_of_order(found: RuntimeMoveState, spec: RuntimeMoveSpec, what: str) -> Iterator[WorkstationError]:
    """Yield that the VM, or the cluster in it, is not in a state in which it can be saved."""
    current, archived, profile = found.current, found.archive, spec.profile
    if current.health == STOPPED and not _is_saved(found) and not found.rows:
        start = f"Start it with 'colima start {profile}', and run again."
        yield RefusedStep(what, "it is stopped, and not all of it is in the archive", start)
    if current.health not in (RUNNING, STOPPED):
        yield RefusedStep(what, f"it is {current.health}", f"Repair it with 'colima stop --force {profile}', and start it again.")
    saved = archived.objects is not None and archived.objects.boot == found.boot
    enabled = (current.known or {}).get("kubernetes.enabled")
    if current.health == RUNNING and enabled and found.objects is None and not saved:
        start = f"Start it with 'colima kubernetes start --profile {profile}', and run again."
        yield CommandFailed(what, "its Kubernetes does not run", start)


def _busy(found: RuntimeMoveState, spec: RuntimeMoveSpec, what: str) -> Iterator[WorkstationError]:
    """Yield that containers of the user's run, which would be interrupted."""
    containers = (found.engine or Inventory("")).containers
    busy = [one.name for one in containers if one.at_work and is_the_users(one.name)]
    if busy and not spec.stop:
        reason = f"containers run in it ({', '.join(busy[:3])}{' ...' if len(busy) > 3 else ''})"
        yield RefusedStep(what, reason, "Stop them, or set E(stop=always).")


def _files(found: RuntimeMoveState) -> frozenset[str]:
    return frozenset(one.file for one in found.archive.images)


def images_to_save(found: RuntimeMoveState, spec: RuntimeMoveSpec, objects: Objects) -> Iterator[SaveImages]:
    """Yield the files of images that the move needs, whether or not they are there."""
    used, spaces = images_of(objects.items), dict[str, list[Image]]()
    for image in (found.engine or Inventory("")).images:
        if {familiar(tag) for tag in image.tags} & used:
            spaces.setdefault(CLUSTER, []).append(image)
        elif _is_wanted(image, spec):
            spaces.setdefault(OWN, []).append(image)
    for space, images in sorted(spaces.items(), reverse=True):
        for batch in in_batches(images):
            target, detail = portion(batch)
            whose = "the cluster's" if space == CLUSTER else "for nerdctl"
            file = archive.images_file(batch, space)
            yield SaveImages("save", target, f"{whose}, {detail}", file=file, images=batch, namespace=space)


def _is_wanted(image: Image, spec: RuntimeMoveSpec) -> bool:
    names = [tag for tag in image.tags if not tag.startswith(SYSTEM_IMAGES)]
    return any(fnmatchcase(name, pattern) for name in names for pattern in spec.images)


def _claims(found: RuntimeMoveState, objects: Objects) -> Iterator[Claim]:
    """Yield the volumes to save: while the cluster has run, a file of one says nothing any more."""
    saved = {one.claim.volume for one in found.archive.claims} if found.objects is None else set()
    return (one for one in objects.claims if one.volume not in saved)


def room_for(steps: Iterable[Step], found: RuntimeMoveState, spec: RuntimeMoveSpec) -> Room:
    """Return the room that a plan needs which saves something, or nothing for another plan."""
    if not any(isinstance(one, Seal) for one in steps):
        return Room(free=found.free)
    objects = found.objects or found.archive.objects or Objects()
    return _room(found, objects, list(images_to_save(found, spec, objects)), list(_claims(found, objects)))


def _room(found: RuntimeMoveState, objects: Objects, images: list[SaveImages], claims: list[Claim]) -> Room:
    """Return the room for all of it, once in the archive, and once more on the disk of the new VM."""
    there, engine = _files(found), found.engine or Inventory("")
    missing = [one.images for one in images if one.file not in there]
    whole = size_of_images((image for one in images for image in one.images), engine.layers_size)
    left = size_of_images((image for portion in missing for image in portion), engine.layers_size)
    data = sum(one.size for one in objects.claims) + sum(one.size for one in claims)
    return Room(whole + left + data, 0 if engine.contents else packing(missing), found.free)


def _in_the_way(found: RuntimeMoveState, spec: RuntimeMoveSpec, files: Iterable[str], what: str) -> WorkstationError | None:
    if not (names := archive.in_the_way(found.archive, files)):
        return None
    reason = f"'{spec.place}' has a file '{names[0]}' that is not of this move"
    return RefusedStep(what, reason, "Move it away, or choose another O(directory), and run again.")


def _no_room(room: Room, what: str) -> WorkstationError | None:
    if not room.lacks:
        return None
    reason = f"it needs {size_in_words(room.needed)} of the laptop's disk, and {size_in_words(room.free or 0)} are free"
    return RefusedStep(what, reason, "Free some, or choose less with O(images) or another disk with O(directory).")


def _left_behind(found: RuntimeMoveState, objects: Objects, name: str) -> Iterator[str]:
    """Yield what stays in the kept VM alone."""
    yield from objects.left_out
    engine = found.engine or Inventory("")
    volumes = [one.name for one in engine.volumes if not one.anonymous]
    if volumes:
        yield f"Volumes of docker stay in '{name}': {', '.join(volumes[:5])}. playbooks/migrate.yml moves them, before this."
    unnamed = [one.digests[0] for one in engine.images if one.digests and not one.tags]
    if unnamed:
        yield f"Images without a tag stay in '{name}': {', '.join(unnamed[:5])}. Tag them, before this, to take them along."
    containers = [one.name for one in engine.containers if is_the_users(one.name)]
    if containers:
        yield f"Containers stay in '{name}': {', '.join(containers[:5])}. Run them again."


def kept_to_return(found: RuntimeMoveState, spec: RuntimeMoveSpec) -> RetainedVm | None:
    """Return the kept VM that a way back is about."""
    back = [one for one in found.kept if one.runtime != spec.runtime and spec.confirm in ("", one.name)]
    return back[0] if len(back) == 1 else None
