# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of a data disk, where they are, and the steps that make, restore and remove them. Sizes are in bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..colima_paths import Name
from ..core.plan import Step
from .kept import MANIFEST

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
    """A profile's data disk as it was found. digest: only where it is to be compared."""

    path: Path
    health: str
    exists: bool = False
    occupied: int = 0
    digest: str = ""


@dataclass(frozen=True)
class Found:
    """The disk, its complete snapshots, the oldest first, and what killed runs have left."""

    disk: Disk
    snapshots: tuple[Snapshot, ...] = ()
    partial: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Wish:
    """What is asked for. place: the profile's directory of snapshots. keep: how many, 0 for all. confirm: may be overwritten."""

    profile: Name
    name: str
    place: Path
    restore: bool = False
    keep: int = 0
    confirm: str = ""


@dataclass(frozen=True)
class Make(Step):
    """Copy the disk."""

    path: Path = field(kw_only=True)


@dataclass(frozen=True)
class Restore(Step):
    """Let the disk be what it was in a snapshot."""

    snapshot: Snapshot = field(kw_only=True)


def snapshots_in(place: Path) -> Iterator[Snapshot]:
    """Yield the complete snapshots in a directory. One without a manifest is none."""
    for manifest in place.glob(f"[!.]*/{MANIFEST}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(manifest.read_text(encoding="utf-8"))
            yield Snapshot(
                manifest.parent.name, str(said["digest"]), int(said["bytes"]), int(said["occupied_bytes"]), str(said["made"])
            )
