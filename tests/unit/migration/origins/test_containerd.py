# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile on containerd that falls silent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.guest import Inside
from ansible_collections.laptop.containers.plugins.module_utils.migration.origins.containerd import ContainerdOrigin


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContainerdOrigin:
    """A profile whose log-in hangs."""
    program = tmp_path / "colima"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    inside = Inside(Colima(resolve(os.environ, "Linux")), parse_name("old"))
    found = ContainerdOrigin(inside, "/containerd.sock", "the source 'old'", 0.02)
    found.places["data"] = "/data"
    return found


def test_a_comparison_ends_where_nothing_comes(origin: ContainerdOrigin) -> None:
    with pytest.raises(CommandFailed, match=r"compare volume 'data': the source 'old' does not answer: nothing came for 0\.3 s"):
        origin.contents("data", "compare volume 'data'")
