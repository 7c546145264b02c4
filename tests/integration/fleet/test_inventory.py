# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory that a team starts from: its groups, and settings that the modules take."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.laptop.containers.plugins.module_utils.colima.task import SUBJECT
from ansible_collections.laptop.containers.plugins.plugin_utils.settings import OF_PLAYBOOKS

from tests.support.ansible_runs import forked_ansible

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "inventory" / "fleet.example.yml"


@cache
def listing() -> dict[str, Any]:
    """What Ansible makes of the example."""
    done = forked_ansible.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", EXAMPLE, "--list"],
        cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def settings(name: str) -> dict[str, Any]:
    """Return the variables of a laptop that are settings of this project."""
    given: dict[str, Any] = listing()["_meta"]["hostvars"][name]
    return {key: value for key, value in given.items() if not key.startswith("ansible_")}


def test_three_kinds_of_laptops_and_canaries_are_in_it() -> None:
    found = listing()
    assert found["laptops"]["children"] == ["small", "large", "ci"]
    hosts = {name for group in found["laptops"]["children"] for name in found[group]["hosts"]}
    assert set(found["workstation_canary"]["hosts"]) < hosts == set(found["_meta"]["hostvars"])


@pytest.mark.parametrize("name", ["anna", "ben", "cleo", "mini-01"])
def test_every_laptop_has_settings_that_exist_and_are_taken(name: str) -> None:
    known = {key for role in (ROOT / "roles").iterdir() for key in yaml.safe_load((role / "defaults/main.yml").read_text())}
    assert set(settings(name)) <= {*known, *OF_PLAYBOOKS}
    checked = ArgumentSpecValidator(SUBJECT.argument_spec, **SUBJECT.rules).validate(
        {"profiles": settings(name)["colima_profiles"]}
    )
    assert checked.error_messages == []
    spec = SUBJECT().parse(checked.validated_parameters, check_mode=True)
    assert spec


def test_what_a_group_sets_wins_over_all_laptops_and_a_laptop_over_its_group() -> None:
    python = ".local/share/laptop.containers/python/bin/python"
    assert {row["ansible_python_interpreter"] for row in listing()["_meta"]["hostvars"].values()} == {python}
    assert "docker_context_current" not in settings("ben") and settings("cleo")["docker_context_current"] == "default"
    assert [profile["name"] for profile in settings("anna")["colima_profiles"]] == ["docker-buildx"]


def test_the_example_is_no_part_of_an_inventory_that_is_the_whole_folder() -> None:
    done = forked_ansible.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", EXAMPLE.parent, "--list"],
        cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert "mini-01" not in done.stdout
