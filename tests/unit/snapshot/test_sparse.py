# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of files that are mostly holes: byte-equal, and never a zero written."""

from __future__ import annotations

import filecmp
import os
import random
import sys
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.snapshot import sparse

from tests.support.macos.answers import nothing_but_holes

MIB = 1 << 20


def made(path: Path, size: int, *pieces: tuple[int, bytes]) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for at, data in pieces:
            file.seek(at)
            file.write(data)
    return path


def some(length: int) -> bytes:
    return random.Random(length).randbytes(length)  # noqa: S311 - not for secrets


Piece = tuple[int, bytes]
CASES: dict[str, tuple[int, tuple[Piece, ...]]] = {
    "empty": (0, ()),
    "a hole": (7 * MIB + 3, ()),
    "no hole": (3 * MIB, ((0, some(3 * MIB)),)),
    "ends": (9 * MIB, ((0, b"first"), (9 * MIB - 4, b"last"))),
    "over the edge of a unit": (5 * MIB, ((2 * MIB - 3, b"middle"),)),
    "zeros that are written": (6 * MIB, ((0, bytes(4 * MIB)), (5 * MIB, b"x"))),
    "an odd size": (2 * MIB + 1, ((2 * MIB, b"x"),)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_copy_is_byte_equal_and_takes_no_more(case: str, tmp_path: Path) -> None:
    size, pieces = CASES[case]
    source, written = made(tmp_path / "source", size, *pieces), list[int]()
    target = tmp_path / "target"
    sparse.copy(source, target, written.append)
    assert filecmp.cmp(source, target, shallow=False) and target.stat().st_size == size
    filled = {at // MIB for begin, data in pieces if any(data) for at in range(begin, begin + len(data))}
    assert sum(written) <= MIB * len(filled)
    assert sparse.occupied(target) <= sum(written) + 64 * 1024
    assert sparse.digest(target) == sparse.digest(source)
    assert target.stat().st_mode & 0o777 == 0o600


def test_the_digest_tells_files_apart(tmp_path: Path) -> None:
    files: list[tuple[int, *tuple[Piece, ...]]] = [
        (5 * MIB, (0, b"a")), (5 * MIB, (0, b"b")), (5 * MIB + 1, (0, b"a")), (5 * MIB, (MIB, b"a")), (5 * MIB,), (0,),
    ]  # fmt: skip
    digests = {sparse.digest(made(tmp_path / str(number), size, *pieces)) for number, (size, *pieces) in enumerate(files)}
    assert len(digests) == len(files)


def test_written_zeros_are_a_hole_to_the_digest(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", 3 * MIB, (0, bytes(3 * MIB))), made(tmp_path / "other", 3 * MIB)
    assert sparse.digest(one) == sparse.digest(other)


def test_data_that_the_system_calls_a_hole_is_copied_and_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, empty = made(tmp_path / "full", 3 * MIB, (MIB, b"fresh")), made(tmp_path / "empty", 3 * MIB)
    monkeypatch.setattr(os, "lseek", nothing_but_holes())
    assert sparse.digest(full) != sparse.digest(empty)
    # As APFS does with data that it has not written yet.
    monkeypatch.setattr(sys, "platform", "darwin")
    sparse.copy(full, tmp_path / "copy", lambda _: None)
    assert filecmp.cmp(full, tmp_path / "copy", shallow=False)


def test_a_clone_is_equal_or_there_is_none(tmp_path: Path) -> None:
    source, target = made(tmp_path / "source", 3 * MIB, (MIB, b"data")), tmp_path / "target"
    if sparse.clone(source, target):
        assert filecmp.cmp(source, target, shallow=False)
    else:
        assert not target.exists()


def test_a_copy_never_replaces_a_file(tmp_path: Path) -> None:
    source, target = made(tmp_path / "source", 10), made(tmp_path / "target", 20)
    with pytest.raises(FileExistsError):
        sparse.copy(source, target, lambda _: None)
    assert target.stat().st_size == 20
