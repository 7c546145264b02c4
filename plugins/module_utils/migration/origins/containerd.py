# SPDX-License-Identifier: GPL-3.0-or-later
"""A colima profile on containerd as what is moved from: what nerdctl keeps in its VM, read by the VM's own programs."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import IO, Any

from ...core.errors import CommandFailed
from ...docker.engine import EngineSilent
from ..inventory import OWN_NETWORKS, container_of, is_anonymous
from ..model import Container, Image, Inventory, Volume
from ..move import archive
from ..move.guest import Inside
from ..move.model import CLUSTER, OWN
from ..transfer import images, pausing, volumes
from ..transfer.contents import Contents
from ..transfer.piped import Piped, Result
from ..transfer.sides import Meter, Side, trouble
from ..transfer.volumes import Place

# A VM may be busy with other things for so many times the patience.
_PATIENCE = 15
_NAMES = "{{.Name}}"
# What lists things of a kind that is then asked about.
_LISTS = {"volume": ("volume", "ls", "--format", _NAMES), "container": ("ps", "--all", "--quiet", "--no-trunc")}
# What tar writes last.
_END = bytes(1024)


class _Heard:
    """When the last bytes have come, where their number is unknown. moved: by the monotonic clock."""

    def __init__(self) -> None:
        self.moved = time.monotonic()

    def add(self, _size: int) -> None:
        self.moved = time.monotonic()


class ContainerdOrigin:
    """What nerdctl's own namespace holds. seconds: for which the VM may be silent, but 15 times as long in a copy."""

    def __init__(self, inside: Inside, socket: str, called: str, seconds: float) -> None:
        self.inside, self.socket, self.called, self.patience = inside, socket, called, seconds * _PATIENCE
        self.places: dict[str, str] = {}
        self.platforms: dict[str, str] = {}
        self.stopped = False

    def read(self, doing: str, *, sizes: bool) -> Inventory:
        """Return what it keeps. Questions are asked side by side: each of them is a log-in to the VM."""
        del doing
        with ThreadPoolExecutor(len(_LISTS) + 4) as pool:
            engine = pool.submit(self.inside.told, OWN, "info", "--format", "{{json .}}")
            found = pool.submit(self.inside.images, OWN)
            clusters = pool.submit(self.inside.listed, CLUSTER, "images", "--quiet", "--no-trunc")
            networks = pool.submit(self.inside.listed, OWN, "network", "ls", "--format", _NAMES)
            told = dict(zip(_LISTS, pool.map(self._told, _LISTS), strict=True))
        # Of another platform nerdctl tells only the name.
        unknown = [tag for one in found.result() if not one.id for tag in one.tags]
        foreign = self.inside.foreign(OWN, unknown) if unknown else []
        self.platforms = {tag: one.platform for one in foreign for tag in one.tags}
        known = [*(one for one in found.result() if one.id), *foreign]
        self.places = {str(one["Name"]): str(one["Mountpoint"]) for one in told["volume"]}
        sizes_of = dict(zip(self.places, self.inside.sizes(list(self.places.values())), strict=True)) if sizes else {}
        info = engine.result() or {}
        return Inventory(
            engine=str(info.get("ID") or ""),
            version=str(info.get("ServerVersion") or ""),
            architecture=str(info.get("Architecture") or ""),
            contents=True,
            images=tuple(_merged(known)),
            volumes=tuple(_volume(one, sizes_of.get(one["Name"])) for one in told["volume"]),
            containers=tuple(sorted(map(_container, told["container"]), key=lambda one: one.name)),
            networks=tuple(one for one in networks.result() if one not in OWN_NETWORKS),
            cluster_images=len(clusters.result()),
        )

    def commands(self, doing: str, containers: Iterable[Container]) -> Mapping[str, str]:
        """Return nothing: nerdctl tells too little of what made a container."""
        del doing, containers
        return {}

    def prepare(self, doing: str) -> None:
        """Do nothing: the VM has its own programs."""

    def clean(self, doing: str) -> None:
        """Do nothing, for the same reason."""

    def send_images(self, target: Side, some: Sequence[Image], known: Collection[str]) -> Mapping[str, images.Arrived]:
        """Copy images in one stream for each platform: nerdctl packs for the VM's own, or for the named one."""
        streams: dict[str, list[Image]] = {}
        for image in some:
            streams.setdefault(self.platforms.get(image.name, ""), []).append(image)
        arrived = dict[str, images.Arrived]()
        for platform, batch in streams.items():
            arrived |= self._send(target, batch, [f"--platform={platform}"] if platform else [], known)
        return arrived

    def _send(
        self, target: Side, some: Sequence[Image], options: Sequence[str], known: Collection[str]
    ) -> dict[str, images.Arrived]:
        names = [tag for image in some for tag in image.tags]
        doing, meter = images.doing_with(some), images.meter_of(some)

        def work(file: IO[bytes]) -> dict[str, images.Arrived]:
            return images.receive(target, some, file.read, known, meter)

        with self._piped(work, doing) as pipe:
            with pipe.program() as out:
                self.inside.pack(OWN, [*options, *names], doing, out, self._watch(doing, meter))
            return pipe.result()

    def send_volume(self, target: Place, what: Volume, work: str) -> volumes.Copied:
        """Copy a volume out of the VM into a helper."""
        doing, meter = volumes.doing_with(what), Meter(what.name, what.size or 0)

        def copied() -> tuple[volumes.Copied, str]:
            found = self._read(what.name, doing, lambda pieces: volumes.receive(target, what, work, pieces, meter), meter)
            return found, self.digest(what.name, doing)

        found = volumes.settled(doing, copied, lambda: self._writers(what.name))
        found = replace(found, left=self.left_out(what.name, doing))
        volumes.verify(target, what, work, found, lambda: self.contents(what.name, doing))
        meter.done()
        return found

    def _writers(self, name: str) -> list[str]:
        place, there = self.places[name], map(_container, self._told("container"))
        return sorted(one.name for one in there if one.writing and (name in one.writes or place in one.binds))

    def digest(self, name: str, doing: str) -> str:
        """Have it read in the VM, and digest it here."""
        heard = _Heard()

        def digested(pieces: Iterable[bytes]) -> str:
            total = hashlib.blake2b()
            for piece in pieces:
                heard.add(len(piece))
                total.update(piece)
            return total.hexdigest()

        return self._read(name, doing, digested, heard)

    def contents(self, name: str, doing: str) -> Contents:
        """Read all of it."""
        heard = _Heard()
        with trouble(self.called, doing):
            return self.inside.contents(self.places[name], doing, self._watch(doing, heard), heard.add)

    def left_out(self, name: str, doing: str) -> tuple[str, ...]:
        """Have every file looked at in the VM."""
        with trouble(self.called, doing):
            return self.inside.left_out([self.places[name]])[0]

    def paused(
        self, containers: Sequence[str], doing: str, note: Callable[[str, bool], object]
    ) -> contextlib.AbstractContextManager[None]:
        """Keep containers from writing meanwhile."""
        del doing
        return pausing.pausing(lambda container, verb: self.inside.nerdctl(OWN, verb, container), containers, note)

    def unpause(self, container: str, doing: str) -> None:
        """Let a container go on."""
        del doing
        self.inside.nerdctl(OWN, "unpause", container)

    def abort(self) -> None:
        """End what runs, within about a second."""
        self.stopped = True

    def close(self) -> None:
        """Do nothing: nothing was made."""

    def _told(self, kind: str) -> list[dict[str, Any]]:
        return self.inside.inspected(OWN, kind, partial(self.inside.listed, OWN, *_LISTS[kind]))

    def _read(self, name: str, doing: str, work: Callable[[Iterable[bytes]], Result], meter: Meter | _Heard) -> Result:
        """Return what is made of a volume's archive."""
        with self._piped(lambda file: work(_whole(archive.pieces(file))), doing) as pipe:
            with pipe.program() as out:
                self.inside.read(self.places[name], doing, out, self._watch(doing, meter))
            return pipe.result()

    @contextlib.contextmanager
    def _piped(self, work: Callable[[IO[bytes]], Result], doing: str) -> Iterator[Piped[Result]]:
        with trouble(self.called, doing), Piped(work, reads=True) as pipe:
            yield pipe

    def _watch(self, doing: str, meter: Meter | _Heard) -> Callable[[], None]:
        """Return what is called while the VM sends something, and ends that where it has to. meter: gets what comes."""

        def watch() -> None:
            if self.stopped:
                raise CommandFailed(doing, "this run is being stopped")
            if time.monotonic() - meter.moved > self.patience:
                raise EngineSilent(f"nothing came for {self.patience:g} s", slow=True)

        return watch


