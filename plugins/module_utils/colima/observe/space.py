# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile takes of the laptop's own disk: its VM and its data disk are sparse files, which take less than their size."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ...colima_paths import Name, Paths


def on_laptop(paths: Paths, name: Name) -> int:
    """Return how many bytes of the laptop's disk a profile takes."""
    return taken_by(paths.instance(name)) + taken_by(paths.data_disk(name))


def taken_by(directory: Path) -> int:
    """Return how many bytes the files in a directory really take; what can't be seen takes none."""
    with contextlib.suppress(OSError):
        return sum(_blocks(file) for file in directory.iterdir() if file.is_file() and not file.is_symlink())
    return 0


def _blocks(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_blocks * 512
    return 0
