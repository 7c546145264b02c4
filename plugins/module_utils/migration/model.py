# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine keeps, what is to be moved, and the steps that move it, as frozen values. Sizes are in bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import WorkstationError
from ..core.plan import Step
from ..manifest.model import Fingerprint, Resource, Row, Status

# What belongs to a move has this label; a volume that arrived has the other one, whose value no second volume has.
LABEL, ARRIVAL = "laptop.containers.migration", "laptop.containers.arrival"
# What volumes are filled for under a temporary name, which begins with it.
MOVING, RESTORING = "laptop.containers.moving-", "laptop.containers.restoring-"


@dataclass(frozen=True)
class Image:
    """An image. layers: the digests of their content, in order. created: seconds since the epoch.

    digests: names with the digests under which registries know it. config, more: digests of what its configuration says; more is
    None where the engine does not tell all of it.
    """

    id: str
    tags: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    size: int = 0
    platform: str = ""
    created: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    digests: tuple[str, ...] = ()
    config: str = ""
    more: str | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return (*self.tags, *self.digests, self.id.removeprefix("sha256:")[:12])[0]

    @property
    def content(self) -> str:
        """A digest of what the engine tells of its configuration, layers, platform and date."""
        said = [self.config, self.more, self.platform, self.created, *self.layers]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    @property
    def called(self) -> tuple[str, ...]:
        """What it is noted under: its tags, or what a registry knows it by, or its id."""
        return self.tags or self.digests[:1] or (self.id,)

    @property
    def names(self) -> tuple[str, ...]:
        """What an engine is asked for: its tags, or its id where it has none."""
        return self.tags or (self.id,)


def same(one: Image, other: Image) -> bool:
    """Whether two images are the same. Engines that store images in different ways give them different ids."""
    if one.id == other.id:
        return True
    more = None in (one.more, other.more) or one.more == other.more
    alike = all(getattr(one, part) == getattr(other, part) for part in ("config", "layers", "platform", "created"))
    return bool(one.layers) and alike and more


@dataclass(frozen=True)
class Volume:
    """A volume. size: what its files say, holes included; None where the engine does not tell.

    outside: why its data is not the engine's; empty where it is. options: of the driver, beside what its data is.
    """

    name: str
    size: int | None = None
    created: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    anonymous: bool = False
    outside: str = ""
    mountpoint: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What tells it from another volume of its name."""
        return self.labels.get(ARRIVAL) or f"{self.created:.0f}"

    @property
    def directory(self) -> str:
        """The directory of the engine's machine that its options name for its data; empty where the engine has a place for it."""
        return self.options.get("device", "")


@dataclass(frozen=True)
class Container:
    """A container. writes: the volumes that it can write to. project: of compose, with its directory in directory.

    mounts: directories of the engine's machine, by where the container has them. binds: those of them that are not volumes.
    own: bytes that it holds outside of volumes, 0 where they were not counted.
    """

    id: str
    name: str
    image: str
    image_id: str
    state: str
    writes: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    project: str = ""
    directory: str = ""
    mounts: Mapping[str, str] = field(default_factory=dict)
    binds: tuple[str, ...] = ()
    own: int = 0

    @property
    def writing(self) -> bool:
        """Whether it may write at this moment."""
        return self.state in ("running", "restarting")

    @property
    def at_work(self) -> bool:
        """Whether it may write at this moment, or once it is unpaused."""
        return self.writing or self.state == "paused"


@dataclass(frozen=True)
class Inventory:
    """What one engine keeps. contents: whether images are in containerd's store. layers_size: all layers, each once.

    cluster_images: how many the kubelet has in a place of its own.
    helpers, begun: containers, and volumes by their temporary names, of a move that runs, or was killed; they are not among
    the containers and volumes.
    """

    engine: str
    version: str = ""
    architecture: str = ""
    contents: bool = False
    root: str = ""
    images: tuple[Image, ...] = ()
    volumes: tuple[Volume, ...] = ()
    containers: tuple[Container, ...] = ()
    helpers: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    swarm: bool = False
    layers_size: int = 0
    cluster_images: int = 0


