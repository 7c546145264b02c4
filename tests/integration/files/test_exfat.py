# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with exFAT, as people attach one for backups: no second names, owners, modes or attributes, and `Data` is `data`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.files import (
    keep_aside,
    rename_new,
    replace_if_unchanged,
    second_name,
    write_file,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.snapshots.model import directory_of
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.sparse import copy, digest

MISSING = [name for name in ("mkfs.exfat", "mount.exfat-fuse") if shutil.which(name, path="/usr/sbin:/sbin:/usr/bin") is None]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can attach a disk"),
    pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} missing: run make engines"),
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this machine has no FUSE"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB, attached."""
    image, place = tmp_path / "image", tmp_path / "disk"
    image.touch()
    os.truncate(image, 64 << 20)
    place.mkdir()
    subprocess.run(["mkfs.exfat", image], check=True, stdout=subprocess.DEVNULL)
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["mount.exfat-fuse", device, place], check=True, stdout=subprocess.DEVNULL)
    yield place
    subprocess.run(["umount", place], check=True)
    subprocess.run(["losetup", "--detach", device], check=True)


def test_it_is_such_a_disk(disk: Path) -> None:
    (disk / "Data").touch()
    assert (disk / "data").exists()
    assert not second_name(disk / "Data", disk / "other")
    with pytest.raises(OSError, match="Operation not permitted"):
        os.chown(disk / "Data", 1, 1)


def test_a_file_is_written_and_replaced(disk: Path) -> None:
    path = disk / "settings"
    write_file(path, "one", 0o600, "")
    write_file(path, "two", 0o600, "")
    assert replace_if_unchanged(path, "three", 0o600, b"two")
    assert not replace_if_unchanged(path, "four", 0o600, b"two")
    assert not replace_if_unchanged(path, "four", 0o600, None)
    assert path.read_text() == "three"
    assert [found.name for found in disk.iterdir()] == ["settings"]


def test_no_name_is_replaced_in_whichever_case(disk: Path) -> None:
    for name in ("theirs", "ours"):
        (disk / name).write_text(name)
    with pytest.raises(FileExistsError):
        rename_new(disk / "ours", disk / "THEIRS")
    assert (disk / "theirs").read_text() == "theirs"
    rename_new(disk / "ours", disk / "new")
    assert keep_aside(disk / "new", "old").name == "new.old"
    assert sorted(found.name for found in disk.iterdir()) == ["new.old", "theirs"]


def test_volumes_that_differ_in_case_have_directories_of_their_own(disk: Path) -> None:
    for name in ("Data", "data", "DATA"):
        (disk / directory_of(name)).mkdir()
    assert len([*disk.iterdir()]) == 3


def test_a_copy_of_a_disk_with_holes_is_equal(disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.write(b"begin")
        file.seek(8 << 20)
        file.write(b"end")
    copy(source, disk / "copy", lambda _written: None)
    assert (disk / "copy").read_bytes() == source.read_bytes()
    assert digest(disk / "copy") == digest(source)
