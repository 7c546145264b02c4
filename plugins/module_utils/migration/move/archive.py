# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory in which a profile's things wait. A file has its own name once it is complete, and beside it what it holds."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from ...core.errors import NotVerified, RefusedStep, WorkstationError
from ...core.system.command import new_file
from ...core.system.files import make_directory, set_mode, sync, write_atomically
from ...manifest.file import row_from
from ...manifest.file import written as row_written
from ..model import Image
from ..transfer.images import pack
from ..transfer.sides import Side
from .model import PLAYBOOK, Archive, Claim, Objects, RuntimeMoveState, SavedClaim, SavedImages, SaveImages

PART = ".part"
OBJECTS, SEAL = "objects.json", "sealed.json"
_PIECE = 1 << 20


def read(place: Path, own: Iterable[Path]) -> Archive:
    """Return what is complete in a directory. own: the files of this move; no other file is opened."""
    mine = sorted(path.name for path in own if path.parent == place and path.exists())
    seal = _read(place / SEAL) if SEAL in mine else {}
    known = {name for path in own if path.parent == place for name in _with_it(path.name)}
    there = (path.name for path in place.iterdir()) if place.is_dir() else iter(())
    return Archive(
        tuple(_valid(_images_of, place, mine, "images-")),
        tuple(_valid(_claim_of, place, mine, "volume-")),
        next(_valid(_objects_of, place, mine, OBJECTS), None),
        int(seal["boot"]) if isinstance(seal.get("boot"), int) else None,
        seal.get("stopped") is True,
        place.is_dir(),
        frozenset(name for name in there if name not in known and not any(name.startswith(f".{one}.") for one in known)),
    )


def _with_it(name: str) -> tuple[str, ...]:
    """Return the names that a file of the move takes: its own, until it is complete, and of what it holds."""
    return name, f"{name}{PART}", f"{name.removesuffix('.tar')}.json"


def in_the_way(archive: Archive, files: Iterable[str]) -> list[str]:
    """Return the foreign files that have a name which these files need."""
    return sorted(archive.foreign.intersection(name for file in (*files, OBJECTS, SEAL) for name in _with_it(file)))


def missing(found: RuntimeMoveState) -> WorkstationError | None:
    """Return why the new VM can't be filled; None where the whole archive is there."""
    if found.archive.sealed is not None:
        return None
    what, back = "fill the new VM", f"or bring back the old VM with {PLAYBOOK}, --tags back"
    if not found.rows:
        return RefusedStep(what, "nothing is noted of what the old VM held", f"Remove the new VM, {back}, and move it again.")
    return RefusedStep(what, f"there is no complete archive at '{found.place}'", f"Attach the disk that it is on, {back}.")


Saved = TypeVar("Saved")


def _valid(make: Callable[[str, dict[str, Any]], Saved], place: Path, names: Iterable[str], prefix: str) -> Iterator[Saved]:
    for name in names:
        if name.startswith(prefix) and (said := _read((place / name).with_suffix(".json"))):
            # What is damaged counts for nothing: it is written again.
            with contextlib.suppress(KeyError, TypeError):
                yield make(name, said)


def _images_of(name: str, said: dict[str, Any]) -> SavedImages:
    return SavedImages(**{**said, "file": name, "images": tuple(map(_image, said["images"]))})


def _claim_of(name: str, said: dict[str, Any]) -> SavedClaim:
    return SavedClaim(**{**said, "file": name, "claim": _claim(said["claim"])})


def _objects_of(_name: str, said: dict[str, Any]) -> Objects:
    claims, stays = tuple(map(_claim, said["claims"])), tuple(map(row_from, said["stays"]))
    return Objects(tuple(said["items"]), claims, tuple(said["ready"]), tuple(said["left_out"]), int(said["boot"]), stays)


def _claim(said: dict[str, Any]) -> Claim:
    return Claim(**{**said, "left": tuple(said.get("left", ()))})


def _image(said: dict[str, Any]) -> Image:
    return Image(**{**said, **{key: tuple(said.get(key, ())) for key in ("tags", "layers", "digests")}})


def _read(path: Path) -> dict[str, Any]:
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
        set_mode(part, 0o600)
        sync(part, place)
        part.replace(place / file)
        sync(place)
    finally:
        part.unlink(missing_ok=True)


def save_images(source: Side, step: SaveImages, place: Path) -> None:
    """Write images of an engine into their file. An archive that ends too early is none."""
    found = hashlib.sha256()
    with written(place, step.file) as part, new_file(part) as opened:

        def write(piece: bytes | memoryview) -> None:
            opened.write(piece)
            found.update(piece)

        pack(source, step.images, str(step), write)
        opened.flush()
        note(place, SavedImages(step.file, step.namespace, step.images, part.stat().st_size, found.hexdigest()))


def note(place: Path, saved: SavedImages | SavedClaim) -> None:
    """Write down what a file holds, before it gets its name. It replaces what an older one of that name held."""
    (place / saved.file).unlink(missing_ok=True)
    said = {key: value for key, value in dataclasses.asdict(saved).items() if key != "file"}
    write_atomically((place / saved.file).with_suffix(".json"), json.dumps(said))


def note_objects(place: Path, objects: Objects) -> None:
    """Write down the objects of a cluster, for the user alone: secrets may be among them."""
    unseal(place)
    said = {**dataclasses.asdict(objects), "stays": list(map(row_written, objects.stays))}
    write_atomically(place / OBJECTS, json.dumps(said))


def unseal(place: Path) -> None:
    """Forget that an archive was complete: the VM has run since."""
    make_directory(place)
    (place / SEAL).unlink(missing_ok=True)


def verify(place: Path, archive: Archive, files: Iterable[str], on_bytes: Callable[[int], object]) -> None:
    """Read every file again: all have to be as they were written. Raises NotVerified."""
    saved: tuple[SavedImages | SavedClaim, ...] = (*archive.images, *archive.claims)
    digests = {one.file: one.digest for one in saved}
    for name in sorted(files):
        if name not in digests or digest(place / name, on_bytes) != digests[name]:
            remove([place / name])
            reason = "it is not what was written"
            remedy = "Check the disk that it is on, and run again: it is written again."
            raise NotVerified(f"verify '{place / name}'", reason, remedy)


def seal(place: Path, boot: int, *, stopped: bool) -> None:
    """Note that all of the archive is as it was written. boot: the VM's start. stopped: the VM is off since."""
    write_atomically(place / SEAL, json.dumps({"boot": boot, "stopped": stopped}))
    sync(place)


def remove(own: Iterable[Path]) -> None:
    """Remove files of a move, and their directories where nothing else is in them."""
    places = set[Path]()
    for path in own:
        for name in _with_it(path.name):
            path.with_name(name).unlink(missing_ok=True)
        places.add(path.parent)
    for place in places:
        with contextlib.suppress(OSError):
            place.rmdir()


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
