# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs and data disks that were set aside, by a move or in place of a deletion: renamed away as they are, and renamed back.

colima and Lima know nothing of it: to them the profile is absent. Back in their places, all files have the names that are
written in them. The instance goes first and comes back last, so that what is half on its way is never taken for a VM, and
colima's note goes before the disk: a disk without one is used by no start.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ...colima_paths import Name, Paths
from ...core.plan import size_in_words
from ...core.system.files import make_directory, rename_new, second_name, sync, text_of, write_atomically

# How far one is: its parts are on the way out, all there, on the way back, or there until they are removed for good.
LEAVING, KEPT, RETURNING, DELETED = "leaving", "kept", "returning", "deleted"
_NOTE, _REMOVED, _ID = "note.json", ".removed", "laptop.containers.id"
# The content of a data disk alone.
_DISK = "datadisk"
# With less than this, the laptop's disk is short.
_SHORT_BYTES = 20 << 30
_ORDER = ("instance", "profile", "store", "disk")
DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class RetainedVm:
    """What was set aside. name: of its directory. parts: where each belongs; inodes: which file each was when it left.

    id: the VM's own; empty for a VM without an id, and for a disk alone. until: when it is removed for good, in seconds since the
    epoch; 0 for never. was: the name under which it was kept before it was given up; empty for what the profile had.
    """

    name: str
    profile: str
    runtime: str
    state: str
    parts: Mapping[str, str]
    inodes: Mapping[str, int] = field(default_factory=dict)
    id: str = ""
    until: float = 0.0
    was: str = ""

    @property
    def is_disk(self) -> bool:
        """Whether it is the content of a data disk, and no VM."""
        return _DISK in self.parts

    @property
    def lasts(self) -> str:
        """Until when it is there, as a date."""
        return f"{datetime.fromtimestamp(self.until, UTC):%Y-%m-%d}"


def grace(days: float, free: int) -> str:
    """Return for how long what is deleted can come back, and what that costs where the laptop's disk is short.

    free: bytes of that disk; 0: unknown.
    """
    kept = f"playbooks/restore.yml brings it back for {days:g} days"
    if not 0 < free < _SHORT_BYTES:
        return kept
    return f"{kept}, and its room is free only then: {size_in_words(free)} are left; O(keep_deleted=0) frees it now"


def vm_id(instance: Path) -> str:
    """Return the id of a VM by its directory, with which it goes and comes; empty where it has none yet."""
    return (text_of(instance / _ID) or "").strip()


def mark(instance: Path) -> str:
    """Return the id of a VM, which gets one where it has none."""
    if not vm_id(instance):
        write_atomically(instance / _ID, secrets.token_hex(16))
    return vm_id(instance)


def read(paths: Paths, profile: Name) -> tuple[RetainedVm, ...]:
    """Return the VMs of a profile that a move keeps."""
    return tuple(vm for vm in everything(paths) if vm.profile == profile.name and not vm.until)


def deleted(paths: Paths, profile: Name | None = None) -> tuple[RetainedVm, ...]:
    """Return what was given up and can still come back: of one profile, or of all."""
    return tuple(vm for vm in everything(paths) if vm.until and (profile is None or vm.profile == profile.name))


def everything(paths: Paths) -> tuple[RetainedVm, ...]:
    """Return every VM and disk that is set aside."""
    return tuple(sorted(_read(paths), key=lambda vm: vm.name))


def _read(paths: Paths) -> Iterator[RetainedVm]:
    for note in paths.kept.glob(f"[!.]*/{_NOTE}"):
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            # The directory is the name: it may have been renamed a moment before its note says so.
            yield RetainedVm(**{**json.loads(note.read_text(encoding="utf-8")), "name": note.parent.name})


def homes(paths: Paths, name: Name) -> dict[str, Path]:
    """Return where the parts of a profile are, in the order in which they leave."""
    places = (paths.instance(name), paths.profile(name), paths.store(name), paths.data_disk(name))
    return dict(zip(_ORDER, places, strict=True))


def on_one_disk(paths: Paths, name: Name) -> bool:
    """Whether all parts can be renamed into the directory of kept VMs."""
    numbers = {path.stat().st_dev for path in (paths.lima, *homes(paths, name).values()) if path.exists()}
    return len(numbers) <= 1


def set_aside(paths: Paths, name: Name, called: str, runtime: str) -> None:
    """Rename a stopped VM away, or go on with that."""
    kept = next((vm for vm in read(paths, name) if vm.name == called), None)
    parts = {part: str(path) for part, path in homes(paths, name).items() if path.exists()}
    _take(paths, kept or RetainedVm(called, name.name, runtime, LEAVING, parts, id=vm_id(paths.instance(name))), KEPT)
    _forget(paths, name)


