# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each resource of an old VM, by the rows of its move: what the new one lacks, and which files are the move's.

A VM has an id in its own directory, which goes and comes with it: another VM of the same name has another one. Pure, but for ids.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from ...colima_paths import Name, Paths
from ...core.system.files import text_of
from ...manifest.file import ManifestFile
from ...manifest.model import Fingerprint, Kind, Resource, Row, Status, SyncState, sync_state
from ..model import Inventory
from ..wording import listed
from .model import Archive, Held, Objects, RuntimeMoveSpec, SavedClaim
from .objects import key_of

_MOST_LEFT_OUT = 10
_SEAL = "sealed.json"
_UNNAMED = re.compile(r"[0-9a-f]{64}|sha256:[0-9a-f]+")
# Containers of pods, and those in which buildx builds.
_NOT_THE_USERS = ("k8s_", "buildx_buildkit_")
# Images that k3s brings along.
SYSTEM_IMAGES = "rancher/"


def boot_of(paths: Paths, name: Name) -> int:
    """Return what changes with each start of a VM, a failed one too; 0 where it was never started."""
    applied, events = paths.applied(name), text_of(paths.events(name))
    if events is None and not applied.exists():
        return 0
    # colima writes the one at the end of a good start; Lima begins the other when it begins.
    said = f"{applied.stat().st_mtime_ns if applied.exists() else 0} {(events or '').partition(chr(10))[0]}"
    return int(hashlib.sha256(said.encode()).hexdigest()[:12], 16)


def manifest_of(name: Name, source: str) -> ManifestFile:
    """Return the manifest of a move out of one VM. source: its id."""
    return ManifestFile(f"{source}@{name.id}", f"the next VM of {name.id}")


def own_file(path: Path, status: Status = Status.BEGUN) -> Row:
    """Return the row of a file that is the move's own. FILLED: the archive that it seals is complete."""
    return Row(Resource(Kind.FILE, str(path)), status)


def own_files(rows: Iterable[Resource]) -> tuple[Path, ...]:
    """Return the files that a move has made, or was about to make."""
    return tuple(Path(one.name) for one in rows if one.kind is Kind.FILE)


def place_of(rows: Mapping[Resource, Row]) -> Path | None:
    """Return where the complete archive of a move is; None where there was none yet."""
    sealed = [
        path for path in own_files(rows) if path.name == _SEAL and rows[Resource(Kind.FILE, str(path))].status is Status.FILLED
    ]
    return sealed[-1].parent if sealed else None


def rows_of(archive: Archive, engine: Inventory, files: Collection[str], spec: RuntimeMoveSpec) -> Iterator[Row]:
    """Yield what becomes of each resource of the old VM, with its digest as it leaves. files: of the archive, where needed."""
    objects = archive.objects or Objects()
    saved = [(image, batch.file) for batch in archive.images if batch.file in files for image in batch.images]
    for image, file in saved:
        for tag in image.tags:
            yield Row(Resource(Kind.IMAGE, tag), Status.FILLED, Fingerprint(image.content), work=str(spec.place / file))
    for one in archive.claims:
        if one.file in files:
            yield filled(one, spec.place)
    for item in objects.items:
        yield Row(object_key(item), Status.FILLED, Fingerprint(_digest(item)), work=str(spec.place / "objects.json"))
    yield from objects.stays
    yield from _of_docker(engine, {image.id for image, _file in saved})


def filled(saved: SavedClaim, place: Path) -> Row:
    """Return the row of a volume whose data is in the archive."""
    reason = listed(saved.claim.left, _MOST_LEFT_OUT)
    return Row(claim_key(saved), Status.FILLED, Fingerprint(saved.contents), work=str(place / saved.file), reason=reason)


def _of_docker(engine: Inventory, saved: Collection[str]) -> Iterator[Row]:
    """Yield what of docker's own stays in the old VM."""
    for image in engine.images:
        if image.id in saved or (image.tags and all(tag.startswith(SYSTEM_IMAGES) for tag in image.tags)):
            continue
        for name in image.tags:
            yield Row(Resource(Kind.IMAGE, name), Status.LEFT, Fingerprint(image.content), reason="O(images) leaves it out")
        if not image.tags:
            name = image.digests[0] if image.digests else image.id
            yield Row(Resource(Kind.IMAGE, name), Status.IMMOVABLE, Fingerprint(image.content), reason="it has no tag")
    for volume in engine.volumes:
        yield Row(Resource(Kind.VOLUME, volume.name), Status.IMMOVABLE, reason="it is docker's own")
    for one in engine.containers:
        if is_the_users(one.name):
            reason = f"containers are not moved; it was {one.state}"
            yield Row(Resource(Kind.CONTAINER, one.name), Status.IMMOVABLE, reason=reason)


