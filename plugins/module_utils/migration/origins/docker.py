# SPDX-License-Identifier: GPL-3.0-or-later
"""A docker engine as what is moved from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .. import inventory
from ..model import Container, Image, Inventory, Volume
from ..transfer import helper, images, pausing, volumes
from ..transfer.contents import Contents
from ..transfer.images import Arrived
from ..transfer.sides import Side
from ..transfer.volumes import Place


@dataclass(frozen=True)
class DockerOrigin:
    """A docker engine."""

    place: Place

    @property
    def socket(self) -> str:
        """Where it listens."""
        return self.place.side.api.path

    def read(self, doing: str, *, sizes: bool) -> Inventory:
        """Return what it keeps."""
        with self.place.side.trouble(doing):
            return inventory.read(self.place.side.api, sizes=sizes)

    def commands(self, doing: str, containers: Iterable[Container]) -> Mapping[str, str]:
        """Return what makes containers again."""
        with self.place.side.trouble(doing):
            return dict(inventory.commands(self.place.side.api, containers))

    def prepare(self, doing: str) -> None:
        """Bring the helpers."""
        with self.place.side.trouble(doing):
            self.place.image.make()

    def clean(self, doing: str) -> None:
        """Remove helpers of a killed run."""
        with self.place.side.trouble(doing):
            helper.sweep(self.place.image)

    def send_images(self, target: Side, some: Sequence[Image], known: Collection[str]) -> Mapping[str, Arrived]:
        """Copy images in one stream."""
        return images.copy(self.place.side, target, some, known)

    def send_volume(self, target: Place, what: Volume, work: str) -> volumes.Copied:
        """Copy a volume from helper to helper."""
        return volumes.copy(self.place, target, what, work)

    def digest(self, name: str, doing: str) -> str:
        """Have the volume digested beside it."""
        return volumes.digest(self.place, name, doing)

    def contents(self, name: str, doing: str) -> Contents:
        """Read all of it."""
        return volumes.contents(self.place, name, doing)

    def left_out(self, name: str, doing: str) -> tuple[str, ...]:
        """Look at every file."""
        return volumes.left_out(self.place, name, doing)

    def paused(
        self, containers: Sequence[str], doing: str, note: Callable[[str, bool], object]
    ) -> contextlib.AbstractContextManager[None]:
        """Keep containers from writing meanwhile."""
        return pausing.paused(self.place.side, containers, doing, note)

    def unpause(self, container: str, doing: str) -> None:
        """Let a container go on."""
        pausing.unpause(self.place.side, container, doing)

    def abort(self) -> None:
        """End every exchange."""
        self.place.side.api.abort()

    def close(self) -> None:
        """Take the helpers away."""
        self.place.image.remove()