def delete(paths: Paths, name: Name, runtime: str, days: float) -> RetainedVm:
    """Set a stopped VM aside in place of a deletion, for so many days. Returns where it is."""
    half = next((vm for vm in deleted(paths, name) if vm.state == LEAVING), None)
    parts = {part: str(path) for part, path in homes(paths, name).items() if path.exists()}
    until = time.time() + days * DAY_SECONDS
    kept = half or RetainedVm(
        _unused(paths, name), name.name, runtime, LEAVING, parts, id=vm_id(paths.instance(name)), until=until
    )
    _take(paths, kept, DELETED)
    _forget(paths, name)
    return kept


def replace_disk(paths: Paths, name: Name, disk: Path, new: Path, days: float) -> None:
    """Give a data disk another content at once. What it had comes back for so many days; both are on the disk of the kept VMs."""
    if days:
        until = time.time() + days * DAY_SECONDS
        kept = RetainedVm(_unused(paths, name), name.name, "", DELETED, {_DISK: str(disk)}, until=until)
        place = paths.kept / kept.name
        make_directory(place)
        # By a second name of it the profile has a disk at every moment. Else a killed run has left where the disk is.
        has_both = second_name(disk, place / _DISK)
        _note(place, kept)
        if not has_both:
            rename_new(disk, place / _DISK)
    sync(new)
    new.replace(disk)
    sync(disk.parent)


def give_up(paths: Paths, kept: RetainedVm, days: float) -> RetainedVm:
    """Let a VM that a move keeps be removed after so many days. Returns where it is."""
    name = Name(kept.profile, "")
    given = replace(kept, name=_unused(paths, name), state=DELETED, until=time.time() + days * DAY_SECONDS, was=kept.name)
    rename_new(paths.kept / kept.name, paths.kept / given.name)
    _note(paths.kept / given.name, given)
    return given


def _unused(paths: Paths, name: Name) -> str:
    first = f"{name.name}-deleted-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    names = (first, *(f"{first}-{number}" for number in range(1, 100)))
    return next(candidate for candidate in names if not (paths.kept / candidate).exists())


def _take(paths: Paths, kept: RetainedVm, state: str) -> None:
    """Rename all parts away, or go on with that."""
    place = paths.kept / kept.name
    if not (place / _NOTE).exists():
        kept = replace(kept, inodes={part: _inode(Path(path)) for part, path in kept.parts.items()})
        _note(place, kept)
    for part, path in kept.parts.items():
        # Another one under that name was made meanwhile, and stays.
        if (place / part).exists() or _inode(Path(path)) != kept.inodes[part]:
            continue
        rename_new(Path(path), place / part)
        sync(place, Path(path).parent)
    _note(place, replace(kept, state=state))


def bring_back(paths: Paths, name: Name, kept: RetainedVm) -> None:
    """Rename what is kept back, or go on with that. Its places must be free."""
    place = paths.kept / kept.name
    if _DISK in kept.parts:
        # Where the profile has a disk, this one has taken its place already.
        with contextlib.suppress(FileNotFoundError):
            rename_new(place / _DISK, Path(kept.parts[_DISK]))
            sync(Path(kept.parts[_DISK]).parent)
        shutil.rmtree(place)
        return
    if kept.was:
        # It was an old VM of a move, and is that again.
        again = replace(kept, name=kept.was, state=KEPT, until=0.0, was="")
        if again.name != kept.name:
            rename_new(place, paths.kept / again.name)
        _note(paths.kept / again.name, again)
        return
    _note(place, replace(kept, state=RETURNING))
    for part, path in reversed(list(kept.parts.items())):
        if (place / part).exists():
            rename_new(place / part, Path(path))
            sync(Path(path).parent, place)
    _forget(paths, name)
    shutil.rmtree(place)


def remove(paths: Paths, called: str) -> None:
    """Remove what is kept, where it is named, and what killed runs have left of others. Nothing brings it back."""
    for leftover in leftovers(paths):
        shutil.rmtree(leftover)
    if called and (paths.kept / called).exists():
        gone = paths.kept / f".{called}{_REMOVED}"
        rename_new(paths.kept / called, gone)
        shutil.rmtree(gone)


def leftovers(paths: Paths) -> list[Path]:
    """Return what killed runs have left of what they removed."""
    return list(paths.kept.glob(f".*{_REMOVED}"))


def room_of(paths: Paths, kept: RetainedVm) -> int:
    """Return how many bytes of the laptop's disk it takes."""
    files = (file for file in (paths.kept / kept.name).rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_blocks * 512 for file in files)


def _forget(paths: Paths, name: Name) -> None:
    """Remove our notes of the VM that the profile had so far."""
    for note in (paths.fresh(name), paths.kube_entry(name), paths.idle(name)):
        note.unlink(missing_ok=True)


def _note(place: Path, kept: RetainedVm) -> None:
    make_directory(place)
    write_atomically(place / _NOTE, json.dumps(asdict(kept), indent=1))
    sync(place)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
