# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot that is made: whole under its name, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.migration.snapshots.model import kept_in, parts_in
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.model import snapshots_in
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.store import MANIFEST, begun, remove


def test_a_snapshot_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    with begun(tmp_path / "disks" / "one") as part:
        (part / "disk").write_text("all")
        assert not (tmp_path / "disks" / "one").exists()
    assert (tmp_path / "disks" / "one" / "disk").read_text() == "all"


@pytest.mark.parametrize("failure", [OSError("full"), KeyboardInterrupt()])
def test_what_fails_takes_no_room(tmp_path: Path, failure: BaseException) -> None:
    with pytest.raises(type(failure)), begun(tmp_path / "one") as part:
        (part / "disk").write_text("half")
        raise failure
    assert list(tmp_path.iterdir()) == []


SAID = {
    "volume": "data",
    "digest": "d",
    "contents": "c",
    "files": 1,
    "bytes": 1,
    "archive_bytes": 1,
    "occupied_bytes": 1,
    "made": "",
    "labels": {},
}


def test_what_is_not_whole_any_more_is_no_snapshot_and_goes_with_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data"
    for name in ("one", "two"):
        with begun(place / name) as part:
            (part / MANIFEST).write_text(json.dumps(SAID))

    def killed(path: Path) -> None:
        raise KeyboardInterrupt(path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        remove([place / "one"])
    assert [one.name for one in snapshots_in(place)] == [one.name for one in kept_in(tmp_path)] == ["two"]
    remove([*parts_in(tmp_path), place / "two"])
    assert list(place.iterdir()) == []
