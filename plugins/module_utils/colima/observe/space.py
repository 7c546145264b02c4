# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile takes: of the laptop's own disk, where its files are sparse, and of the file systems in its VM, as df tells."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...colima_paths import Name, Paths

_KIB = 1024


@dataclass(frozen=True)
class DiskUsage:
    """How full a file system is, in bytes."""

    size: int
    used: int

    @property
    def share(self) -> float:
        """The used part, 0 to 1."""
        return self.used / self.size if self.size else 0.0


def usages(lines: Iterable[str]) -> dict[str, DiskUsage]:
    """Return how full file systems are, by mount point, from what `df -Pk` prints; anything else in it is passed over."""
    rows = (line.split(None, 5) for line in lines)
    return {
        row[5]: DiskUsage(int(row[1]) * _KIB, int(row[2]) * _KIB)
        for row in rows
        if len(row) == 6 and row[1].isdigit() and row[2].isdigit()
    }


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
