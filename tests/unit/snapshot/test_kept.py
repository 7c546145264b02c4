# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot that is made: whole under its name, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.kept import begun


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
