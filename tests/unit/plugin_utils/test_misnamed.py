# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of settings whose name is nearly right is named; a file of another purpose is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from ansible_collections.laptop.containers.plugins.plugin_utils.misnamed import misnamed


def test_files_that_are_nearly_called_right_are_named(tmp_path: Path) -> None:
    team, config = tmp_path / "inventory", tmp_path / "home" / ".config"
    for file in (
        team / "host_vars" / "rehersal.yml",
        team / "host_vars" / "rehearsal.yml",
        team / "group_vars" / "laptop.yml",
        team / "group_vars" / "all.yml",
        team / "group_vars" / "databases.yml",
        config / "laptop-containers" / "settings.yml",
        config / "laptop.containers" / "settings.yml",
        config / "laptop.containers.yml",
        config / "laptop.containers.log",
        config / "docker" / "settings.yml",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}\n")
    inventory = SimpleNamespace(_sources=[str(team / "hosts.yml")], hosts={"rehearsal": 1}, groups={"all": 1, "laptops": 1})
    (team / "hosts.yml").write_text("{}\n")
    said = list(misnamed(inventory, str(tmp_path), {"HOME": str(tmp_path / "home")}))
    host, group = team / "host_vars" / "rehersal.yml", team / "group_vars" / "laptop.yml"
    assert said == [
        f"'{host}' is not read: no laptop is called 'rehersal'. Did you mean 'rehearsal'? Rename the file.",
        f"'{group}' is not read: no group is called 'laptop'. Did you mean 'laptops'? Rename the file.",
        f"'{config / 'laptop-containers'}' is not read: your own settings are in '{config / 'laptop.containers'}'. Rename it.",
        f"'{config / 'laptop.containers.yml'}' is not read: your own settings are in "
        f"'{config / 'laptop.containers' / 'settings.yml'}'. Move it there.",
    ]
