# SPDX-License-Identifier: GPL-3.0-or-later
"""The move of a profile to another runtime as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ...colima.client import retained_vms
from ...colima.client.programs import Colima
from ...colima.client.retained_vms import mark, vm_id
from ...colima.client.run_lock import RunLock
from ...colima.model.config import canonical_mounts
from ...colima.model.options import check_days
from ...colima.model.spec import TimeLimits
from ...colima.model.state import RUNNING, ProfileState
from ...colima.observe.read import known_profiles, read
from ...colima_paths import Name, parse_name, resolve
from ...core.errors import NotVerified, refused
from ...core.plan import Plan, Step
from ...core.progress import emit
from ...core.subject import Result, Subject
from ...core.system.files import room_at
from ...core.system.home import home
from ...docker.stream import EngineApi
from ...manifest.file import ManifestFile
from ...manifest.model import Kind, Resource, Status
from .. import inventory
from ..engines import patience_from, silence_from
from ..model import Inventory, Note
from ..transfer.sides import Meter, Side
from . import archive
from .arriving import is_verified, plan_arriving, plan_ready, plan_retire, plan_return
from .cluster import cluster_of
from .evidence import arrived, boot_of, claim_key, manifest_of, own_file, own_files, place_of, rows_of
from .guest import Inside
from .leaving import SOURCE, images_to_save, plan_leaving, room_for, runtime_of
from .model import (
    PLAYBOOK,
    Arrived,
    Claim,
    Create,
    Fill,
    Load,
    Objects,
    Remove,
    Return,
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
from .objects import called, key_of, objects_of

_WAIT_SECONDS = 600.0
_PLANS: Mapping[str, Callable[[RuntimeMoveState, RuntimeMoveSpec], Plan]] = {
    "leave": plan_leaving,
    "arrive": plan_arriving,
    "ready": plan_ready,
    "return": plan_return,
    "retire": plan_retire,
}


class RuntimeMove(Subject[RuntimeMoveSpec, RuntimeMoveState]):
    """One profile that gets another runtime."""

    argument_spec = {
        "profile": {"type": "str", "required": True},
        "runtime": {"type": "str", "choices": ["containerd", "docker"], "default": "containerd"},
        "phase": {"type": "str", "choices": list(_PLANS), "default": "leave"},
        "directory": {"type": "path", "default": "~/.local/share/laptop.containers/moves"},
        "images": {"type": "list", "elements": "str", "default": ["*"]},
        "namespaces": {"type": "list", "elements": "str", "default": ["*"]},
        "secrets": {"type": "bool", "default": False},
        "stop": {"type": "str", "choices": ["if_idle", "always"], "default": "if_idle"},
        "confirm": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 120.0},
        "ready_timeout": {"type": "float", "default": 300.0},
        "unattended": {"type": "bool", "default": False},
        "leave": {"type": "list", "elements": "str", "default": []},
        "keep_deleted": {"type": "float", "default": 7},
    }
    work = "move a profile to another runtime"
    look = "Another program may have started the profile meanwhile; run again."

    found: RuntimeMoveState
    manifest: ManifestFile
    # The name of the VM that this run has given up.
    given_up: str = ""

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> RuntimeMoveSpec:
        """Return what is asked for. Raises InputError."""
        name = parse_name(params["profile"])
        self.colima = Colima(resolve(os.environ, os.uname().sysname))
        self.api = EngineApi(self.colima.paths.socket(name, SOURCE).removeprefix("unix://"), silence_from(params))
        self.inside = Inside(self.colima, name)
        seconds = patience_from(params)
        self.asked = RuntimeMoveSpec(
            params["phase"],
            name,
            params["runtime"],
            Path(params["directory"]) / name.name,
            tuple(params["images"]),
            tuple(params["namespaces"]),
            params["secrets"],
            params["stop"] == "always",
            params["confirm"],
            0.0 if check_mode else seconds,
            params["unattended"],
            tuple(params["leave"]),
            check_days(params["keep_deleted"]),
        )
        return self.asked

    def programs(self, spec: RuntimeMoveSpec) -> tuple[str, ...]:
        """Return the programs that each phase needs."""
        del spec
        return "colima", "limactl"

    def lock(self) -> RunLock:
        """Keep runs out that would start the VM."""
        return RunLock(self.colima.paths.own, _WAIT_SECONDS)

    def read(self, spec: RuntimeMoveSpec) -> RuntimeMoveState:
        """Return the profile, what is in the archive, and what the phase is about."""
        paths, name = self.colima.paths, spec.profile
        # What a killed run began to stop or start is neither one nor the other until then.
        self.lock().wait_for_orphans()
        current = self._current(name)
        there = retained_vms.read(paths, name)
        vm, old = vm_id(paths.instance(name)), next((one.id for one in there if one.runtime == SOURCE), "")
        # While it leaves, the profile's VM is the old one.
        self.manifest = manifest_of(name, old or vm)
        rows = self.manifest.rows() if old or vm else {}
        place = spec.place if spec.phase == "leave" and not old else place_of(rows) or spec.place
        found = RuntimeMoveState(
            current,
            boot_of(paths, name),
            archive.read(place, own_files(rows)),
            there,
            vm=vm,
            rows=rows,
            place=place,
            free=room_at(spec.place),
            one_disk=retained_vms.on_one_disk(paths, name),
            left=bool(retained_vms.leftovers(paths)),
            parts=any(path.exists() for path in retained_vms.homes(paths, name).values()),
            others=tuple(str(one) for one in known_profiles(paths, with_disks=False) if one != name),
        )
        return self._with_content(found, spec) if current.health == RUNNING else found

    def _with_content(self, found: RuntimeMoveState, spec: RuntimeMoveSpec) -> RuntimeMoveState:
        """Return the same with what is in the VM that runs, where that is the one that the phase is about."""
        if spec.phase == "leave" and runtime_of(found) == SOURCE != spec.runtime:
            return self._with_source(found)
        if spec.phase in ("arrive", "ready") and runtime_of(found) == spec.runtime:
            return self._with_target(found)
        return found

    def _current(self, name: Name) -> ProfileState:
        return read(self.colima, [name]).profiles[name.name]

    def _inventory(self) -> Inventory:
        with self._engine().trouble(self.work):
            return replace(inventory.read(self.api, sizes=False), layers_size=inventory.layers_size(self.api))

    def _with_source(self, found: RuntimeMoveState) -> RuntimeMoveState:
        engine = self._inventory()
        if found.current.live.get("kubernetes"):
            return replace(found, engine=engine, objects=self._objects(found))
        enabled = (found.current.known or {}).get("kubernetes.enabled")
        return replace(found, engine=engine, objects=None if enabled else Objects(boot=found.boot))

    def _engine(self) -> Side:
        return Side(self.api, f"docker in profile '{self.asked.profile}'")

    def _objects(self, found: RuntimeMoveState) -> Objects:
        with cluster_of(self.colima, self.asked.profile) as cluster:
            items = cluster.items()
        mounts = canonical_mounts((found.current.known or {}).get("mounts"), home()) or ()
        shared = [point for _location, point, _writable in mounts]
        objects = objects_of(items, self.asked.namespaces, shared, secrets=self.asked.secrets)
        paths = self.inside.existing([one.path for one in objects.claims])
        there = [one for one in objects.claims if one.path in paths]
        paths = [one.path for one in there]
        told = zip(there, self.inside.sizes(paths), self.inside.left_out(paths), strict=True)
        claims = tuple(replace(one, size=size, left=left) for one, size, left in told)
        lost = tuple(f"The data of volume '{one.claim}' is not in the VM." for one in objects.claims if one not in there)
        return replace(objects, claims=claims, boot=found.boot, left_out=(*objects.left_out, *lost))

    def _with_target(self, found: RuntimeMoveState) -> RuntimeMoveState:
        saved, phase = found.archive, self.asked.phase
        if saved.sealed is None or is_verified(found):
            return found
        files = self.inside.complete(saved.images)
        places = {one.claim.claim: one.claim.path for one in saved.claims}
        volumes = self.inside.readings(places, partial(self._say, "comparing what is in the new VM"))
        objects, keys, waiting = saved.objects or Objects(), frozenset[str](), tuple[str, ...]()
        staying = {row.resource.name for row in objects.stays}
        secrets = [{"apiVersion": "v1", "kind": "Secret"}] if any(" Secret " in name for name in staying) else []
        mine = frozenset(map(key_of, objects.items)) | staying
        if mine and found.current.live.get("kubernetes"):
            with cluster_of(self.colima, self.asked.profile) as cluster:
                keys = cluster.keys([*objects.items, *secrets]) - cluster.incomplete(objects.items)
                if phase == "ready":
                    waiting = cluster.waiting(objects.ready, self.asked.seconds, self._say)
        return replace(found, arrived=Arrived(files, volumes, keys & mine, waiting))

    def plan(self, spec: RuntimeMoveSpec, current: RuntimeMoveState) -> Plan:
        """Return the steps of the phase."""
        self.found = current
        if self.given_up and all(one.name != self.given_up for one in current.kept):
            return Plan()
        return _PLANS[spec.phase](current, spec)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> object:
        """Carry out a plan; one that starts the VM continues with what is in it then."""
        super().carry_out(plan, report)
        if any(isinstance(step, StartProfile) for step in plan.steps):
            more = self.plan(self.asked, self.read(self.asked))
            if more.refusals:
                raise refused(more.refusals)
            emit(plan=more.actions)
            super().carry_out(more, report)
        return None

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, Load | Fill | Create | Note):
            self._arrive(step)
        elif isinstance(step, SetAside | Return | Remove):
            self._rename(step)
        else:
            self._leave(step)

    def _leave(self, step: Step) -> None:
        name, place = self.asked.profile, self.asked.place
        self._begin(step)
        if isinstance(step, SaveImages):
            archive.save_images(self._engine(), step, place)
        elif isinstance(step, SaveObjects):
            archive.note_objects(place, step.objects)
        elif isinstance(step, StopCluster):
            self.colima.cli.run("kubernetes", "stop", "--profile", name.name, timeout=TimeLimits().stop)
        elif isinstance(step, SaveClaim):
            self.inside.save(step.claim, place, partial(self._growing, step.claim))
        elif isinstance(step, Seal):
            self._seal(step)
        elif isinstance(step, StartProfile):
            self.colima.start(name, TimeLimits().timeout, TimeLimits().stall)
        elif isinstance(step, StopProfile):
            self.colima.stop(name, TimeLimits().stop)
            archive.seal(place, step.boot, stopped=True)

    def _begin(self, step: Step) -> None:
        """Note the files that a step makes as the move's own, before they are there."""
        place, names = self.asked.place, list[str]()
        if isinstance(step, SaveImages):
            names = [step.file]
        elif isinstance(step, SaveObjects):
            names = [archive.OBJECTS]
        elif isinstance(step, SaveClaim):
            names = [archive.volume_file(step.claim)]
        elif isinstance(step, Seal):
            names = [archive.SEAL]
        self.manifest = manifest_of(self.asked.profile, mark(self.colima.paths.instance(self.asked.profile)))
        self.manifest.append(*(own_file(place / name) for name in names))

    def _seal(self, step: Seal) -> None:
        """Verify the archive, note what becomes of each resource that docker has at this moment, and remove what is of no use."""
        place, found = self.asked.place, self.found
        engine = self._inventory()
        saved = archive.read(place, own_files(self.manifest.rows()))
        wanted = images_to_save(replace(found, engine=engine), self.asked, saved.objects or Objects())
        if new := sorted({one.file for one in wanted} - step.files):
            raise NotVerified(f"seal '{place}'", "images came to docker meanwhile", "Run again to save them.", files=new)
        archive.verify(place, saved, step.files, Meter(str(self.asked.profile), 0).add)
        rows, before = list(rows_of(saved, engine, step.files, self.asked)), self.manifest.rows()
        needed = {place / name for name in (*step.files, archive.OBJECTS, archive.SEAL)}
        useless = [path for path in own_files(before) if path not in needed]
        archive.remove(useless)
        gone = [one for one in before if one.kind is not Kind.FILE and one not in {row.resource for row in rows}]
        self.manifest.forget(*gone, *(Resource(Kind.FILE, str(path)) for path in useless))
        self.manifest.append(*rows, own_file(place / archive.SEAL, Status.FILLED))
        archive.seal(place, step.boot, stopped=False)

    def _rename(self, step: SetAside | Return | Remove) -> None:
        paths, name = self.colima.paths, self.asked.profile
        if isinstance(step, SetAside):
            retained_vms.set_aside(paths, name, step.name, step.runtime)
        elif isinstance(step, Return):
            retained_vms.bring_back(paths, name, step.kept)
        else:
            # The archive first: without it, the name alone is enough to go on.
            archive.remove(step.files)
            self.manifest.forget(*(Resource(Kind.FILE, str(path)) for path in step.files))
            self.given_up = step.name
            if there := next((one for one in retained_vms.read(paths, name) if one.name == step.name and self.asked.days), None):
                retained_vms.give_up(paths, there, self.asked.days)
            retained_vms.remove(paths, step.name)

    def _arrive(self, step: Load | Fill | Create | Note) -> None:
        place, vm = self.found.place, mark(self.colima.paths.instance(self.asked.profile))
        if isinstance(step, Load):
            saved = step.saved
            self.inside.load(saved.namespace, saved.images, place / saved.file, partial(self._say, str(step)))
            resources = [(Resource(Kind.IMAGE, tag), image.content) for image in saved.images for tag in image.tags]
            self.manifest.append(*(arrived(self.found.rows[resource], vm, digest) for resource, digest in resources))
        elif isinstance(step, Fill):
            self._fill(step, place, vm)
        elif isinstance(step, Create):
            with cluster_of(self.colima, self.asked.profile) as cluster:
                cluster.create(step.items)
        else:
            self.manifest.append(
                *(arrived(one, vm, one.target.digest, one.target.identity) if one.target else one for one in step.rows)
            )

    def _fill(self, step: Fill, place: Path, vm: str) -> None:
        """Give a volume its data, unless it came with the volume that it is in; and note what was read there."""
        claim, expected, say = step.saved.claim, step.saved.contents, partial(self._say, str(step))
        there = self.inside.readings({claim.claim: claim.path}, say).get(claim.claim)
        if there and not there.empty and there.reading.digest != expected:
            reason = f"'{claim.path}' in the new VM has other content"
            raise NotVerified(str(step), reason, "Look at what is in there, and run again.")
        identity = there.reading.identity if there else ""
        if not there or there.reading.digest != expected:
            identity = self.inside.fill(claim.claim, claim.path, place / step.saved.file, lambda: expected, say)
        self.manifest.append(arrived(self.found.rows[claim_key(step.saved)], vm, expected, identity))

    def _growing(self, claim: Claim, file: Path) -> Callable[[], None]:
        meter, seen = Meter(claim.claim, claim.size), [0]

        def watch() -> None:
            size = file.stat().st_size if file.exists() else 0
            meter.add(size - seen[0])
            seen[0] = size

        return watch

    def _say(self, phase: str) -> None:
        emit(profile=str(self.asked.profile), phase=phase, done=False)

    def public(self, outcome: Result[RuntimeMoveSpec, RuntimeMoveState]) -> dict[str, Any]:
        """Return where everything is."""
        found, spec = outcome.after, outcome.spec
        old = next((one.name for one in found.kept if one.runtime != spec.runtime), "")
        remove = f"Remove it with {PLAYBOOK}, --tags retire and E(confirm={old})."
        return {
            "warnings": [f"The old VM is kept as '{old}'. {remove}"] if old and spec.phase == "ready" else [],
            "archive": {
                "directory": str(found.place),
                "complete": found.archive.sealed is not None,
                "images": sorted(name for one in found.archive.images for image in one.images for name in image.tags),
                "volumes": [one.claim.claim for one in found.archive.claims],
                "objects": [called(one) for one in (found.archive.objects or Objects()).items],
            },
            "kept": [{"name": one.name, "runtime": one.runtime} for one in found.kept],
            "verified": is_verified(found),
            **room_for(outcome.plan.steps, outcome.before, spec).public("of the laptop's disk", check_mode=outcome.check_mode),
        }


SUBJECT = RuntimeMove
