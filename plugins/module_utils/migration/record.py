# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs have copied from one engine to another: it is not copied again, and half a copy never passes for a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.notes import Notes
from .model import Moved


class Record:
    """The notes about one pair of engines, each with its socket: VMs that were cloned have the same id."""

    def __init__(self, *engines: tuple[str, str]) -> None:
        self.notes, self.key = Notes("migration"), " ".join(f"{engine}@{socket}" for engine, socket in engines)

    def moved(self) -> dict[str, Moved]:
        """Return the volumes that were copied, by name."""
        volumes = self._read("volumes")
        return {
            name: Moved(str(one["manifest"]), str(one.get("temporary") or ""))
            for name, one in volumes.items()
            if "manifest" in one
        }

    def blobs(self) -> dict[str, list[str]]:
        """Return the blobs of the images that were copied, by the image's id at the target."""
        return {image: list(blobs) for image, blobs in self._read("blobs").items()}

    def paused(self) -> frozenset[str]:
        """Return the containers of the source that were paused and not let go on."""
        return frozenset(self._read("paused"))

    def note_volume(self, name: str, moved: Moved | None) -> None:
        """Note how far a volume is; None for one that begins."""
        self._put("volumes", name, {"manifest": moved.manifest, "temporary": moved.temporary} if moved else None)

    def note_blobs(self, blobs: Mapping[str, Iterable[str]]) -> None:
        """Note the blobs of images."""
        for image, found in blobs.items():
            self._put("blobs", image, sorted(found))

    def note_paused(self, container: str, paused: bool) -> None:
        """Note that a container is about to be paused, or goes on."""
        self._put("paused", container, True if paused else None)

    def _read(self, kind: str) -> dict[str, Any]:
        pair = self.notes.read().get(self.key)
        found = pair.get(kind) if isinstance(pair, dict) else None
        return found if isinstance(found, dict) else {}

    def _put(self, kind: str, name: str, value: object) -> None:
        with self.notes.edit() as notes:
            some = notes.setdefault(self.key, {}).setdefault(kind, {})
            if value is None:
                some.pop(name, None)
            else:
                some[name] = value
