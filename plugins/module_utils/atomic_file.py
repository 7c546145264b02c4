# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing a file at once, so that nobody ever finds half of one, also after a crash. What is in it, it does not know."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600, only_if: Callable[[], bool] = lambda: True) -> bool:
    """Replace the file, by default readable by the user only. Returns False when only_if, asked last, says no.

    A link at the path is replaced, too: give its target where it shall stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            # Without it, a crash of the machine can leave an empty file under the new name.
            os.fsync(file.fileno())
        if not only_if():
            return False
        Path(temporary).replace(path)
        return True
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
