# SPDX-License-Identifier: GPL-3.0-or-later
"""What options a move refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.migration.info import MoveReader
from ansible_collections.laptop.containers.plugins.module_utils.migration.task import Mover


def test_a_largest_size_below_zero_is_refused_as_nothing_is_that_small() -> None:
    params = {name: spec.get("default") for name, spec in Mover.argument_spec.items()} | {
        "source": "unix:///old.sock",
        "largest_gib": -1.0,
    }
    with pytest.raises(
        InputError, match=r"use -1 as O\(largest_gib\): it is less than 0\. Set it to GiB, or to 0 for any size\."
    ):
        Mover().parse(params, check_mode=True)


def test_a_profile_that_the_settings_have_under_its_long_name_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLIMA_HOME", str(tmp_path))
    given = {"source": f"unix://{tmp_path}/old/docker.sock", "target": "unix:///new.sock", "retire": True, "kept": ["colima-old"]}
    params = {name: spec.get("default") for name, spec in MoveReader.argument_spec.items()} | given
    spec = MoveReader().parse(params, check_mode=True).retirement
    assert spec and spec.profile == "old" and spec.profile in spec.kept
