# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of a data disk, where they are, and the steps that make, restore and remove them. Sizes are in bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..colima.client.retained_vms import RetainedVm
from ..colima_paths import Name
from ..core.plan import Step
from .store import MANIFEST

DISK = "disk"


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot. size: what the disk says; occupied: what it took when it was copied. made: ISO time, in UTC."""

    name: str
    digest: str
    size: int
    occupied: int
    made: str

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {"name": self.name, "made": self.made, "bytes": self.size, "occupied_bytes": self.occupied, "digest": self.digest}


@dataclass(frozen=True)
class Disk:
    """A profile's data disk as it was found. digest: only where it is to be compared. one_disk: it is on that of the VMs.

    free: bytes of the laptop's disk.
    """

    path: Path
    health: str
    exists: bool = False
    occupied: int = 0
    digest: str = ""
    one_disk: bool = True
    free: int = 0


@dataclass(frozen=True)
class DiskSnapshotState:
    """The disk, its complete snapshots, the oldest first, and what killed runs have left.

    deleted: of the profile, and can come back. kept: names of its VMs that a move keeps. taken: the profile has a VM, or a part
    of one. others: further profiles, where it has no disk.
    """

    disk: Disk
    snapshots: tuple[Snapshot, ...] = ()
    partial: tuple[Path, ...] = ()
    deleted: tuple[RetainedVm, ...] = ()
    kept: tuple[str, ...] = ()
    taken: bool = True
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiskSnapshotSpec:
    """What is asked for. place: the profile's directory of snapshots. keep: how many, 0 for all. confirm: may be overwritten.

    days: for which what is overwritten can come back.
    """

    profile: Name
    name: str
    place: Path
    restore: bool = False
    keep: int = 0
    confirm: str = ""
    days: float = 0.0


@dataclass(frozen=True)
class Make(Step):
    """Copy the disk."""

    path: Path = field(kw_only=True)


@dataclass(frozen=True)
class Restore(Step):
    """Let the disk be what it was in a snapshot. days: for which what is on it now can come back."""

    snapshot: Snapshot = field(kw_only=True)
    days: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class Delete(Step):
    """Set aside what the profile has, so that something else can take its place."""

    days: float = field(kw_only=True)


@dataclass(frozen=True)
class BringBack(Step):
    """Bring back what was deleted. days: for which a disk whose place it takes can come back."""

    kept: RetainedVm = field(kw_only=True)
    days: float = field(default=0.0, kw_only=True)


def snapshots_in(place: Path) -> Iterator[Snapshot]:
    """Yield the complete snapshots in a directory. One without a manifest is none."""
    for manifest in place.glob(f"[!.]*/{MANIFEST}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(manifest.read_text(encoding="utf-8"))
            yield Snapshot(
                manifest.parent.name, str(said["digest"]), int(said["bytes"]), int(said["occupied_bytes"]), str(said["made"])
            )
