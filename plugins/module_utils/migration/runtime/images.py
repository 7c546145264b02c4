# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes images of an engine into a file, as `docker save` does."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from ...core.system.command import new_file
from ..transfer.image_stream import pass_on
from ..transfer.sides import Meter, Side
from . import archive
from .model import SavedImages, SaveImages

# An engine packs images into a file of its own before it sends the first byte.
_PATIENCE = 15


def save_images(source: Side, step: SaveImages, place: Path) -> None:
    """Write images into their file, and beside it what it holds. An archive that ends too early is none."""
    names = [name for one in step.images for name in one.names]
    query = "&".join(f"names={quote(name, safe='')}" for name in names)
    found = hashlib.sha256()
    meter = Meter(step.images[0].name.rpartition("/")[2], sum(one.size for one in step.images))
    with archive.written(place, step.file) as part, new_file(part) as opened, source.trouble(str(step)):

        def write(piece: bytes | memoryview) -> None:
            opened.write(piece)
            found.update(piece)

        with source.api.download(f"/images/get?{query}", first=source.api.seconds * _PATIENCE) as download:
            pass_on(download.read, write, frozenset(), meter.add)
        opened.flush()
        archive.note(place, SavedImages(step.file, step.namespace, step.images, part.stat().st_size, found.hexdigest()))
    meter.done()
