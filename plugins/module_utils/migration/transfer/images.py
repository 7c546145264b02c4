# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies images from one engine to the other, in one stream and without a file in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ...core.errors import NotVerified
from ...docker.stream import EngineRefused, Exchange
from ..inventory import image_of
from ..model import Image, Inventory, same
from .image_stream import Write, pass_on
from .sides import Meter, Side

# An engine packs images into a file of its own before it sends the first byte, and unpacks them after it has the last one.
# Meanwhile it says nothing, so it gets so many times the patience.
_PATIENCE = 15


@dataclass(frozen=True)
class Arrived:
    """An image at the target. blobs: of its layers, none where the archive did not name them."""

    image: Image
    blobs: tuple[str, ...]


def copy(source: Side, target: Side, images: Sequence[Image], known: Collection[str]) -> dict[str, Arrived]:
    """Copy images as one engine packs them, see receive()."""
    doing = doing_with(images)
    with source.trouble(doing):
        archive = _packed(source, images)
    with archive, source.trouble(doing):
        return receive(target, images, archive.read, known, meter_of(images))


def pack(source: Side, images: Sequence[Image], doing: str, write: Write) -> None:
    """Have an engine pack images as `docker save` does, and write that somewhere. Raises CommandFailed."""
    meter = meter_of(images)
    with source.trouble(doing), _packed(source, images) as archive:
        pass_on(archive.read, write, frozenset(), meter.add)
    meter.done()


def _packed(source: Side, images: Sequence[Image]) -> Exchange:
    query = "&".join(f"names={quote(name, safe='')}" for image in images for name in image.names)
    return source.api.download(f"/images/get?{query}", first=source.api.seconds * _PATIENCE)


def doing_with(images: Sequence[Image]) -> str:
    """Return in words what is done."""
    return f"copy image '{images[0].name}'" if len(images) == 1 else f"copy {len(images)} images"


def meter_of(images: Sequence[Image]) -> Meter:
    """Return what tells how far they are."""
    return Meter(images[0].name.rpartition("/")[2], sum(image.size for image in images))


def receive(
    target: Side, images: Sequence[Image], read: Callable[[int], bytes], known: Collection[str], meter: Meter
) -> dict[str, Arrived]:
    """Load an archive of images, without the blobs that the target is known to have, and look at the copies.

    Returns what the target has under each name. Raises EngineSilent where the archive ends too early.
    """
    what = doing_with(images)
    with target.trouble(what):
        upload = target.api.upload("POST", "/images/load?quiet=1")

    def write(piece: bytes | memoryview) -> None:
        with target.trouble(what):
            upload.write(piece)

    with upload:
        passed = pass_on(read, write, known, meter.add)
        with target.trouble(what):
            upload.patience(target.api.seconds * _PATIENCE)
            _check_answer(upload.finish())
    with target.trouble(what):
        found = {name: there for image in images for name, there in _checked(target, image)}
    meter.done()
    return {name: Arrived(there, passed.layers.get(name, ())) for name, there in found.items()}


def known_blobs(target: Inventory, images: Sequence[Image], sent: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the blobs that need not be sent. sent: those of images that this run has copied, by the image's id at the target.

    Docker's own store knows a layer by all layers below it, and keeps it unpacked; containerd's keeps what came, as it came.
    """
    if target.contents:
        there = {image.id for image in target.images}
        return frozenset(blob for image, blobs in sent.items() if image in there for blob in blobs)
    chains = {image.layers[:depth] for image in target.images for depth in range(1, len(image.layers) + 1)}
    used: dict[str, list[bool]] = {}
    for image in images:
        for depth, layer in enumerate(image.layers, 1):
            used.setdefault(layer, []).append(image.layers[:depth] in chains)
    return frozenset(layer for layer, there_everywhere in used.items() if all(there_everywhere))


def _checked(target: Side, image: Image) -> Iterator[tuple[str, Image]]:
    """Look at a copy, under each of its names, and yield the image. Raises NotVerified."""
    for name in image.names:
        found = image_of(target.api.object(f"/images/{quote(name, safe='/:@')}/json", "Id"))
        if not same(found, image):
            reason = f"the target has {found.id[:19]} under that name, the source {image.id[:19]}"
            raise NotVerified(f"verify the copy of image '{name}'", reason, "Run again: it is copied again.")
        yield name, found


def _check_answer(text: str) -> None:
    """Raise EngineRefused for an engine that says in a good answer that it has failed."""
    for line in text.splitlines():
        try:
            error = json.loads(line).get("error")
        except (ValueError, AttributeError):
            continue
        if error:
            raise EngineRefused(0, str(error))
