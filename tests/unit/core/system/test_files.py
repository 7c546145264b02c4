# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the disk when a name becomes final."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.files import sync, write_atomically


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the inodes that are given to fsync, which continues doing its work."""
    seen, real = list[int](), os.fsync

    def fsync(handle: int) -> None:
        seen.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    return seen


def test_files_and_directories_are_synced_in_this_order(tmp_path: Path, synced: list[int]) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    sync(file, tmp_path)
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize(("number", "fallen_back"), [(fcntl.F_GETFD, False), (9999, True)])
def test_a_drives_own_cache_is_passed_where_the_file_system_can(
    tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch, number: int, fallen_back: bool
) -> None:
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", number, raising=False)
    sync(tmp_path)
    assert bool(synced) is fallen_back


def test_a_replaced_file_keeps_its_access_list_and_its_attributes(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("old")
    # As setfacl -m u:65534:r writes it: version 2; then owner, user 65534, group, mask and others, each with its rights.
    entries = ((1, 6, -1), (2, 4, 65534), (4, 4, -1), (16, 4, -1), (32, 0, -1))
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    attributes = {"user.tag": b"red", "system.posix_acl_access": access}
    for name, value in attributes.items():
        os.setxattr(file, name, value)
    write_atomically(file, "new", 0o640)
    assert file.read_text() == "new"
    assert {name: os.getxattr(file, name) for name in attributes} == attributes
