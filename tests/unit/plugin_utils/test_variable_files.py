# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of settings whose name is nearly right is named; a file of another purpose is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.laptop.containers.plugins.plugin_utils.variable_files import misnamed, unreadable


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
        config / "laptop.containers" / "settings.yaml",
        config / "laptop.containers" / "settings.yml.bak",
        config / "laptop.containers.yml",
        config / "laptop.containers.log",
        config / "docker" / "settings.yml",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}\n")
    inventory = SimpleNamespace(_sources=[str(team / "hosts.yml")], hosts={"rehearsal": 1}, groups={"all": 1, "laptops": 1})
    (team / "hosts.yml").write_text("{}\n")
    said = list(misnamed(inventory, str(tmp_path), {"HOME": str(tmp_path / "home")}, team))
    host, group = team / "host_vars" / "rehersal.yml", team / "group_vars" / "laptop.yml"
    assert said == [
        f"'{host}' is not read: no laptop is called 'rehersal'. Did you mean 'rehearsal'? Rename the file.",
        f"'{group}' is not read: no group is called 'laptop'. Did you mean 'laptops'? Rename the file.",
        f"'{config / 'laptop-containers'}' is not read: your own settings are in '{config / 'laptop.containers'}'. Rename it.",
        f"'{config / 'laptop.containers.yml'}' is not read: your own settings are in "
        f"'{config / 'laptop.containers' / 'settings.yml'}'. Move it there.",
        f"'{config / 'laptop.containers' / 'settings.yaml'}' is not read: your own settings are in "
        f"'{config / 'laptop.containers' / 'settings.yml'}'. Move them there, and remove it.",
    ]


def test_wrong_endings_and_folders_are_named(tmp_path: Path) -> None:
    team = tmp_path / "inventory"
    for file in ("host_vars/anna.yml.txt", "host_vars/anna.yml.bak", "group_vars/all/colima.yl", "group_vars/all/more.yml"):
        (team / file).parent.mkdir(parents=True, exist_ok=True)
        (team / file).write_text("{}\n")
    for folder in ("playbooks/host_var", "playbooks/vars", "group_vars"):
        (tmp_path / folder).mkdir(parents=True)
    inventory = SimpleNamespace(_sources=[str(team)], hosts={"anna": 1}, groups={"all": 1})
    assert list(misnamed(inventory, str(tmp_path / "playbooks"), {"HOME": "/none"}, tmp_path)) == [
        f"'{team}/host_vars/anna.yml.txt' is not read: Ansible reads only files that end in .yml, .yaml or .json. "
        "Rename it to 'anna.yml'.",
        f"'{team}/group_vars/all/colima.yl' is not read: Ansible reads only files that end in .yml, .yaml or .json. "
        "Rename it to 'colima.yml'.",
        f"'{tmp_path}/playbooks/host_var' is not read: Ansible reads 'host_vars'. Rename it.",
        f"'{tmp_path}/group_vars' is not read: it is neither beside the inventory nor the playbook. Move it there.",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a: 'x\nb: [\n",
            "Could not read '{}' in line 1: while scanning a quoted scalar found unexpected end of stream. Correct it.",
        ),
        ("just a text\n", "Could not use '{}': it is a single value, not a mapping. Write 'variable: value' in it."),
        ("- a: b\n", "Could not use '{}': it is a list, not a mapping. Write 'variable: value' in it."),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n3061\n",
            "Could not decrypt '{}': no password was given. "
            "Run it again with --ask-vault-pass; with make: ARGS=--ask-vault-pass.",
        ),
    ],
)
def test_what_ansible_cannot_read_is_named_with_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "group_vars" / "all.yml"
    file.parent.mkdir()
    file.write_text(text)
    inventory = SimpleNamespace(_sources=[f"{tmp_path}/hosts.yml", str(tmp_path)], hosts={"anna": 1}, groups={"all": 1})
    assert list(unreadable(inventory, str(tmp_path), DataLoader())) == [sentence.format(file)]
