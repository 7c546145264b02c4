# SPDX-License-Identifier: GPL-3.0-or-later
"""The move of a profile to another runtime as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ...colima.client.at_work import Alone
from ...colima.client.programs import Colima
from ...colima.model.config import canonical_mounts
from ...colima.model.desired import Limits
from ...colima.model.state import RUNNING
from ...colima.observe.read import known_profiles, read
from ...colima_paths import parse_name, resolve
from ...core.plan import Plan, Step
from ...core.progress import tell
from ...core.subject import Outcome, Subject
from ...core.system.files import room_at
from ...core.system.home import home
from ...docker.stream import Api
from .. import inventory
from ..engines import patience_from, silence_from
from ..transfer.sides import Meter, Side
from . import archive, kept
from .arriving import plan_arriving, plan_ready, plan_retire, plan_return
from .cluster import cluster_of
from .guest import Inside
from .images import save_images
from .leaving import PLAYBOOK, SOURCE, plan_leaving, room_for, runtime_of
from .model import (
    Arrived,
    Claim,
    Confirm,
    Create,
    Fill,
    Found,
    Load,
    Objects,
    Remove,
    Return,
    SaveClaim,
    SaveImages,
    SaveObjects,
    Seal,
    SetAside,
    StopCluster,
    StopProfile,
    Wish,
)
from .objects import called, key_of, objects_of

_WAIT_SECONDS = 600.0
_PLANS: Mapping[str, Callable[[Found, Wish], Plan]] = {
    "leave": plan_leaving,
    "arrive": plan_arriving,
    "ready": plan_ready,
    "return": plan_return,
    "retire": plan_retire,
}


class RuntimeMove(Subject[Wish, Found]):
    """One profile that goes on with another runtime."""

    spec = {
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
    }
    work = "move a profile to another runtime"
    look = "Another program may have started the profile meanwhile; run again."

    found: Found

    def desired(self, params: Mapping[str, Any], *, check_mode: bool) -> Wish:
        """Return what is asked for. Raises InputError."""
        name = parse_name(params["profile"])
        self.colima = Colima(resolve(os.environ, os.uname().sysname))
        self.api = Api(self.colima.paths.socket(name, SOURCE).removeprefix("unix://"), silence_from(params))
        self.inside = Inside(self.colima, name)
        seconds = patience_from(params)
        self.wish = Wish(
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
        )
        return self.wish

    def programs(self, desired: Wish) -> tuple[str, ...]:
        """Return the programs that each phase needs."""
        del desired
        return "colima", "limactl"

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """Keep runs out that would start the VM."""
        return Alone(self.colima.paths.own, _WAIT_SECONDS)

    def read(self, desired: Wish) -> Found:
        """Return the profile, what is in the archive, and what the phase is about."""
        paths, name = self.colima.paths, desired.profile
        current = read(self.colima, [name]).profiles[name.name]
        applied = paths.applied(name)
        boot = applied.stat().st_mtime_ns if applied.exists() else 0
        found = Found(
            current,
            boot,
            archive.read(desired.place),
            kept.read(paths, name),
            verified=paths.filled(name).exists(),
            free=room_at(desired.place),
            one_disk=kept.on_one_disk(paths, name),
            left=bool(kept.left(paths)),
            parts=any(path.exists() for path in kept.homes(paths, name).values()),
            others=tuple(str(one) for one in known_profiles(paths, with_disks=False) if one != name),
        )
        if current.health == RUNNING and desired.phase == "leave" and runtime_of(found) == SOURCE != desired.runtime:
            return self._with_source(found)
        if current.health == RUNNING and desired.phase in ("arrive", "ready") and runtime_of(found) == desired.runtime:
            return self._with_target(found)
        return found

    def _with_source(self, found: Found) -> Found:
        with self._engine().trouble(self.work):
            engine = replace(inventory.read(self.api, sizes=False), layers_size=inventory.layers_size(self.api))
        if found.current.live.get("kubernetes"):
            return replace(found, engine=engine, objects=self._objects(found))
        enabled = (found.current.known or {}).get("kubernetes.enabled")
        return replace(found, engine=engine, objects=None if enabled else Objects(boot=found.boot))

    def _engine(self) -> Side:
        return Side(self.api, f"docker in profile '{self.wish.profile}'")

    def _objects(self, found: Found) -> Objects:
        with cluster_of(self.colima, self.wish.profile) as cluster:
            items = cluster.items()
        mounts = canonical_mounts((found.current.known or {}).get("mounts"), home()) or ()
        shared = [point for _location, point, _writable in mounts]
        objects = objects_of(items, self.wish.namespaces, shared, secrets=self.wish.secrets)
        paths = self.inside.existing([one.path for one in objects.claims])
        there = [one for one in objects.claims if one.path in paths]
        sizes = self.inside.sizes([one.path for one in there])
        claims = tuple(replace(one, size=size) for one, size in zip(there, sizes, strict=True))
        lost = tuple(f"The data of volume '{one.claim}' is not in the VM." for one in objects.claims if one not in there)
        return replace(objects, claims=claims, boot=found.boot, left_out=(*objects.left_out, *lost))

    def _with_target(self, found: Found) -> Found:
        saved, phase = found.archive, self.wish.phase
        if saved.sealed is None or (found.verified and phase == "arrive"):
            return found
        files = frozenset(one.file for one in saved.images if not self.inside.missing(one.namespace, one.images))
        paths = self.inside.existing([one.claim.path for one in saved.claims])
        volumes = frozenset(one.claim.volume for one in saved.claims if one.claim.path in paths)
        objects, keys, waiting = saved.objects or Objects(), frozenset[str](), tuple[str, ...]()
        if objects.items and found.current.live.get("kubernetes"):
            with cluster_of(self.colima, self.wish.profile) as cluster:
                keys = cluster.keys(objects.items) - cluster.incomplete(objects.items)
                if phase == "ready":
                    waiting = cluster.waiting(objects.ready, self.wish.seconds, self._say)
        mine = frozenset(key_of(one) for one in objects.items)
        return replace(found, arrived=Arrived(files, volumes, keys & mine, waiting))

    def plan(self, desired: Wish, current: Found) -> Plan:
        """Return the steps of the phase."""
        self.found = current
        return _PLANS[desired.phase](current, desired)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, Load | Fill | Create | Confirm):
            self._arrive(step)
        elif isinstance(step, SetAside | Return | Remove):
            self._rename(step)
        else:
            self._leave(step)

    def _leave(self, step: Step) -> None:
        name, place = self.wish.profile, self.wish.place
        if isinstance(step, SaveImages):
            save_images(self._engine(), step, place)
        elif isinstance(step, SaveObjects):
            archive.note_objects(place, step.objects)
        elif isinstance(step, StopCluster):
            self.colima.cli.run("kubernetes", "stop", "--profile", name.name, timeout=Limits().stop)
        elif isinstance(step, SaveClaim):
            self.inside.save(step.claim, place, partial(self._growing, step.claim))
        elif isinstance(step, Seal):
            archive.seal(place, step.boot, step.files, Meter(str(name), 0).add)
        elif isinstance(step, StopProfile):
            self.colima.stop(name, Limits().stop)

    def _rename(self, step: SetAside | Return | Remove) -> None:
        paths, name, place = self.colima.paths, self.wish.profile, self.wish.place
        if isinstance(step, SetAside):
            kept.set_aside(paths, name, step.name, step.runtime)
        elif isinstance(step, Return):
            kept.bring_back(paths, name, step.kept)
        else:
            # The archive first: without it, the name alone is enough to go on.
            if step.archive and place.exists():
                shutil.rmtree(place)
            kept.remove(paths, step.name)

    def _arrive(self, step: Load | Fill | Create | Confirm) -> None:
        place = self.wish.place
        if isinstance(step, Load):
            self.inside.load(step.saved.namespace, step.saved.images, place / step.saved.file, partial(self._say, str(step)))
        elif isinstance(step, Fill):
            claim, file, expected = step.saved.claim, place / step.saved.file, step.saved.contents
            self.inside.fill(claim.claim, claim.path, file, lambda: expected, partial(self._say, str(step)))
        elif isinstance(step, Create):
            with cluster_of(self.colima, self.wish.profile) as cluster:
                cluster.create(step.items)
        else:
            self.colima.paths.filled(self.wish.profile).touch(mode=0o600)

    def _growing(self, claim: Claim, file: Path) -> Callable[[], None]:
        meter, seen = Meter(claim.claim, claim.size), [0]

        def watch() -> None:
            size = file.stat().st_size if file.exists() else 0
            meter.add(size - seen[0])
            seen[0] = size

        return watch

    def _say(self, phase: str) -> None:
        tell(profile=str(self.wish.profile), phase=phase, done=False)

    def public(self, outcome: Outcome[Wish, Found]) -> dict[str, Any]:
        """Return where everything is."""
        found, wish = outcome.after, outcome.desired
        old = next((one.name for one in found.kept if one.runtime != wish.runtime), "")
        remove = f"Remove it with {PLAYBOOK}, --tags retire and E(confirm={old})."
        return {
            "warnings": [f"The old VM is kept as '{old}'. {remove}"] if old and wish.phase == "ready" else [],
            "archive": {
                "directory": str(outcome.desired.place),
                "complete": found.archive.sealed is not None,
                "images": sorted(name for one in found.archive.images for image in one.images for name in image.tags),
                "volumes": [one.claim.claim for one in found.archive.claims],
                "objects": [called(one) for one in (found.archive.objects or Objects()).items],
            },
            "kept": [{"name": one.name, "runtime": one.runtime} for one in found.kept],
            "verified": found.verified,
            **room_for(outcome.plan.steps, outcome.before, wish).public("of the laptop's disk", check_mode=outcome.check_mode),
        }


SUBJECT = RuntimeMove
