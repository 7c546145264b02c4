# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the image of a data disk ever held anything, proved by its bytes. Without that proof it did."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

from ...core.system.sparse import data_units, uncached

# Lima makes no image with a longer table.
_MOST_BYTES = 1 << 20
# The head of a qcow2 image: its mark, and the place of the table of what the guest has written (version 2 and 3 alike).
_QCOW2, _QCOW2_HEAD = b"QFI\xfb", struct.Struct(">36xIQ")


def is_written(directory: Path) -> bool:
    """Whether anything was ever stored on Lima's disk in this directory."""
    for name in ("datadisk", "raw.img"):
        with contextlib.suppress(FileNotFoundError):
            return _holds_data(directory / name)
    return True


def _holds_data(image: Path) -> bool:
    try:
        with image.open("rb", buffering=0) as file:
            handle = file.fileno()
            head = os.pread(handle, _QCOW2_HEAD.size, 0)
            if head.startswith(_QCOW2):
                return any(_written_table(handle, head))
        with uncached(image) as handle:
            return any(data_units(handle, believe_holes=True))
    except FileNotFoundError:
        raise
    except (AttributeError, OSError, ValueError, struct.error):
        # AttributeError: a Python without SEEK_DATA.
        return True


def _written_table(handle: int, head: bytes) -> bytes:
    """Return the first table of a qcow2 image, in which each entry of a part that was never written is zero."""
    entries, offset = _QCOW2_HEAD.unpack(head)
    length = entries * 8
    table = os.pread(handle, min(length, _MOST_BYTES), offset)
    if not length or len(table) < length:
        raise ValueError("not a whole table")
    return table
