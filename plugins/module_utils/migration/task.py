# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving from one docker engine to another as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

from ..core.durations import duration_from
from ..core.errors import InputError
from ..core.plan import Plan, Step
from ..core.subject import Outcome, Subject
from ..core.system.home import state_directory
from ..core.system.lock import Lock
from . import inventory
from .engines import OPTIONS, Ends, ends_from, free_bytes
from .model import CopyImages, CopyVolume, Found, Moved, Sweep, Unpause, Wish, shown
from .plan import plan_move, room_for
from .record import Record
from .transfer import images, volumes

_WAIT_SECONDS = 5.0
_GIB = 1 << 30


class Mover(Subject[Wish, Found]):
    """What one engine has and another one lacks."""

    spec = {
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
        "parallel": {"type": "int", "default": 2},
    }
    work = "move images and volumes"
    look = "Something at the source or the target was changed meanwhile; run again."

    ends: Ends
    wish: Wish
    record: Record
    found: Found
    # The first reading of a run counts sizes and free space; what came to the source meanwhile is left to the next run.
    first: Found | None = None
    carried_out = False

    def desired(self, params: Mapping[str, Any], *, check_mode: bool) -> Wish:
        """Return what to move. Raises InputError."""
        del check_mode
        if params["parallel"] < 1:
            raise InputError(f"use {params['parallel']} as O(parallel)", "it is less than 1", "Set it to 1 or more.")
        if params["largest_gib"] < 0:
            remedy = "Set it to GiB, or to 0 for any size."
            raise InputError(f"use {params['largest_gib']:g} as O(largest_gib)", "it is less than 0", remedy)
        self.ends = ends_from(params)
        newer = params["newer_than"]
        self.wish = Wish(
            tuple(params["images"]),
            tuple(params["volumes"]),
            tuple(params["labels"]),
            duration_from(newer, "newer_than").total_seconds() if newer else None,
            int(params["largest_gib"] * _GIB) or None,
            params["dangling"],
            params["anonymous"],
            params["pause"],
            frozenset(params["replace"]),
            params["parallel"],
        )
        return self.wish

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other moves out."""
        return Lock(state_directory(), self.work, _WAIT_SECONDS, name="migration.lock")

    def read(self, desired: Wish) -> Found:
        """Return what both engines keep."""
        del desired
        again = self.first is not None
        self.ends.check_target()
        source = self.ends.source.read(self.work, sizes=not again)
        with self.ends.target.side.trouble(self.work):
            target = inventory.read(self.ends.target.side.api, sizes=False)
        self.record = Record((source.engine, self.ends.source.socket), (target.engine, self.ends.target.side.api.path))
        free = None if again else free_bytes(self.ends.profile, target.root)
        self.found = Found(source, target, time.time(), free, self.record.moved(), self.record.paused())
        if self.first is None:
            self.first = self.found
        else:
            known = {one.id for one in self.first.source.images}, {one.name for one in self.first.source.volumes}
            source = replace(
                source,
                images=tuple(one for one in source.images if one.id in known[0]),
                volumes=tuple(one for one in source.volumes if one.name in known[1]),
            )
            self.found = replace(self.found, source=source)
        return self.found

    def plan(self, desired: Wish, current: Found) -> Plan:
        """Return what goes where."""
        # What has just been replaced is not to be replaced again.
        return plan_move(current, replace(desired, replace=frozenset()) if self.carried_out else desired)

    def carry_out(self, plan: Plan, tell: Callable[[str], None]) -> None:
        """Carry out the plan, some steps side by side. The first failure keeps further steps from beginning."""
        for one in self.ends.both:
            one.clean(self.work)
        if any(isinstance(step, CopyVolume) for step in plan.steps):
            self.ends.prepare()
        # One that is to be paused for its volume must not be paused already; what was begun goes before it is begun again.
        first = tuple(one for one in plan.steps if isinstance(one, (Unpause, Sweep)))
        super().carry_out(replace(plan, steps=first), tell)
        waiting, running, failures = (
            [one for one in plan.steps if one not in first],
            dict[Future[None], Step](),
            list[Exception](),
        )
        at_once = self.wish.at_once
        with ThreadPoolExecutor(at_once) as pool:
            try:
                while running or (waiting and not failures):
                    while waiting and len(running) < at_once and not failures:
                        step = waiting.pop(0)
                        running[pool.submit(self.apply, step)] = step
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        step = running.pop(future)
                        if isinstance(failure := future.exception(), Exception):
                            failures.append(failure)
                        else:
                            future.result()
                            tell(str(step))
            except BaseException:
                self._abort()
                raise
        if failures:
            raise failures[0]
        self.carried_out = True

    def _abort(self) -> None:
        for one in self.ends.both:
            one.abort()

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, CopyImages):
            self._copy_images(step)
        elif isinstance(step, CopyVolume):
            self._copy_volume(step)
        elif isinstance(step, Sweep):
            for engine in self.ends.both:
                engine.sweep(str(step), {one.temporary for one in self.found.moved.values()})
        elif isinstance(step, Unpause):
            self.ends.source.unpause(step.container, str(step))
            self.record.note_paused(step.container, False)

    def _copy_images(self, step: CopyImages) -> None:
        target = self.ends.target.side
        with target.trouble(str(step)):
            # An earlier step may have brought what this one shares with it.
            there = replace(self.found.target, images=tuple(inventory.images(target.api)))
        known = images.known_blobs(there, step.images, self.record.blobs())
        blobs = self.ends.source.send_images(target, step.images, known)
        if there.contents:
            self.record.note_blobs(blobs)

    def _copy_volume(self, step: CopyVolume) -> None:
        source, target, name = self.ends.source, self.ends.target, step.volume.name
        earlier = self.found.moved.get(name)
        again = earlier is not None and bool(earlier.temporary)
        if earlier and again:
            moved = earlier.manifest
        else:
            with source.paused(step.pause, str(step), self.record.note_paused):
                moved = source.send_volume(target, step.volume)
            self.record.note_volume(name, Moved(moved, volumes.temporary(name)))
        volumes.put_in_place(target, step.volume, volumes.temporary(name), moved, replace=step.replace, again=again)
        self.record.note_volume(name, Moved(moved))

    def close(self) -> None:
        """Take the helpers away from both engines."""
        if hasattr(self, "ends"):
            self.ends.close()

    def public(self, outcome: Outcome[Wish, Found]) -> dict[str, Any]:
        """Return what the target has, and how much room it needs."""
        room = room_for(outcome.plan.steps, self.first or outcome.before, outcome.desired.at_once)
        return {
            "source": shown(outcome.before.source),
            "target": shown(outcome.after.target),
            **room.public("at the target", check_mode=outcome.check_mode),
        }


SUBJECT = Mover
