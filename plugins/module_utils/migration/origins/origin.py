# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move asks of an engine of any kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from ..model import Container, Image, Inventory, Volume
from ..transfer.contents import Contents
from ..transfer.images import Arrived
from ..transfer.sides import Side
from ..transfer.volumes import Copied, Place


class Origin(Protocol):
    """An engine that is only read. doing: what the move does meanwhile, for messages."""

    @property
    def socket(self) -> str:
        """Where it listens."""

    def read(self, doing: str, *, sizes: bool) -> Inventory:
        """Return what it keeps. sizes: whether to have volumes counted, which takes long."""

    def commands(self, doing: str, containers: Iterable[Container]) -> Mapping[str, str]:
        """Return what makes containers again, by name, as far as it tells."""

    def prepare(self, doing: str) -> None:
        """Get ready for volumes to be read."""

    def clean(self, doing: str) -> None:
        """Remove what helps to read volumes and a killed run has left."""

    def send_images(self, target: Side, some: Sequence[Image], known: Collection[str]) -> Mapping[str, Arrived]:
        """Copy images. known: blobs that the target has. Returns what arrived, by its names."""

    def send_volume(self, target: Place, what: Volume, work: str) -> Copied:
        """Fill a volume of a temporary name, and compare it with what was sent. Raises InUse where that changes."""

    def digest(self, name: str, doing: str) -> str:
        """Return the digest of a volume as it would be sent."""

    def contents(self, name: str, doing: str) -> Contents:
        """Return what is in a volume, reading all of it: archives of the same files can have different digests."""

    def left_out(self, name: str, doing: str) -> tuple[str, ...]:
        """Return what of a volume no archive carries, in words."""

    def paused(
        self, containers: Sequence[str], doing: str, note: Callable[[str, bool], object]
    ) -> contextlib.AbstractContextManager[None]:
        """Keep containers from writing meanwhile. note gets each before it is paused, and after it goes on."""

    def unpause(self, container: str, doing: str) -> None:
        """Let a container go on."""

    def abort(self) -> None:
        """End what goes on, from another thread."""

    def close(self) -> None:
        """Take away what was made to read volumes."""