@dataclass(frozen=True)
class MoveSpec:
    """What to move. images, volumes: patterns of names. labels: "key" or "key=value", all of them.

    newer: seconds, None for any age. largest: bytes, None for any size. at_once: how many things are copied side by side.
    replace: names whose conflict the source wins. leave: patterns of names that stay at the source.
    """

    images: tuple[str, ...] = ("*",)
    volumes: tuple[str, ...] = ("*",)
    labels: tuple[str, ...] = ()
    newer: float | None = None
    largest: int | None = None
    dangling: bool = False
    anonymous: bool = False
    pause: bool = False
    replace: frozenset[str] = frozenset()
    leave: tuple[str, ...] = ()
    at_once: int = 1


@dataclass(frozen=True)
class VolumePair:
    """A volume as both sides have it now. target: None where it has none of that name.

    work: the digest of the copy under its temporary name. same: the contents are equal, also where the digests differ, as file
    systems that see holes in other places archive them otherwise. empty: the target's holds nothing. error: why it can't be read.
    renamed: whether that copy's data got its name, and only the note of that is missing.
    left: what the source's has and no archive carries, in words; looked at only where that was asked for.
    """

    source: Fingerprint
    target: Fingerprint | None = None
    work: str = ""
    renamed: bool = False
    same: bool = False
    empty: bool = False
    error: WorkstationError | None = None
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class MoveState:
    """Both engines, and what earlier runs have noted. free: bytes at the target, None: not known. now: since the epoch.

    rows: of the manifest. volumes: readings of both sides, by name; a volume that the target never had is not read.
    work: how the names of volumes begin that are filled for this pair of engines.
    paused: containers of the source that a killed run has left paused, by id.
    aside: volumes of the target whose data a killed run has taken aside.
    """

    source: Inventory
    target: Inventory
    now: float
    free: int | None = None
    rows: Mapping[Resource, Row] = field(default_factory=dict)
    volumes: Mapping[str, VolumePair] = field(default_factory=dict)
    work: str = MOVING
    paused: frozenset[str] = frozenset()
    aside: frozenset[str] = frozenset()

    def waiting(self, row: Row | None) -> str:
        """Return the temporary name of a complete copy that is at the target; empty where the row tells of none."""
        return row.work if row and row.status is Status.FILLED and row.work in self.target.begun else ""


@dataclass(frozen=True)
class CopyImages(Step):
    """Copy images in one stream."""

    images: tuple[Image, ...] = field(kw_only=True)


@dataclass(frozen=True)
class CopyVolume(Step):
    """Copy a volume, check the copy, and give it its name. pause: containers that must not write meanwhile, by id.

    replaces: the target's volume whose place it takes. filled: the row of a complete copy.
    """

    volume: Volume = field(kw_only=True)
    pause: tuple[str, ...] = field(default=(), kw_only=True)
    replaces: Fingerprint | None = field(default=None, kw_only=True)
    filled: Row | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Note(Step):
    """Note what is equal on both sides, so that a later change of one side is known as one.

    rows: where they go into a VM, their targets lack its id.
    """

    rows: tuple[Row, ...] = field(kw_only=True)


@dataclass(frozen=True)
class Unpause(Step):
    """Let a container go on that a killed run has paused."""

    container: str = field(kw_only=True)


@dataclass(frozen=True)
class GiveBack(Step):
    """Give a volume of the target its data back that a killed run has taken aside."""

    volume: str = field(kw_only=True)


@dataclass(frozen=True)
class Sweep(Step):
    """Remove volumes of a target that a killed run has begun to fill, and its helpers: they hold on to volumes."""

    volumes: tuple[str, ...] = field(default=(), kw_only=True)


def shown(inventory: Inventory) -> dict[str, Any]:
    """Return the result form of what an engine keeps."""
    return {
        "version": inventory.version,
        "images": [
            {
                "id": one.id,
                "tags": list(one.tags),
                "digests": list(one.digests),
                "platform": one.platform,
                "bytes": one.size,
                "layers": list(one.layers),
            }
            for one in inventory.images
        ],
        "volumes": [{"name": one.name, "bytes": one.size, "anonymous": one.anonymous} for one in inventory.volumes],
        "containers": [
            {
                "name": one.name,
                "image": one.image,
                "state": one.state,
                "volumes": sorted(one.volumes),
                "mounts": list(one.binds),
                "compose": one.project,
                "directory": one.directory,
            }
            for one in inventory.containers
        ],
        "networks": list(inventory.networks),
    }
