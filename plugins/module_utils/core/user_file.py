# SPDX-License-Identifier: GPL-3.0-or-later
"""A small file of the user's: what it holds, and replacing it so that nobody ever sees half of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .files import write_atomically


@dataclass(frozen=True)
class FileState:
    """What is found at a path, links followed. kind is absent, file, dangling (link to nothing) or other.

    readable is False for a file that is large or not text: it is none of ours, and its text is not known.
    """

    kind: str
    text: str = ""
    mode: int = 0
    readable: bool = True


def read_file(path: Path, limit: int = 1 << 20) -> FileState:
    """Return what is at the path. Of a file that is large or not text only that it is there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return FileState("dangling" if path.is_symlink() else "absent")
    except OSError as error:
        raise InputError(f"Could not look at '{path}': {error.strerror}. Choose a path that you can read.") from error
    if not stat.S_ISREG(found.st_mode):
        return FileState("other")
    mode = stat.S_IMODE(found.st_mode)
    if found.st_size > limit:
        return FileState("file", mode=mode, readable=False)
    try:
        return FileState("file", path.read_text(encoding="utf-8"), mode)
    except UnicodeDecodeError:
        return FileState("file", mode=mode, readable=False)
    except OSError as error:
        raise InputError(f"Could not read '{path}': {error.strerror}. Choose a path that you can read.") from error


def write_file(path: Path, text: str, mode: int, remedy: str) -> None:
    """Replace the file at once. A link stays a link: its target is replaced. remedy tells what to do on a refusal."""
    try:
        write_atomically(Path(os.path.realpath(path)), text, mode)
    except OSError as error:
        raise InputError(f"Could not write '{path}': {error.strerror}. {remedy}") from error