def _whole(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pass an archive on. Raises EngineSilent where its end is missing: it could have been cut between two files."""
    last = b""
    for piece in pieces:
        last = (last + piece)[-len(_END) :]
        yield piece
    if last != _END:
        raise EngineSilent("it hung up in the middle of an archive")


def _merged(images: Iterable[Image]) -> Iterator[Image]:
    """Yield images, each once, with all its names."""
    found = dict[str, Image]()
    for image in images:
        tags = {*image.tags, *(found[image.id].tags if image.id in found else ())}
        found[image.id] = replace(image, tags=tuple(sorted(tags)))
    yield from (found[key] for key in sorted(found))


def _volume(one: Mapping[str, Any], size: int | None) -> Volume:
    name, labels = str(one["Name"]), one.get("Labels") or {}
    return Volume(name, size, labels=labels, anonymous=is_anonymous(name, labels), mountpoint=str(one["Mountpoint"]))


def _container(one: Mapping[str, Any]) -> Container:
    labels = (one.get("Config") or {}).get("Labels") or {}
    state = str((one.get("State") or {}).get("Status") or "")
    return container_of(
        id=str(one["Id"]),
        name=str(one.get("Name") or one["Id"][:12]),
        image=str(one.get("Image") or ""),
        image_id="",
        state=state,
        labels=labels,
        mounts=one.get("Mounts") or (),
    )
