# SPDX-License-Identifier: GPL-3.0-or-later
"""Two engines after a move, of which everything has arrived, and changes of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint, Kind, Resource, Row, Status
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import (
    Container,
    Image,
    Inventory,
    MoveState,
    Volume,
    VolumePair,
)

WEB, DB = Image("sha256:1", ("web:1", "web:2"), ("layer",), config="c"), Volume("db")
BYTES = Fingerprint("bytes")
ARRIVED = VolumePair(BYTES, Fingerprint("bytes", "first"), same=True)
NAMELESS, MINE = Volume("f00", anonymous=True), Container("1", "mine", "web:1", "", "exited", own=2048)
FOUND = MoveState(
    Inventory("old", images=(WEB, Image("sha256:9")), volumes=(DB, NAMELESS)),
    Inventory("new", images=(WEB,), volumes=(DB,)),
    0.0,
    volumes={"db": ARRIVED},
)
ROW = Row(Resource(Kind.VOLUME, "db"), Status.MOVED, BYTES, Fingerprint("bytes", "first"))


def at_source(**more: Any) -> MoveState:
    """Return them with a source that differs."""
    return replace(FOUND, source=replace(FOUND.source, **more))


def at_target(**more: Any) -> MoveState:
    """Return them with a target that differs."""
    return replace(FOUND, target=replace(FOUND.target, **more))


def volume(read: VolumePair | None, row: Row | None = None) -> MoveState:
    """Return them with what was read and noted of volume db."""
    return replace(FOUND, volumes={"db": read} if read else {}, rows={ROW.resource: row} if row else {})
