# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing a file at once, so that nobody ever finds half of one, also after a crash. What is in it, it does not know."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Both systems call it 2: the two names change places in one step.
_EXCHANGE = 2
_AT_CURRENT_DIRECTORY = -100


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replace the file, by default readable by the user only. A link at the path is replaced, too: give its target."""
    with _written_beside(path, content, mode) as new:
        new.replace(path)


def replace_if_unchanged(path: Path, content: str | bytes, mode: int, found: bytes | None) -> bool:
    """Replace the file if it still holds what was found (None: nothing). Returns False, and leaves it, if it does not.

    Looking and replacing are two steps, and another program may write in between. So the files change places, and change back
    when the other one turns out not to be what was found. A program that takes no lock can still lose a write: one that reads
    the file in the microseconds between these two changes, and only if yet another write was made just before them.
    """
    exchange = _exchange()
    with _written_beside(path, content, mode) as new:
        names = os.fsencode(new), os.fsencode(path)
        placed = _content(new)
        if _content(path) != found:
            return False
        if found is None:
            try:
                os.link(new, path)
            except FileExistsError:
                return False
            return True
        if not exchange(*names):
            new.replace(path)
            return True
        taken = _content(new)
        if taken == found:
            return True
        # What was taken goes back. What comes out for it is ours, or else what somebody has written over ours: the newest.
        while True:
            exchange(*names)
            out = _content(new)
            if out == placed:
                return False
            placed, taken = taken, out


@contextlib.contextmanager
def _written_beside(path: Path, content: str | bytes, mode: int) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # It is the directory that takes no file; the name of one that never was helps nobody.
        error.filename = str(path.parent)
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            # Without it, a crash of the machine can leave an empty file under the new name.
            os.fsync(file.fileno())
        yield Path(temporary)
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@functools.cache
def _exchange() -> Callable[[bytes, bytes], bool]:
    """Return what lets two files change places, and says whether it did: not every system and file system can."""
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "renameat2"):
        here = _AT_CURRENT_DIRECTORY
        return lambda one, other: bool(library.renameat2(here, one, here, other, _EXCHANGE) == 0)
    if hasattr(library, "renamex_np"):
        return lambda one, other: bool(library.renamex_np(one, other, _EXCHANGE) == 0)
    return lambda _one, _other: False
