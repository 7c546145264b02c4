# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine keeps, what is to be moved, and the steps that move it, as frozen values. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.plan import Step

# What belongs to a move has this label.
LABEL = "laptop.containers.migration"
# What volumes are filled for under a temporary name, which begins with it.
MOVING, RESTORING = "laptop.containers.moving-", "laptop.containers.restoring-"


@dataclass(frozen=True)
class Image:
    """An image. layers: the digests of their content, in order. created: seconds since the epoch.

    digests: names with the digests under which registries know it.
    """

    id: str
    tags: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    size: int = 0
    platform: str = ""
    created: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    digests: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.tags[0] if self.tags else self.id.removeprefix("sha256:")[:12]

    @property
    def names(self) -> tuple[str, ...]:
        """What an engine is asked for: its tags, or its id where it has none."""
        return self.tags or (self.id,)


def same(one: Image, other: Image) -> bool:
    """Whether two images are the same. Engines that store images in different ways give them different ids."""
    return one.id == other.id or (
        bool(one.layers) and (one.layers, one.platform, one.created) == (other.layers, other.platform, other.created)
    )


@dataclass(frozen=True)
class Volume:
    """A volume. size: what its files say, holes included; None where the engine does not tell. outside: its data is elsewhere."""

    name: str
    size: int | None = None
    created: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    anonymous: bool = False
    outside: bool = False
    mountpoint: str = ""


@dataclass(frozen=True)
class Container:
    """A container. writes: the volumes that it can write to. project: of compose, with its directory in directory.

    mounts: directories of the engine's machine, by where the container has them. binds: those of them that are not volumes.
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

    @property
    def writing(self) -> bool:
        """Whether it may write at this moment."""
        return self.state in ("running", "restarting")


@dataclass(frozen=True)
class Inventory:
    """What one engine keeps. contents: whether images are in containerd's store. layers_size: all layers, each once.

    cluster_images: how many the kubelet has in a place of its own.
    helpers, begun: containers, and volumes by their temporary names, of a move that is at work, or was killed; they are none of
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
class Wish:
    """What to move. images, volumes: patterns of names. labels: "key" or "key=value", all of them.

    newer: seconds, None for any age. largest: bytes, None for any size. replace: names at the target that may be overwritten.
    at_once: how many things are copied side by side.
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
    at_once: int = 1


@dataclass(frozen=True)
class Moved:
    """A volume that an earlier run has copied. temporary: it is complete under this name, and was not given its own yet."""

    manifest: str
    temporary: str = ""


@dataclass(frozen=True)
class Found:
    """Both engines, and what earlier runs have noted. free: bytes at the target, None: not known. now: since the epoch.

    moved: volumes by name. paused: containers of the source that a killed run has left paused, by id.
    """

    source: Inventory
    target: Inventory
    now: float
    free: int | None = None
    moved: Mapping[str, Moved] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CopyImages(Step):
    """Copy images in one stream."""

    images: tuple[Image, ...] = field(kw_only=True)


@dataclass(frozen=True)
class CopyVolume(Step):
    """Copy a volume, check the copy, and give it its name. pause: containers that must not write meanwhile, by id."""

    volume: Volume = field(kw_only=True)
    pause: tuple[str, ...] = field(default=(), kw_only=True)
    replace: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Unpause(Step):
    """Let a container go on that a killed run has paused."""

    container: str = field(kw_only=True)


@dataclass(frozen=True)
class Sweep(Step):
    """Remove volumes that a killed run has begun to fill, and its helpers: they hold on to volumes."""


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
