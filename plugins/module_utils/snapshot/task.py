# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of a data disk as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..colima.client import retained_vms
from ..colima.client.programs import Colima
from ..colima.client.retained_vms import RetainedVm
from ..colima.client.run_lock import RunLock
from ..colima.model.options import check_days
from ..colima.model.spec import TimeLimits
from ..colima.observe.read import read
from ..colima_paths import Name, Paths, parse_name, resolve
from ..core.errors import CommandFailed, NotVerified, naming_files
from ..core.plan import Plan, Step, size_in_words
from ..core.progress import emit
from ..core.subject import Result, Subject
from ..core.system.files import room_at, write_atomically
from . import sparse
from .model import DISK, BringBack, Delete, Disk, DiskSnapshotSpec, DiskSnapshotState, Make, Restore, snapshots_in
from .plan import plan_snapshot
from .store import MANIFEST, PART, Remove, begun, check_options, now, remove

_WAIT_SECONDS = 600.0


class DiskSnapshot(Subject[DiskSnapshotSpec, DiskSnapshotState]):
    """The data disk of one profile."""

    argument_spec = {
        "profile": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "directory": {"type": "path", "default": "~/.local/share/laptop.containers/snapshots"},
        "keep": {"type": "int", "default": 0},
        "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
        "confirm": {"type": "str", "default": ""},
        "keep_deleted": {"type": "float", "default": 7},
    }
    work = "look after snapshots of a data disk"
    look = "The profile was started meanwhile; stop it, and run again."

    # What this run has brought back.
    back: RetainedVm | None = None

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> DiskSnapshotSpec:
        """Return what is asked for. Raises InputError."""
        del check_mode
        name, profile = params["name"], parse_name(params["profile"])
        check_options(name, params["keep"])
        self.colima = Colima(resolve(os.environ, os.uname().sysname))
        place = Path(params["directory"]) / profile.name
        restore = params["state"] == "restored"
        days = check_days(params["keep_deleted"])
        self.asked = DiskSnapshotSpec(profile, name, place, restore, params["keep"], params["confirm"], days)
        return self.asked

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep runs out that would start the VM."""
        return RunLock(self.colima.paths.own, _WAIT_SECONDS)

    def read(self, spec: DiskSnapshotSpec) -> DiskSnapshotState:
        """Return the disk and its snapshots. A disk that is to be restored is compared, which reads all of it."""
        # A link stays a link: the disk that it leads to is restored in its place.
        path = (self.colima.paths.data_disk(spec.profile) / "datadisk").resolve()
        current = read(self.colima, [spec.profile]).profiles[spec.profile.name]
        snapshots = tuple(sorted(snapshots_in(spec.place), key=lambda one: (one.made, one.name)))
        half = path.with_name(f"{path.name}{PART}")
        partial = (*spec.place.glob(f".*{PART}"), *([half] if half.exists() else []))
        paths, name = self.colima.paths, spec.profile
        taken = any(part.exists() for part in retained_vms.homes(paths, name).values())
        found = DiskSnapshotState(
            Disk(path, current.health), snapshots, partial, retained_vms.deleted(paths, name), _names(paths, name), taken
        )
        if not path.is_file():
            rows = self.colima.rows() if self.colima.installed else ()
            return replace(found, others=tuple(row.name for row in rows))
        # One that is in use changes while it is read.
        compare = spec.restore and not current.live
        digest = sparse.digest(path) if compare else ""
        one = path.stat().st_dev == paths.lima.stat().st_dev
        disk = Disk(path, current.health, True, sparse.occupied(path), digest, one, room_at(paths.lima))
        return replace(found, disk=disk)

    def plan(self, spec: DiskSnapshotSpec, current: DiskSnapshotState) -> Plan:
        """Return the steps."""
        self.found = current
        if self.back and self.back not in current.deleted:
            return Plan()
        return plan_snapshot(current, spec)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, Make):
            self._make(step.path)
        elif isinstance(step, Restore):
            self._restore(step)
        elif isinstance(step, Delete):
            self._delete(step.days)
        elif isinstance(step, BringBack):
            self._bring_back(step)
        elif isinstance(step, Remove):
            remove(step.paths)

    def _make(self, path: Path) -> None:
        disk = self.found.disk
        with begun(path) as part:
            self._copied(disk.path, part / DISK, str(path))
            digest = sparse.digest(disk.path)
            self._check(part / DISK, digest, f"take snapshot '{path.name}'")
            said = {"digest": digest, "bytes": disk.path.stat().st_size, "occupied_bytes": disk.occupied, "made": now()}
            write_atomically(part / MANIFEST, json.dumps({"profile": self.asked.profile.name, **said}, indent=1))

    def _delete(self, days: float) -> None:
        paths, name = self.colima.paths, self.asked.profile
        if days:
            retained_vms.delete(paths, name, "", days)
        else:
            self.colima.delete(name, TimeLimits().stop, data=True)

    def _bring_back(self, step: BringBack) -> None:
        paths, name, disk = self.colima.paths, self.asked.profile, self.found.disk
        self.back = step.kept
        if step.kept.is_disk and disk.exists:
            retained_vms.replace_disk(paths, name, disk.path, paths.kept / step.kept.name / "datadisk", step.days)
        retained_vms.bring_back(paths, name, step.kept)

    def _restore(self, step: Restore) -> None:
        snapshot, target = step.snapshot, self.found.disk.path
        new = target.with_name(f"{target.name}{PART}")
        new.unlink(missing_ok=True)
        try:
            self._copied(self.asked.place / snapshot.name / DISK, new, str(target))
            self._check(new, snapshot.digest, f"restore snapshot '{snapshot.name}'")
            new.chmod(target.stat().st_mode & 0o777)
            retained_vms.replace_disk(self.colima.paths, self.asked.profile, target, new, step.days)
        finally:
            new.unlink(missing_ok=True)

    def _copied(self, source: Path, target: Path, shown: str) -> None:
        """Make a clone, or a copy without holes being filled, for which there must be room."""
        if sparse.clone(source, target):
            return
        needed, free = sparse.occupied(source), shutil.disk_usage(target.parent).free
        what = f"copy the data disk to '{shown}'"
        if needed > free:
            reason = f"it needs {size_in_words(needed)}, and {size_in_words(free)} are free there"
            raise CommandFailed(what, reason, "Free some disk space, and run again.")
        written = 0

        def count(size: int) -> None:
            nonlocal written
            written += size
            if written % (1 << 28) < size:
                emit(
                    profile=self.asked.profile.name,
                    phase=f"{size_in_words(written)} of {size_in_words(needed)} copied",
                    done=False,
                )

        with naming_files(what):
            sparse.copy(source, target, count)

    @staticmethod
    def _check(path: Path, digest: str, what: str) -> None:
        if sparse.digest(path) != digest:
            raise NotVerified(what, "the copy is not what the original is", "Check the disk that it is on, and run again.")

    def public(self, outcome: Result[DiskSnapshotSpec, DiskSnapshotState]) -> dict[str, Any]:
        """Return where snapshots are, and which there are."""
        found = outcome.after
        deleted = [{"name": one.name, "until": one.lasts} for one in found.deleted]
        return {
            "directory": str(outcome.spec.place),
            "snapshots": [one.public() for one in found.snapshots],
            "deleted": deleted,
        }


def _names(paths: Paths, name: Name) -> tuple[str, ...]:
    return tuple(one.name for one in retained_vms.read(paths, name))


SUBJECT = DiskSnapshot
