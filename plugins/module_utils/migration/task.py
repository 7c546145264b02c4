# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving from one docker engine to another as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

from ..core.durations import duration_from
from ..core.errors import InputError, NotVerified, WorkstationError, failed
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.home import lock_directory
from ..core.system.lock import Lock
from ..manifest.file import ManifestFile
from ..manifest.model import Fingerprint, Kind, Resource, Row, Status
from . import inventory
from .engines import OPTIONS, Ends, ends_from, free_bytes
from .model import (
    ARRIVAL,
    CopyImages,
    CopyVolume,
    GiveBack,
    Image,
    MoveSpec,
    MoveState,
    Note,
    Sweep,
    Unpause,
    VolumePair,
    same,
    shown,
)
from .plan import plan_move, room_for
from .transfer import images, pausing, volumes
from .transfer.sides import is_silence
from .transfer.volumes import InUse
from .wording import listed

_WAIT_SECONDS = 5.0
_GIB = 1 << 30


class Mover(Subject[MoveSpec, MoveState]):
    """What one engine has and another one lacks."""

    argument_spec = {
        **OPTIONS,
        "images": {"type": "list", "elements": "str", "default": ["*"]},
        "volumes": {"type": "list", "elements": "str", "default": ["*"]},
        "labels": {"type": "list", "elements": "str", "default": []},
        "newer_than": {"type": "str", "default": ""},
        "largest_gib": {"type": "float", "default": 0.0},
        "dangling": {"type": "bool", "default": False},
        "anonymous": {"type": "bool", "default": False},
        "pause": {"type": "bool", "default": False},
        "replace": {"type": "list", "elements": "str", "default": []},
        "leave": {"type": "list", "elements": "str", "default": []},
        "parallel": {"type": "int", "default": 2},
    }
    work = "move images and volumes"
    look = "Something at the source or the target was changed meanwhile; run again."

    ends: Ends
    asked: MoveSpec
    record: pausing.Record
    manifest: ManifestFile
    found: MoveState
    # The first reading of a run counts sizes and free space; what came to the source meanwhile is left to the next run.
    first: MoveState | None = None

    def __init__(self) -> None:
        # What this run has copied: volumes as they were read, and blobs of images by their ids at the target.
        self.copied: dict[str, VolumePair] = {}
        self.sent: dict[str, tuple[str, ...]] = {}
        # What no archive carries of a volume that was copied, in words, by its name.
        self.left: dict[str, tuple[str, ...]] = {}
        # What was written to while it was copied, by what people call it.
        self.in_use: dict[str, InUse] = {}

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> MoveSpec:
        """Return what to move. Raises InputError."""
        del check_mode
        if params["parallel"] < 1:
            raise InputError(f"use {params['parallel']} as O(parallel)", "it is less than 1", "Set it to 1 or more.")
        if params["largest_gib"] < 0:
            remedy = "Set it to GiB, or to 0 for any size."
            raise InputError(f"use {params['largest_gib']:g} as O(largest_gib)", "it is less than 0", remedy)
        self.ends = ends_from(params)
        newer = params["newer_than"]
        self.asked = MoveSpec(
            tuple(params["images"]),
            tuple(params["volumes"]),
            tuple(params["labels"]),
            duration_from(newer, "newer_than").total_seconds() if newer else None,
            int(params["largest_gib"] * _GIB) or None,
            params["dangling"],
            params["anonymous"],
            params["pause"],
            frozenset(params["replace"]),
            tuple(params["leave"]),
            params["parallel"],
        )
        return self.asked

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other moves out."""
        return Lock(lock_directory(), self.work, _WAIT_SECONDS, name="migration.lock")

    def read(self, spec: MoveSpec) -> MoveState:
        """Return what both engines keep."""
        found = self.ends.read(self.work, source_sizes=self.first is None)
        source, target = found.source, found.target
        self.record = pausing.Record((source.engine, self.ends.source.socket), (target.engine, self.ends.target.side.api.path))
        self.manifest = self.ends.manifest(source, target)
        free = free_bytes(self.ends.profile, target.root) if self.first is None else None
        if self.first:
            known = {one.id for one in self.first.source.images}, {one.name for one in self.first.source.volumes}
            source = replace(
                source,
                images=tuple(one for one in source.images if one.id in known[0]),
                volumes=tuple(one for one in source.volumes if one.name in known[1]),
            )
        found = replace(found, source=source, free=free, paused=self.record.paused())
        found = self.ends.read_volumes(found, spec.at_once, self.copied)
        self.found = replace(found, volumes={**self.copied, **found.volumes})
        self.first = self.first or self.found
        return self.found

    def plan(self, spec: MoveSpec, current: MoveState) -> Plan:
        """Return what goes where. What was written to while this run copied it waits for another one."""
        plan = plan_move(current, spec)
        return replace(plan, steps=tuple(step for step in plan.steps if step.target not in self.in_use))

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan, some steps side by side. One that fails stops no other, unless an engine is silent."""
        # What no step changes needs no second look.
        self.copied |= self.found.volumes
        for one in self.ends.both:
            one.clean(self.work)
        if any(isinstance(step, CopyVolume) for step in plan.steps):
            self.ends.prepare()
        # One that is to be paused for its volume must not be paused already; what was begun goes before it is begun again.
        first = tuple(one for one in plan.steps if isinstance(one, (Unpause, Sweep, GiveBack, Note)))
        super().carry_out(replace(plan, steps=first), report)
        if failures := self._side_by_side([one for one in plan.steps if one not in first], report):
            raise failed(failures)

    def _side_by_side(self, waiting: list[Step], report: Callable[[str], None]) -> list[WorkstationError]:
        """Carry out steps, so many at once. Returns what has failed; an interruption ends every exchange with the engines."""
        running, failures = dict[Future[None], Step](), list[WorkstationError]()
        with ThreadPoolExecutor(self.asked.at_once) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < self.asked.at_once:
                        step = waiting.pop(0)
                        running[pool.submit(self.apply, step)] = step
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        if failure := self._ended(running.pop(future), future, report):
                            failures.append(failure)
                            waiting = [] if is_silence(failure) else waiting
            except BaseException:
                for one in self.ends.both:
                    one.abort()
                raise
        return failures

    def _ended(self, step: Step, future: Future[None], tell: Callable[[str], None]) -> WorkstationError | None:
        """Return the failure of a step, if it has failed. A volume that was in use only waits."""
        failure = future.exception()
        if isinstance(failure, InUse):
            self.in_use[step.target] = failure
        elif isinstance(failure, WorkstationError):
            return failure
        else:
            future.result()
            tell(str(step))
        return None

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, CopyImages):
            self._copy_images(step)
        elif isinstance(step, CopyVolume):
            self._copy_volume(step)
        elif isinstance(step, Note):
            self.manifest.append(*step.rows)
        elif isinstance(step, Sweep):
            with self.ends.target.side.trouble(str(step)):
                for name in step.volumes:
                    volumes.remove(self.ends.target, name)
        elif isinstance(step, GiveBack):
            volumes.give_back(self.ends.target, step.volume, str(step))
        elif isinstance(step, Unpause):
            self.ends.source.unpause(step.container, str(step))
            self.record.note_paused(step.container, False)

    def _copy_images(self, step: CopyImages) -> None:
        target = self.ends.target.side
        with target.trouble(str(step)):
            # An earlier step may have brought what this one shares with it.
            there = replace(self.found.target, images=tuple(inventory.images(target.api)))
        self._refuse_new_tags(step, there.images)
        arrived = self.ends.source.send_images(target, step.images, images.known_blobs(there, step.images, self.sent))
        self.sent |= {one.image.id: one.blobs for one in arrived.values() if one.blobs}
        moved = [
            Row(Resource(Kind.IMAGE, called), Status.MOVED, Fingerprint(image.content), Fingerprint(arrived[name].image.content))
            for image in step.images
            for called, name in zip(image.called, image.names, strict=True)
        ]
        self.manifest.append(*moved)

    def _refuse_new_tags(self, step: CopyImages, there: Iterable[Image]) -> None:
        """Raise NotVerified for a tag that another image has got at the target since the plan: it would lose it."""
        planned, now = ({tag: one for one in some for tag in one.tags} for some in (self.found.target.images, there))
        taken = [
            f"'{tag}'"
            for image in step.images
            for tag in image.tags
            if tag in now and not same(now[tag], image) and not (tag in planned and same(now[tag], planned[tag]))
        ]
        if taken:
            reason = f"another image has got the tag {listed(taken)} at the target meanwhile"
            raise NotVerified(str(step), reason, "Run again: both are compared once more.")

    def _copy_volume(self, step: CopyVolume) -> None:
        volume, target = step.volume, self.ends.target
        row = step.filled or self._fill(step)
        filled = row.target or Fingerprint("")
        if step.replaces:
            volumes.remove_known(target, volume.name, step.replaces.digest, str(step))
        kept = {key: value for key, value in volume.labels.items() if key != ARRIVAL}
        named = replace(volume, labels={**kept, ARRIVAL: filled.identity})
        there = Fingerprint(filled.digest, volumes.put_in_place(target, named, row.work))
        self.manifest.append(replace(row, status=Status.MOVED, target=there, work="", replaces=None))
        with target.side.trouble(str(step)):
            volumes.remove(target, row.work)
        self.copied[volume.name] = VolumePair(row.source or Fingerprint(""), there, same=True)

    def _fill(self, step: CopyVolume) -> Row:
        """Copy a volume under its temporary name. Returns its row, which says what it is going to be."""
        name = step.volume.name
        work = volumes.temporary(name, self.found.work)
        with self.ends.source.paused(step.pause, str(step), self.record.note_paused):
            copied = self.ends.source.send_volume(self.ends.target, step.volume, work)
        if copied.left:
            self.left[name] = copied.left
        target = Fingerprint(copied.arrived, secrets.token_hex(8))
        row = Row(Resource(Kind.VOLUME, name), Status.FILLED, Fingerprint(copied.sent), target, replaces=step.replaces, work=work)
        self.manifest.append(row)
        return row

    def close(self) -> None:
        """Take the helpers away from both engines."""
        if hasattr(self, "ends"):
            self.ends.close()

    def public(self, outcome: Result[MoveSpec, MoveState]) -> dict[str, Any]:
        """Return what the target has, and how much room it needs."""
        room = room_for(outcome.plan.steps, self.first or outcome.before, outcome.spec.at_once)
        return {
            "source": shown(outcome.before.source),
            "target": shown(outcome.after.target),
            **room.public("at the target", check_mode=outcome.check_mode),
            "pending": [
                *(one.public() for one in outcome.plan.pending),
                *(one.pending(target).public() for target, one in sorted(self.in_use.items())),
            ],
            "warnings": [
                f"Not everything of volume '{name}' can be moved: {listed(left)}." for name, left in sorted(self.left.items())
            ],
        }


SUBJECT = Mover
