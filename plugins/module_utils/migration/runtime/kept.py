# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that were set aside: instance, disk, colima's note of it and settings, renamed away as they are, and renamed back.

colima and Lima know nothing of it: to them the profile is absent. Back in their places, all files have the names that are
written in them. The instance goes first and comes back last, so that what is half on its way is never taken for a VM, and
colima's note goes before the disk: a disk without one is used by no start.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from ...colima_paths import Name, Paths
from ...core.system.files import make_directory, rename_new, write_atomically
from .evidence import vm_id
from .model import KEPT, LEAVING, RETURNING, Kept

_NOTE, _REMOVED = "note.json", ".removed"
_ORDER = ("instance", "profile", "store", "disk")


def read(paths: Paths, profile: Name) -> tuple[Kept, ...]:
    """Return the kept VMs of a profile."""
    return tuple(sorted(_read(paths, profile), key=lambda one: one.name))


def _read(paths: Paths, profile: Name) -> Iterator[Kept]:
    for note in paths.kept.glob(f"[!.]*/{_NOTE}"):
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError):
            found = Kept(**json.loads(note.read_text(encoding="utf-8")))
            if found.profile == profile.name:
                yield found


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
    place = paths.kept / called
    kept = next((one for one in read(paths, name) if one.name == called), None)
    if kept is None:
        there = {part: path for part, path in homes(paths, name).items() if path.exists()}
        inodes = {part: path.stat().st_ino for part, path in there.items()}
        parts = {part: str(path) for part, path in there.items()}
        kept = Kept(called, name.name, runtime, LEAVING, parts, inodes, vm_id(paths.instance(name)))
        _note(place, kept)
    for part, path in kept.parts.items():
        # Another one under that name was made meanwhile, and stays.
        if _inode(Path(path)) == kept.inodes[part]:
            rename_new(Path(path), place / part)
    _forget(paths, name)
    _note(place, replace(kept, state=KEPT))


def bring_back(paths: Paths, name: Name, kept: Kept) -> None:
    """Rename a kept VM back, or go on with that. Its places must be free."""
    place = paths.kept / kept.name
    _note(place, replace(kept, state=RETURNING))
    for part, path in reversed(list(kept.parts.items())):
        if (place / part).exists():
            rename_new(place / part, Path(path))
    _forget(paths, name)
    shutil.rmtree(place)


def remove(paths: Paths, called: str) -> None:
    """Remove a kept VM, where one is named, and what killed runs have left of others."""
    place = paths.kept
    if called and (place / called).exists():
        rename_new(place / called, place / f".{called}{_REMOVED}")
    for one in left(paths):
        shutil.rmtree(one)


def left(paths: Paths) -> list[Path]:
    """Return what killed runs have left of VMs that they removed."""
    return list(paths.kept.glob(f".*{_REMOVED}"))


def _forget(paths: Paths, name: Name) -> None:
    """Remove our notes of the VM that the profile had so far."""
    for note in (paths.fresh(name), paths.kube_entry(name), paths.idle(name)):
        note.unlink(missing_ok=True)


def _note(place: Path, kept: Kept) -> None:
    make_directory(place)
    write_atomically(place / _NOTE, json.dumps(asdict(kept), indent=1))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
