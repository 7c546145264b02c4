# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory in which a profile's things wait. A file has its own name once it is complete, and beside it what it holds."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ...core.errors import NotVerified
from ...core.system.files import make_directory, write_atomically
from ..model import Image
from .model import Archive, Claim, Objects, SavedClaim, SavedImages

PART = ".part"
_OBJECTS, _SEAL = "objects.json", "sealed.json"
_PIECE = 1 << 20


def read(place: Path) -> Archive:
    """Return what is complete in a directory, and what killed runs have left."""
    said = _read(place / _OBJECTS)
    objects = None
    if said:
        claims = tuple(Claim(**one) for one in said["claims"])
        objects = Objects(tuple(said["items"]), claims, tuple(said["ready"]), tuple(said["left_out"]), said["boot"])
    seal = _read(place / _SEAL)
    return Archive(
        tuple(SavedImages(**{**one, "images": tuple(map(_image, one["images"]))}) for one in _sidecars(place, "images-")),
        tuple(SavedClaim(**{**one, "claim": Claim(**one["claim"])}) for one in _sidecars(place, "volume-")),
        objects,
        int(seal["boot"]) if seal else None,
        place.exists(),
    )


def _image(said: dict[str, Any]) -> Image:
    return Image(**{**said, **{key: tuple(said.get(key, ())) for key in ("tags", "layers", "digests")}})


def _sidecars(place: Path, prefix: str) -> Iterator[dict[str, Any]]:
    for file in sorted(place.glob(f"{prefix}*.tar")):
        said = _read(file.with_suffix(".json"))
        if said:
            yield {**said, "file": file.name}


def _read(path: Path) -> dict[str, Any]:
    # One that is damaged counts for nothing: what it is about is written again.
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def images_file(images: Sequence[Image], namespace: str) -> str:
    """Return the name of a file for images; other images have another one."""
    return f"images-{_short([namespace, *(f'{one.id} {tag}' for one in images for tag in (one.tags or ('',)))])}.tar"


def volume_file(claim: Claim) -> str:
    """Return the name of a file for a volume."""
    return f"volume-{_short([claim.volume])}.tar"


def _short(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


@contextlib.contextmanager
def written(place: Path, file: str) -> Iterator[Path]:
    """Yield where a file is to be written, and give it its name once it is on the disk. What fails leaves nothing."""
    make_directory(place)
    part = place / f"{file}{PART}"
    # A program that still writes to the one of a killed run keeps that one.
    part.unlink(missing_ok=True)
    try:
        yield part
        with part.open("rb") as opened:
            os.fsync(opened.fileno())
        part.chmod(0o600)
        part.replace(place / file)
    finally:
        part.unlink(missing_ok=True)


def note(place: Path, saved: SavedImages | SavedClaim) -> None:
    """Write down what a file holds, before it gets its name. It replaces what an older one of that name held."""
    (place / saved.file).unlink(missing_ok=True)
    said = {key: value for key, value in dataclasses.asdict(saved).items() if key != "file"}
    write_atomically((place / saved.file).with_suffix(".json"), json.dumps(said))


def note_objects(place: Path, objects: Objects) -> None:
    """Write down the objects of a cluster, for the user alone: secrets may be among them."""
    unseal(place)
    said = dataclasses.asdict(objects)
    write_atomically(place / _OBJECTS, json.dumps(said))


def unseal(place: Path) -> None:
    """Forget that an archive was complete: the VM has run since."""
    make_directory(place)
    (place / _SEAL).unlink(missing_ok=True)


def seal(place: Path, boot: int, files: frozenset[str], on_bytes: Callable[[int], object]) -> None:
    """Read every file again, and note that all are as they were written. files: what of an earlier move is here, goes.

    Raises NotVerified.
    """
    archive = read(place)
    saved: tuple[SavedImages | SavedClaim, ...] = (*archive.images, *archive.claims)
    digests = {one.file: one.digest for one in saved}
    for left in {file.name for file in place.glob("*.tar*")} - files:
        _remove(place, left)
    for name in sorted(files):
        if name not in digests or digest(place / name, on_bytes) != digests[name]:
            _remove(place, name)
            reason = "it is not what was written"
            remedy = "Check the disk that it is on, and run again: it is written again."
            raise NotVerified(f"verify '{place / name}'", reason, remedy)
    write_atomically(place / _SEAL, json.dumps({"boot": boot}))


def _remove(place: Path, name: str) -> None:
    for file in (place / name, (place / name).with_suffix(".json")):
        file.unlink(missing_ok=True)


def digest(path: Path, on_bytes: Callable[[int], object] = lambda _: None) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for piece in pieces(file):
            found.update(piece)
            on_bytes(len(piece))
    return found.hexdigest()


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file."""
    while piece := file.read(_PIECE):
        yield piece
