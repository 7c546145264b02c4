# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a large file, and what is refused."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.sparse import data_units

MIB = 1 << 20


@pytest.mark.parametrize("length", [0, 4096])
@pytest.mark.parametrize("believe_holes", [True, False])
def test_a_read_that_ends_before_the_file_is_refused(
    length: int, believe_holes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, readv = tmp_path / "image", os.readv
    image.write_bytes(bytes(2 * MIB) + b"x" * (MIB + 7))

    def short(file: int, units: Sequence[mmap.mmap]) -> int:
        return min(readv(file, units), length) if os.lseek(file, 0, os.SEEK_CUR) == MIB else readv(file, units)

    with image.open("rb") as file:
        assert [at for at, _data in data_units(file.fileno(), believe_holes=believe_holes)] == [2 * MIB, 3 * MIB]
        monkeypatch.setattr(os, "readv", short)
        with pytest.raises(OSError, match=f"A read of the file ends at byte {MIB + length} of {3 * MIB + 7}"):
            list(data_units(file.fileno(), believe_holes=believe_holes))
