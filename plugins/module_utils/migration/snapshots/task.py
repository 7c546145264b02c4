# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of volumes as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ...core.errors import NotVerified, naming_files
from ...core.plan import Plan, Step
from ...core.subject import Result, Subject
from ...core.system.files import room_at, write_atomically
from ...core.system.home import lock_directory
from ...core.system.lock import Lock
from ...docker.stream import PIECE
from ...snapshot.store import MANIFEST, Remove, begun, check_options, now, remove
from .. import inventory
from ..engines import engine_from, free_bytes, silence_from
from ..model import LABEL, RESTORING, Sweep, Unpause, Volume
from ..transfer import pausing, volumes
from ..transfer.contents import Contents, contents_of
from ..transfer.helper import sweep
from ..transfer.sides import Meter
from ..transfer.tar import Archive
from .model import ARCHIVE, Keep, Restore, VolumeSnapshot, VolumeSnapshotSpec, VolumeSnapshotState, kept_in, parts_in
from .plan import plan_snapshots

_WAIT_SECONDS = 5.0


class VolumeSnapshots(Subject[VolumeSnapshotSpec, VolumeSnapshotState]):
    """Volumes of one engine."""

    argument_spec = {
        "engine": {"type": "str", "default": "docker-buildx"},
        "volumes": {"type": "list", "elements": "str", "default": ["*"]},
        "name": {"type": "str", "required": True},
        "directory": {"type": "path", "default": "~/.local/share/laptop.containers/volumes"},
        "keep": {"type": "int", "default": 0},
        "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
        "confirm": {"type": "list", "elements": "str", "default": []},
        "pause": {"type": "bool", "default": False},
        "anonymous": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 120.0},
    }
    work = "look after snapshots of volumes"
    look = "Something in the engine was changed meanwhile; run again."

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> VolumeSnapshotSpec:
        """Return what is asked for. Raises InputError."""
        del check_mode
        name = params["name"]
        check_options(name, params["keep"])
        self.place, self.profile = engine_from(params["engine"], "engine", silence_from(params))
        engine = self.profile.name if self.profile else hashlib.sha256(params["engine"].encode()).hexdigest()[:16]
        self.restored: set[str] = set()
        return VolumeSnapshotSpec(
            tuple(params["volumes"]),
            name,
            Path(params["directory"]) / engine,
            params["state"] == "restored",
            params["keep"],
            params["pause"],
            params["anonymous"],
            frozenset(params["confirm"]),
        )

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep moves and other snapshots out: they have helpers of their own."""
        return Lock(lock_directory(), self.work, _WAIT_SECONDS, name="migration.lock")

    def read(self, spec: VolumeSnapshotSpec) -> VolumeSnapshotState:
        """Return the engine and its snapshots. Volumes that are to be restored are compared, which reads all of them."""
        with self.place.side.trouble(self.work):
            engine = inventory.read(self.place.side.api)
        self.record = pausing.Record((engine.engine, self.place.side.api.path))
        kept = tuple(sorted(kept_in(spec.place), key=lambda one: (one.made, one.name)))
        room = free_bytes(self.profile, engine.root) if spec.restore else room_at(spec.place)
        there = {one.name for one in engine.volumes}
        compared = [one for one in kept if spec.restore and one.name == spec.name and one.volume in there]
        same = frozenset(one.volume for one in compared if one.volume in self.restored or self._same(one))
        return VolumeSnapshotState(engine, kept, tuple(parts_in(spec.place)), same, room, self.record.paused())

    def _same(self, kept: VolumeSnapshot) -> bool:
        doing = f"compare volume '{kept.volume}'"
        if volumes.digest(self.place, kept.volume, doing) == kept.digest:
            return True
        # Another release of tar may write another archive of the same.
        return volumes.contents(self.place, kept.volume, doing) == kept.contents

    def plan(self, spec: VolumeSnapshotSpec, current: VolumeSnapshotState) -> Plan:
        """Return the steps."""
        self.asked = spec
        return plan_snapshots(current, spec)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan, after the helpers that a killed run has left are gone: they hold on to volumes."""
        with self.place.side.trouble(self.work):
            sweep(self.place.image)
        super().carry_out(plan, report)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, Keep):
            self._keep(step)
        elif isinstance(step, Restore):
            self._restore(step)
        elif isinstance(step, Sweep):
            with self.place.side.trouble(str(step)):
                for name in step.volumes:
                    volumes.remove(self.place, name)
        elif isinstance(step, Unpause):
            pausing.unpause(self.place.side, step.container, str(step))
            self.record.note_paused(step.container, False)
        elif isinstance(step, Remove):
            remove(step.paths)

    def _keep(self, step: Keep) -> None:
        name, doing = step.volume.name, f"take snapshot '{step.path.name}' of volume '{step.volume.name}'"
        with begun(step.path) as part:
            with pausing.paused(self.place.side, step.pause, doing, self.record.note_paused):
                sent, contents, size = self._written(step.volume, part / ARCHIVE, doing)
                there = volumes.digest(self.place, name, doing)
            if not sent == there == _digest(part / ARCHIVE):
                reason = "the archive is not what the volume has"
                raise NotVerified(doing, reason, "Look whether something writes to the volume, and run again.")
            kept = VolumeSnapshot(name, step.path.name, sent, contents, size, now(), step.volume.labels)
            write_atomically(part / MANIFEST, kept.manifest())

    def _written(self, volume: Volume, path: Path, doing: str) -> tuple[str, Contents, int]:
        """Write the archive of a volume. Returns its digest, what is in it, and its size."""
        meter, sent = Meter(volume.name, volume.size or 0), hashlib.blake2b()

        def passing(pieces: Iterable[memoryview], file: BinaryIO) -> Iterator[memoryview]:
            for piece in pieces:
                meter.add(len(piece))
                sent.update(piece)
                file.write(piece)
                yield piece

        with naming_files(doing), volumes.reading(self.place, volume.name, doing) as pieces, path.open("xb") as file:
            try:
                contents = contents_of(Archive(passing(pieces, file)))
            except ValueError as error:
                raise NotVerified(doing, str(error), "Run again: it is read again.") from error
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        meter.done()
        return sent.hexdigest(), contents, size

    def _restore(self, step: Restore) -> None:
        kept, doing = step.kept, f"restore volume '{step.kept.volume}'"
        filled, meter = volumes.temporary(kept.volume, RESTORING), Meter(kept.volume, kept.size)

        def passing() -> Iterator[bytes]:
            with naming_files(doing), (kept.place / ARCHIVE).open("rb") as file:
                while piece := file.read(PIECE):
                    meter.add(len(piece))
                    yield piece

        arrived = volumes.fill(self.place, filled, {LABEL: "restoring"}, passing(), doing)
        if arrived != kept.digest and volumes.contents(self.place, filled, doing) != kept.contents:
            volumes.remove(self.place, filled)
            reason = "what arrived is not what the snapshot's manifest says"
            raise NotVerified(doing, reason, "Check the disk that the snapshot is on, or choose another one with O(name).")
        what = Volume(kept.volume, labels=kept.labels)
        with self.place.side.trouble(doing):
            if step.replace:
                volumes.remove(self.place, kept.volume)
            volumes.put_in_place(self.place, what, filled)
            volumes.remove(self.place, filled)
        self.restored.add(kept.volume)
        meter.done()

    def close(self) -> None:
        """Take the helpers away."""
        if hasattr(self, "place"):
            self.place.image.remove()

    def public(self, outcome: Result[VolumeSnapshotSpec, VolumeSnapshotState]) -> dict[str, Any]:
        """Return where snapshots are, and which there are."""
        return {"directory": str(outcome.spec.place), "snapshots": [one.public() for one in outcome.after.kept]}


SUBJECT = VolumeSnapshots


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
