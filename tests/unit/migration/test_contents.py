# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of an archive's contents: the same for the same tree, and another one for whatever is different in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.contents import Contents, contents_of
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.tar import Archive, Broken
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.volumes import READ

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="GNU tar and extended attributes as Linux has them")
MIB = 1 << 20
NAMES = ("a", "d/b", os.fsdecode(b"d/\xff\nname"), "d/" + "long" * 40)


def packed(tree: Path, *without: str) -> bytes:
    """Return the archive that a helper would make."""
    argv = [word.replace("=/v", f"={tree}") for word in READ[1:] if word not in without]
    return subprocess.run(["tar", *argv], capture_output=True, check=True).stdout


def found(data: bytes, piece: int = MIB) -> Contents:
    return contents_of(Archive(data[at : at + piece] for at in range(0, len(data), piece)))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    place = tmp_path / "tree"
    (place / "d").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (place / name).write_bytes(bytes([number + 1]) * (number * 700))
    os.link(place / "a", place / "linked")
    (place / "link").symlink_to("x" * 150)
    with (place / "holes").open("wb") as file:
        file.truncate(5 * MIB + 17)
        for at in (3, MIB - 2, 3 * MIB, 5 * MIB + 16):
            file.seek(at)
            file.write(b"d")
    for path in (place, *place.rglob("*")):
        os.utime(path, ns=(0, 1_234_567_890_123_456_789), follow_symlinks=False)
    return place


def test_it_does_not_depend_on_how_the_archive_comes(tree: Path) -> None:
    data = packed(tree)
    assert found(data, len(data)) == found(data, 1) == found(data, 700) == found(data, 32768)
    # A directory, the top one, four files, one of them twice, a link, and one with holes.
    assert (found(data).files, found(data).size) == (9, 700 * 6 + 5 * MIB + 17)


def test_holes_are_zeros(tree: Path) -> None:
    version = "--sparse-version=0.0"
    assert len(packed(tree)) < len(packed(tree, version, "--sparse"))
    assert found(packed(tree)) == found(packed(tree, version, "--sparse"))


def test_two_readings_of_a_tree_are_the_same_archive(tree: Path) -> None:
    assert packed(tree) == packed(tree)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "d/b").write_bytes(b"\x02" * 699 + b"\x03"),
        lambda tree: (tree / "d/b").chmod(0o600),
        lambda tree: (tree / "d").chmod(0o700),
        lambda tree: tree.chmod(0o700),
        lambda tree: os.utime(tree / "d/b", ns=(0, 1_234_567_890_123_456_788)),
        lambda tree: (tree / "d/b").rename(tree / "d/c"),
        lambda tree: (tree / "linked").unlink(),
        lambda tree: _again(tree / "linked", lambda path: path.write_bytes(b"")),
        lambda tree: _again(tree / "link", lambda path: path.symlink_to("x" * 149 + "y")),
        lambda tree: os.setxattr(tree / "a", "user.note", b"1"),
        lambda tree: _write(tree / "holes", 4 * MIB, b"d"),
        lambda tree: _write(tree / "holes", 3 * MIB, b"\0d"),
        lambda tree: (tree / "new").mkdir(),
    ],
)
def test_any_difference_shows(tree: Path, change: Callable[[Path], object]) -> None:
    before = found(packed(tree))
    change(tree)
    assert found(packed(tree)).digest != before.digest


def _again(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def _write(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_extended_attributes_of_any_bytes_count(tree: Path) -> None:
    digests = set()
    for value in (b"1\n2 = 3", b"1\n2 = 4", b"\0\xff"):
        os.setxattr(tree / "a", "user.note", value)
        digests.add(found(packed(tree)).digest)
    assert len(digests) == 3


def test_an_archive_that_ends_early_is_noticed(tree: Path) -> None:
    data = packed(tree)
    end = len(data.rstrip(b"\0"))
    for length in (0, 100, 512, 1024, 5000, end // 1024 * 512, end):
        with pytest.raises(Broken, match="hung up in the middle"):
            found(data[:length])
