# SPDX-License-Identifier: GPL-3.0-or-later
"""A small file of the user's: what it holds, and replacing it so that nobody ever sees half of it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError


@dataclass(frozen=True)
class FileState:
    """What is found at a path, links followed. kind is absent, file, dangling (link to nothing) or other."""

    kind: str
    text: str = ""
    mode: int = 0


def read_file(path: Path, limit: int = 1 << 20) -> FileState:
    """Return what is at the path. A file that is large or not text has an empty text: it is none of ours."""
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
        return FileState("file", mode=mode)
    try:
        return FileState("file", path.read_text(encoding="utf-8"), mode)
    except UnicodeDecodeError:
        return FileState("file", mode=mode)
    except OSError as error:
        raise InputError(f"Could not read '{path}': {error.strerror}. Choose a path that you can read.") from error


def write_file(path: Path, text: str, mode: int, remedy: str) -> None:
    """Replace the file at once. A link stays a link: its target is replaced. remedy tells what to do on a refusal."""
    target = Path(os.path.realpath(path))
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            # Without it, a crash of the machine can leave an empty file under the new name.
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise InputError(f"Could not write '{path}': {error.strerror}. {remedy}") from error
