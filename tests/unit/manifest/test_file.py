# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest on the disk: appended, complete after a kill at any byte, one for each pair of engines."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.manifest import file
from ansible_collections.laptop.containers.plugins.module_utils.manifest.file import ManifestFile
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint, Kind, Resource, Row, Status

ODD = Resource(Kind.VOLUME, 'a "b"\nü\u2028')
IMAGE = Resource(Kind.IMAGE, "web:1")
BEGUN = Row(ODD, Status.BEGUN, Fingerprint("d", "i"), work="moving-1")
MOVED = Row(ODD, Status.MOVED, Fingerprint("d", "i"), Fingerprint("e", "j"))
LEFT = Row(IMAGE, Status.LEFT, reason="named in leave")


def manifest() -> ManifestFile:
    return ManifestFile("a@unix:///a.sock", "b@unix:///b.sock")


def test_the_last_row_of_a_thing_counts_and_forgotten_ones_do_not() -> None:
    assert manifest().rows() == {}
    manifest().append(BEGUN, LEFT)
    assert manifest().rows() == {ODD: BEGUN, IMAGE: LEFT}
    manifest().append(MOVED)
    manifest().forget(IMAGE)
    assert manifest().rows() == {ODD: MOVED}


def test_each_pair_has_its_own_rows() -> None:
    manifest().append(MOVED)
    assert ManifestFile("c@unix:///c.sock", "b@unix:///b.sock").rows() == {}
    assert ManifestFile("b@unix:///b.sock", "a@unix:///a.sock").rows() == {}


def test_a_kill_at_any_byte_leaves_whole_rows(tmp_path: Path) -> None:
    manifest().append(BEGUN)
    before = manifest().path.read_bytes()
    manifest().append(MOVED, LEFT)
    whole = manifest().path.read_bytes()
    for size in range(len(before), len(whole) + 1):
        manifest().path.write_bytes(whole[:size])
        assert manifest().rows()[ODD] in (BEGUN, MOVED)
        manifest().append(LEFT)
        assert manifest().rows()[IMAGE] == LEFT
        assert manifest().rows()[ODD] in (BEGUN, MOVED)


def test_a_damaged_row_is_no_row() -> None:
    manifest().append(MOVED)
    with manifest().path.open("a") as opened:
        opened.write('{"kind": "volume", "name": "x", "status": "gone"}\n[1]\n{"kind": "volume", "name": "y", "status": "moved"')
    assert manifest().rows() == {ODD: MOVED}
    with manifest().path.open("a") as opened:
        opened.write('\n{"kind": "volume", "name": "a \\"b\\"\\nü\\u2028", "status": "moved", "target": 7}\n')
    assert manifest().rows() == {}


def test_a_row_of_before_the_status_had_its_name_is_read() -> None:
    manifest().append(MOVED, LEFT)
    manifest().path.write_text(manifest().path.read_text().replace('"status"', '"fate"'))
    assert manifest().rows() == {ODD: MOVED, IMAGE: LEFT}


def test_rows_of_a_newer_release_are_refused() -> None:
    manifest().append(MOVED)
    manifest().path.write_text('{"version": 2}\n')
    with pytest.raises(InputError, match="newer release"):
        manifest().rows()


def test_a_large_file_is_written_again_without_replaced_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        manifest().append(Row(ODD, Status.BEGUN, Fingerprint(str(number))))
    monkeypatch.setattr(file, "_LARGEST_BYTES", 100)
    manifest().append(MOVED)
    assert manifest().rows() == {ODD: MOVED}
    assert len(manifest().path.read_text().splitlines()) == 3


def test_only_its_user_reads_it() -> None:
    manifest().append(MOVED)
    assert stat.S_IMODE(manifest().path.stat().st_mode) == 0o600
    assert stat.S_IMODE(manifest().path.parent.stat().st_mode) == 0o700
