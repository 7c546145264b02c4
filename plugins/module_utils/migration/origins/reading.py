# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads volumes on both sides of a move, as far as they have to be compared: what the target never had is not read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Union

from ...core.errors import CommandFailed
from ...manifest.model import Fingerprint, Kind, Resource, Row
from ..model import Container, MoveState, Volume, VolumePair
from ..transfer import volumes
from ..transfer.sides import is_silence
from ..transfer.volumes import Place
from .containerd import ContainerdOrigin
from .docker import DockerOrigin

# What a move reads from. Both kinds have the same methods; "doing" is what the move does meanwhile, for messages.
Origin = Union[DockerOrigin, ContainerdOrigin]  # noqa: UP007 - ansible-test's pylint takes | for a sum
_CHANGING, _CHANGING_TOO = "changing at the source", "changing at the target"


def names_to_read(found: MoveState) -> list[str]:
    """Return the volumes of which both sides have something."""
    there = {one.name for one in found.target.volumes}
    waiting = {row.resource.name for row in found.rows.values() if found.waiting(row)}
    return [one.name for one in found.source.volumes if not one.outside and one.name in there | waiting]


def compare_volumes(
    source: Origin, target: Place, found: MoveState, names: Collection[str], at_once: int, *, left_out: bool = False
) -> dict[str, VolumePair]:
    """Return volumes as both sides have them, by name; of an unreadable one, why.

    left_out: whether to look, too, for what no archive carries.
    """
    reader = _Reader(source, target, found, left_out)
    with ThreadPoolExecutor(max(at_once, 1)) as pool:
        return dict(zip(names, pool.map(reader.read, names), strict=True))


class _Reader:
    def __init__(self, source: Origin, target: Place, found: MoveState, left_out: bool) -> None:
        self.source, self.target, self.found, self.left_out = source, target, found, left_out
        self.there = {one.name: one for one in found.target.volumes}

    def read(self, name: str) -> VolumePair:
        try:
            read = self._read(name, self.found.rows.get(Resource(Kind.VOLUME, name)))
            return replace(read, left=self._lost(name)) if self.left_out and read.target else read
        except CommandFailed as error:
            # An engine that is silent has nothing to say of the other volumes, either.
            if is_silence(error):
                raise
            return VolumePair(Fingerprint("unread"), error=error)

    def _read(self, name: str, row: Row | None) -> VolumePair:
        doing, there = f"compare volume '{name}'", self.there.get(name)
        here = Fingerprint(_still(lambda: self.source.digest(name, doing), self.found.source.containers, name, _CHANGING))
        work = self.found.waiting(row)
        if there is None:
            return VolumePair(here, work=self._filled(work, doing) if work else "")
        renamed = bool(work) and volumes.is_renamed(self.target, work, name, doing)
        filled = self._filled(work, doing) if work and not renamed else ""
        digest = _still(lambda: volumes.digest(self.target, name, doing), self.found.target.containers, name, _CHANGING_TOO)
        target = Fingerprint(digest, self._identity(there, row))
        read = VolumePair(here, target, filled, renamed, same=here.digest == digest)
        known = row is not None and (row.source, row.target) == (here, target)
        if read.same or known or here.digest == _CHANGING or digest == _CHANGING_TOO:
            return read
        # Archives of the same files can differ.
        ours, theirs = self.source.contents(name, doing), volumes.contents(self.target, name, doing)
        return replace(read, same=ours == theirs, empty=theirs.files <= 1)

    def _identity(self, there: Volume, row: Row | None) -> str:
        """Return what tells the target's volume from others; while its data is aside, the time of its directory does not."""
        replaced = row.replaces if row and there.name in self.found.aside else None
        return replaced.identity if replaced else there.identity

    def _lost(self, name: str) -> tuple[str, ...]:
        """Return what no archive has carried, but for what the target has now."""
        doing = f"compare volume '{name}'"
        there = volumes.left_out(self.target, name, doing)
        return tuple(one for one in self.source.left_out(name, doing) if one not in there)

    def _filled(self, work: str, doing: str) -> str:
        """Return the digest of a copy under its temporary name; empty where its data has got its own name."""
        try:
            return volumes.digest(self.target, work, doing)
        except CommandFailed as error:
            if is_silence(error):
                raise
            return ""


def _still(digest: Callable[[], str], containers: Collection[Container], name: str, changing: str) -> str:
    """Return a digest; of a volume that changes while it is read, a word that no digest equals."""
    try:
        return digest()
    except CommandFailed as error:
        if not is_silence(error) and any(one.writing and name in one.writes for one in containers):
            return changing
        raise
