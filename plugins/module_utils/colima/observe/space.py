# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile takes of the laptop's own disk: its VM and its data disk are sparse files, which take less than their size."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ...colima_paths import Name, Paths


def on_laptop(paths: Paths, name: Name) -> int:
    """Return how many bytes of the laptop's disk a profile takes."""
    places = (paths.instance(name), paths.data_disk(name))
    return sum(_blocks(file) for place in places for file in _files(place))


def _files(place: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [file for file in place.iterdir() if not file.is_symlink()]
    return []


def _blocks(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_blocks * 512
    return 0