def is_the_users(container: str) -> bool:
    """Whether a container is not a pod's, nor one in which buildx builds."""
    return not container.startswith(_NOT_THE_USERS)


def claim_key(saved: SavedClaim) -> Resource:
    """Return what a volume of the cluster is called in a manifest: by its claim."""
    return Resource(Kind.CLAIM, saved.claim.claim)


def object_key(item: Mapping[str, object]) -> Resource:
    """Return what an object of the cluster is called in a manifest."""
    return Resource(Kind.OBJECT, key_of(item))


def _digest(item: object) -> str:
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()


def arrived(row: Row, vm: str, digest: str = "", identity: str = "") -> Row:
    """Return the row of a resource that was read in the new VM. vm: its id."""
    return Row(row.resource, Status.MOVED, row.source, Fingerprint(digest, f"{vm} {identity}".strip()), row.work, row.reason)


def is_in(row: Row, vm: str) -> bool:
    """Whether a resource has arrived in this very VM."""
    return row.status is Status.MOVED and bool(row.target and vm) and row.target.identity.split(" ")[0] == vm  # type: ignore[union-attr]


def is_mine(row: Row, vm: str, identity: str) -> bool:
    """Whether a volume has arrived in this very directory of this VM."""
    return is_in(row, vm) and row.target is not None and row.target.identity == f"{vm} {identity}"


def stands(row: Row | None, vm: str, source: Fingerprint, held: Held | None) -> SyncState:
    """Compare a volume with what its directory in a VM holds now. Of another VM or directory, a row says nothing.

    A directory that is empty, and that the volume did not arrive in, may be filled.
    """
    if held is None:
        return sync_state(row, source, None)
    mine = row is not None and is_mine(row, vm, held.reading.identity)
    if held.empty and not mine and held.reading.digest != source.digest:
        return SyncState.NEW
    identity = row.target.identity if mine and row and row.target else ""
    return sync_state(row, source, Fingerprint(held.reading.digest, identity))


def lacking(rows: Mapping[Resource, Row], vm: str) -> list[Row]:
    """Return what has to go into the new VM and has not arrived in it."""
    still = (Status.BEGUN, Status.FILLED, Status.MOVED)
    return [one for one in rows.values() if one.resource.kind is not Kind.FILE and one.status in still and not is_in(one, vm)]


def staying(rows: Mapping[Resource, Row]) -> list[Row]:
    """Return what only the old VM has."""
    return [one for one in rows.values() if one.status in (Status.LEFT, Status.IMMOVABLE)]


def going(rows: Mapping[Resource, Row]) -> list[str]:
    """Return what goes with the old VM, each by its name."""
    incomplete = [one for one in rows.values() if one.status is Status.MOVED and one.reason]
    return [
        *(in_words(one.resource) for one in staying(rows)),
        *(f"{one.reason} of {in_words(one.resource)}" for one in incomplete),
    ]


def unnamed(rows: Iterable[Row], leave: Iterable[str]) -> list[Row]:
    """Return those resources that no pattern of the user names."""
    patterns = tuple(leave)
    return [one for one in rows if not any(fnmatchcase(name_of(one.resource), pattern) for pattern in patterns)]


def is_data(resource: Resource) -> bool:
    """Whether a resource can't be made again: containers and jobs can, and what has no name is listed and no more."""
    if resource.kind is Kind.OBJECT:
        return resource.name.startswith(" Secret ")
    return resource.kind is not Kind.CONTAINER and not _UNNAMED.fullmatch(resource.name)


def name_of(resource: Resource) -> str:
    """Return the name that a user gives a resource."""
    return resource.name.rpartition(" ")[2] if resource.kind is Kind.OBJECT else resource.name


def in_words(resource: Resource) -> str:
    """Return a resource with its kind."""
    if resource.kind is Kind.OBJECT:
        return resource.name.partition(" ")[2]
    return f"{'volume' if resource.kind is Kind.CLAIM else resource.kind.value} '{resource.name}'"
