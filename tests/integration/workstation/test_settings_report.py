# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings.yml says: each setting, its value, and the line that it comes from; and no secret."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from tests.support.ansible_runs import forked_ansible

ROOT = Path(__file__).resolve().parents[3]
CANARY = "canary-of-a-secret"
HOSTS = """\
laptops:
  children:
    macs:
      hosts:
        mine:
          ansible_connection: local
          ansible_python_interpreter: "{{ ansible_playbook_python }}"
          colima_restart: never
  vars:
    colima_reserve_memory_mib: 2048
"""
TEAM = """\
docker_context_current: default
secret_refresh_docker_login: true
colima_stop: "{{ nothing_there }}"
docker_cli_repair: true
colima_restrat: always
of_my_own: 1
"""
MACS = f"""\
colima_profiles:
  - name: k8s
    runtime: containerd
    env: {{TOKEN: {CANARY}}}
    docker: {{registry-mirrors: ["https://me:{CANARY}@mirror"]}}
    provision: [{{mode: system, script: "echo {CANARY}"}}]
"""
OWN = "secret_refresh_docker_login: false\nworkstation_refresh_timer: true\n"
SCHEMA = json.loads((ROOT / "docs" / "settings.schema.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    files = {
        "hosts.yml": HOSTS,
        "group_vars/all.yml": TEAM,
        "group_vars/macs.yml": MACS,
        "host_vars/mine.yml": "docker_context_current: mine\n",
        "home/.config/laptop.containers/settings.yml": OWN,
        "more.yml": "---\ncolima_timeout: 900\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def shown(folder: Path, *arguments: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """Run the playbook in the folder; return what it printed, and the settings by name."""
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": "",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.progress, laptop.containers.results",
        "LAPTOP_CONTAINERS_RESULTS": str(results),
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", str(folder / "hosts.yml"), str(ROOT / "playbooks" / "settings.yml"), *arguments]
    done = forked_ansible.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = results.read_text().splitlines()
    assert CANARY not in done.stdout + done.stderr + line
    return done.stdout, {row["name"]: row for row in json.loads(line)["result"]["settings"]}


@pytest.fixture(scope="module")
def report(folder: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    return shown(folder, "-e", "colima_on_fixed_change=warn", "-e", f"@{folder}/more.yml")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("colima_on_fixed_change", ("warn", "command line", "", [])),
        ("colima_timeout", (900, "command line", "more.yml:2", [])),
        (
            "secret_refresh_docker_login",
            (False, "your own settings", "home/.config/laptop.containers/settings.yml:1", ["group_vars/all.yml:2"]),
        ),
        ("workstation_refresh_timer", (True, "your own settings", "home/.config/laptop.containers/settings.yml:2", [])),
        ("docker_context_current", ("mine", "laptop mine", "host_vars/mine.yml:1", ["group_vars/all.yml:1"])),
        ("colima_restart", ("never", "laptop mine", "hosts.yml:8", [])),
        ("colima_reserve_memory_mib", (2048, "group laptops", "hosts.yml:10", [])),
        ("docker_cli_repair", (True, "team", "group_vars/all.yml:4", [])),
        ("colima_host_weight", (1, "default", "", [])),
    ],
)
def test_a_setting_is_shown_with_its_place_and_what_it_overrules(
    report: tuple[str, dict[str, dict[str, Any]]], name: str, expected: tuple[object, str, str, list[str]]
) -> None:
    row = report[1][name]
    assert (row["value"], row["layer"], row["at"], row["instead_of"]) == expected


def test_each_variable_of_each_role_is_listed(report: tuple[str, dict[str, dict[str, Any]]]) -> None:
    known = {name for file in ROOT.glob("roles/*/defaults/main.yml") for name in yaml.safe_load(file.read_text()) or {}}
    assert known <= {*report[1]}


def test_the_text_is_yaml_that_can_be_copied(report: tuple[str, dict[str, dict[str, Any]]]) -> None:
    text, rows = report
    assert "\ngroup macs (group_vars/macs.yml)\n    1  colima_profiles:\n       - name: k8s\n" in text
    assert "colima_stop:  # Could not read 'colima_stop': 'nothing_there' is undefined." in text
    assert rows["colima_stop"]["problem"]
    assert "colima_host_weight" not in text
    block = text.partition("group macs (group_vars/macs.yml)\n")[2].partition("\n\n")[0]
    copied = yaml.safe_load("\n".join(line[7:] for line in block.splitlines()))
    assert copied == {"colima_profiles": rows["colima_profiles"]["value"]}


def test_a_name_that_no_role_knows_is_shown_with_what_was_meant(report: tuple[str, dict[str, dict[str, Any]]]) -> None:
    text, rows = report
    assert " settings are not the default; 1 name below is unknown\n" in text
    assert "    5  colima_restrat:  # it is unknown. Did you mean 'colima_restart'?\n" in text
    assert (rows["colima_restrat"]["role"], rows["colima_restrat"]["at"]) == ("", "group_vars/all.yml:5")
    assert "of_my_own" not in rows


def test_defaults_are_shown_where_that_is_asked_for(folder: Path) -> None:
    text, _rows = shown(folder, "-e", "settings_show=all")
    assert "\ndefault\n" in text
    assert "colima_host_weight: 1" in text


# -- the schema for editors


def test_the_settings_of_this_project_are_right_by_the_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    for file in (*ROOT.glob("inventory/**/group_vars/*.yml"), *ROOT.glob("molecule/**/group_vars/*.yml")):
        assert list(Draft7Validator(SCHEMA).iter_errors(yaml.safe_load(file.read_text()))) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"colima_profiles": [{"nam": "k8s"}]}, "'nam' was unexpected"),
        ({"colima_profiles": {"name": "k8s"}}, "is not of type 'array', 'string'"),
        ({"colima_restart": "alway"}, "'alway' is not valid"),
        ({"colima_timeout": "soon"}, "does not match"),
        ({"colima_profiles": "{{ profiles }}", "colima_timeout": "{{ 60 * 5 }}", "of_my_own": 1}, ""),
    ],
)
def test_an_editor_names_a_mistake(settings: dict[str, Any], said: str) -> None:
    found = [error.message for error in Draft7Validator(SCHEMA).iter_errors(settings)]
    assert any(said in message for message in found) if said else found == []
