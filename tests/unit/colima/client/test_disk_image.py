# SPDX-License-Identifier: GPL-3.0-or-later
"""A data disk counts as empty only where its bytes prove it."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.disk_image import is_written

from tests.support.macos.answers import nothing_but_holes

SIZE = 1 << 30


def raw(at: int, data: bytes) -> Callable[[Path], None]:
    """Make a sparse image with these bytes in it."""

    def make(image: Path) -> None:
        image.touch()
        os.truncate(image, SIZE)
        with image.open("r+b") as file:
            file.seek(at)
            file.write(data)

    return make


def qcow2(*table: int, cut: int = 0) -> Callable[[Path], None]:
    """Make a qcow2 image with this first table."""

    def make(image: Path) -> None:
        head = b"QFI\xfb" + struct.pack(">IQIIQIIQ", 3, 0, 0, 16, SIZE, 0, len(table), 0x1000)
        data = head.ljust(0x1000, b"\0") + struct.pack(f">{len(table)}Q", *table)
        image.write_bytes(data[: len(data) - cut])

    return make


EMPTY = {
    "a new image is one hole": raw(0, b""),
    "zeros were written": raw(4096, bytes(3 << 20)),
    "a new qcow2 image": qcow2(0, 0),
}
WRITTEN = {
    "the mark of ext4, and few blocks": raw(1080, b"\x53\xef"),
    "a partition table": raw(510, b"\x55\xaa"),
    "a label at the end": raw(SIZE - 4096, b"zpool"),
    "a qcow2 image with a cluster": qcow2(0, 1 << 63 | 0x50000),
    "a qcow2 image whose table is cut off": qcow2(0, 0, cut=4),
    "a qcow2 image without a table": qcow2(),
    "a directory": Path.mkdir,
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY.keys())
@pytest.mark.parametrize("name", ["datadisk", "raw.img"])
def test_a_disk_that_was_only_created_is_empty(make: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    make(tmp_path / name)
    assert not is_written(tmp_path)


@pytest.mark.parametrize("make", WRITTEN.values(), ids=WRITTEN.keys())
def test_anything_else_counts_as_data(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "datadisk")
    assert is_written(tmp_path)


def test_a_disk_that_is_not_there_proves_nothing(tmp_path: Path) -> None:
    assert is_written(tmp_path)


def test_on_a_mac_no_hole_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "datadisk"
    with image.open("wb") as file:
        file.truncate(5 << 20)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "lseek", nothing_but_holes())
    assert not is_written(tmp_path)
    with image.open("r+b") as written:
        written.seek(4 << 20)
        written.write(b"x")
    assert is_written(tmp_path)
