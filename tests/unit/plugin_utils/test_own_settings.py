# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose laptop one's own settings are for, and that every playbook reads them in this one way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.laptop.containers.plugins.plugin_utils.own_settings import file_of

PLAYBOOKS = sorted((Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml"))
OWN = ["{{ lookup('laptop.containers.own_settings') }}", "vars/none.yml"]
# It only asks the laptops of others, by playbooks that it imports.
WITHOUT = {"fleet.yml"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "/home/me/.config/laptop.containers/settings.yml"),
        ({"inventory_hostname": "localhost"}, "/home/me/.config/laptop.containers/settings.yml"),
        ({"inventory_hostname": "mac", "ansible_connection": "local"}, "/home/me/.config/laptop.containers/settings.yml"),
        ({"inventory_hostname": "mac"}, "vars/none.yml"),
        ({"inventory_hostname": "mac", "workstation_settings": "/own.yml"}, "vars/none.yml"),
        ({"inventory_hostname": "localhost", "ansible_connection": "ssh"}, "vars/none.yml"),
        ({"workstation_settings": "/own.yml"}, "/own.yml"),
    ],
)
def test_own_settings_are_for_the_laptop_that_ansible_runs_on(variables: dict[str, Any], expected: str) -> None:
    templar = Templar(loader=DataLoader(), variables=variables)
    assert file_of(variables, templar, {"HOME": "/home/me"}) == expected


def test_xdg_config_home_is_followed() -> None:
    assert file_of({}, Templar(loader=DataLoader()), {"XDG_CONFIG_HOME": "/xdg"}) == "/xdg/laptop.containers/settings.yml"


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_reads_own_settings_in_the_one_way(playbook: Path) -> None:
    plays = [play for play in yaml.safe_load(playbook.read_text()) if "hosts" in play]
    reading = [play.get("vars_files") for play in plays]
    assert reading == ([None] * len(plays) if playbook.name in WITHOUT else [[OWN]] * len(plays))
