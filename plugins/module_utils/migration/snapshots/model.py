# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of volumes, where they are, and the steps that make, restore and remove them. Sizes are in bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.plan import Step
from ...snapshot.store import MANIFEST, PART
from ..model import Inventory, Volume
from ..transfer.contents import Contents

ARCHIVE = "volume.tar"


@dataclass(frozen=True)
class VolumeSnapshot:
    """A complete snapshot of a volume. digest: of its archive; contents: of what is in it. made: ISO time, in UTC.

    place: its directory.
    """

    volume: str
    name: str
    digest: str
    contents: Contents
    size: int
    made: str
    labels: Mapping[str, str] = field(default_factory=dict)
    place: Path = field(default=Path(), compare=False)

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        counted = {"files": self.contents.files, "bytes": self.contents.size, "archive_bytes": self.size}
        return {"volume": self.volume, "name": self.name, "made": self.made, **counted, "digest": self.digest}

    def manifest(self) -> str:
        """Return what is written beside the archive."""
        return json.dumps({**self.public(), "contents": self.contents.digest, "labels": dict(self.labels)}, indent=1)


@dataclass(frozen=True)
class VolumeSnapshotState:
    """The engine, the complete snapshots, the oldest first, and what killed runs have left.

    same: volumes that are what they were in the snapshot that is to be restored. room: free bytes, None where it is not known.
    paused: containers that a killed run has left paused, by id.
    """

    engine: Inventory
    kept: tuple[VolumeSnapshot, ...] = ()
    partial: tuple[Path, ...] = ()
    same: frozenset[str] = frozenset()
    room: int | None = None
    paused: frozenset[str] = frozenset()


@dataclass(frozen=True)
class VolumeSnapshotSpec:
    """What is asked for. volumes: patterns of names. place: the engine's directory of snapshots. keep: of each volume, 0 for all.

    confirm: volumes that a restore may overwrite.
    """

    volumes: tuple[str, ...]
    name: str
    place: Path
    restore: bool = False
    keep: int = 0
    pause: bool = False
    anonymous: bool = False
    confirm: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Keep(Step):
    """Write a volume's archive. pause: containers that must not write meanwhile, by id."""

    volume: Volume = field(kw_only=True)
    path: Path = field(kw_only=True)
    pause: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Restore(Step):
    """Make a volume out of a snapshot. replace: it takes the place of an existing one."""

    kept: VolumeSnapshot = field(kw_only=True)
    replace: bool = field(default=False, kw_only=True)


def kept_in(place: Path) -> Iterator[VolumeSnapshot]:
    """Yield the complete snapshots in a directory. One without a manifest is none."""
    for manifest in place.glob(f"[!.]*/[!.]*/{MANIFEST}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(manifest.read_text(encoding="utf-8"))
            yield VolumeSnapshot(
                str(said["volume"]),
                manifest.parent.name,
                str(said["digest"]),
                Contents(str(said["contents"]), int(said["files"]), int(said["bytes"])),
                int(said["archive_bytes"]),
                str(said["made"]),
                dict(said["labels"]),
                manifest.parent,
            )


def directory_of(volume: str) -> str:
    """Return the directory for a volume's snapshots. macOS would keep those of 'Data' and 'data' in one: capitals get a mark.

    A docker volume can't have a name with the mark's '%'.
    """
    return volume if volume == volume.lower() else f"{volume}%{hashlib.sha256(volume.encode()).hexdigest()[:8]}"


def parts_in(place: Path) -> Iterator[Path]:
    """Yield what killed runs have begun."""
    yield from place.glob(f"*/.*{PART}")
