# SPDX-License-Identifier: GPL-3.0-or-later
"""What snapshots of disks and of volumes have in common: their names, how many are kept, and how they come and go."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import InputError
from ..core.options import suggestion
from ..core.plan import Step
from ..core.system.files import make_directory, rename_new, sync

MANIFEST, PART = "manifest.json", ".part"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")


@dataclass(frozen=True)
class Remove(Step):
    """Remove snapshots, or what was to become one."""

    paths: tuple[Path, ...] = field(kw_only=True)


def check_options(name: str, keep: int) -> None:
    """Raise InputError for a name, or a number of snapshots to keep, that can't be."""
    if not _NAME.fullmatch(name):
        raise InputError(f"use '{name}' as O(name)", "it is not a plain file name", "Use one such as 2026-11-26.")
    if keep < 0:
        raise InputError(f"use {keep} as O(keep)", "it is less than 0", "Set it to 1 or more, or 0 to keep all.")


def surplus(there: Sequence[str], name: str, keep: int) -> list[str]:
    """Return the names of old snapshots that go, of those there from the oldest on. keep: how many stay, 0 for all.

    The one of this name is the newest, or was just asked for.
    """
    others = [one for one in there if one != name]
    return others[: max(0, len(others) - keep + 1)] if keep else []


def remove_old(what: str, paths: Sequence[Path]) -> Remove:
    """Return the step that removes old snapshots of something."""
    listed = ", ".join(f"'{path.name}'" for path in paths)
    return Remove("remove", f"old snapshots of {what}", listed, paths=tuple(paths))


def remove_left(paths: tuple[Path, ...]) -> Remove:
    """Return the step that removes what killed runs have begun."""
    return Remove("remove", "what a killed run has left", paths=paths, silent=True)


def remove(paths: Sequence[Path]) -> None:
    """Remove snapshots, or what was to become one. What is left of one has no name, and goes with the next run."""
    for path in paths:
        part = path if path.name.endswith(PART) else _part(path)
        if part != path:
            rename_new(path, part)
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


@contextlib.contextmanager
def begun(path: Path) -> Iterator[Path]:
    """Yield a directory for a snapshot, which gets its name once all of it is there. What fails leaves nothing.

    What a killed run leaves, the next one removes.
    """
    part = _part(path)
    make_directory(path.parent)
    part.mkdir(0o700)
    try:
        yield part
        sync(*part.iterdir(), part)
        rename_new(part, path)
        sync(path.parent)
    except BaseException:
        # A full disk is the likeliest failure.
        shutil.rmtree(part, ignore_errors=True)
        raise


def now() -> str:
    """Return this moment as manifests have it: ISO time, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def already_there(name: str, made: str, volume: str = "") -> str:
    """Return what to say where a snapshot of that name is asked for and there: what came since is not in it."""
    what = f"Snapshot '{name}' of volume '{volume}'" if volume else f"Snapshot '{name}'"
    return f"{what} was there, as of {made}, and stays as it is. For one of this moment, give another O(name)."


def unknown(what: str, name: str, known: Sequence[str], make: str) -> InputError:
    """Return the error for a snapshot that is asked for and is not there. make: the playbook that makes one, with arguments."""
    if not known:
        return InputError(what, "no snapshot has been taken yet", f"Make one with {make}.")
    remedy = f"Choose another one with O(name). There are: {', '.join(known)}.{suggestion(name, known)}"
    return InputError(what, f"there is no snapshot '{name}'", remedy)
