# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in what fleet.yml itself is asked for: they end the run before the first laptop is asked for anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible_runs import forked_ansible

ROOT = Path(__file__).resolve().parents[3]
HERE: dict[str, Any] = {"ansible_connection": "local"}


def fleet(place: Path, inventory: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """Run fleet.yml on an inventory; return the exit code and what was printed."""
    path = place / "hosts.yml"
    path.write_text(json.dumps(inventory))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(path), "playbooks/fleet.yml", *arguments]
    done = forked_ansible.run(command, cwd=ROOT, capture_output=True, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def laptops(**variables: Any) -> dict[str, Any]:
    return {"laptops": {"hosts": {"anna": HERE}, "vars": variables}}


@pytest.mark.each_row
@pytest.mark.parametrize(
    ("inventory", "arguments", "sentence"),
    [
        ({"laptops": {"hosts": {}}}, [], "Could not run on 'laptops': the group has no laptop."),
        ({"all": {"hosts": {}}}, [], "Could not run on 'laptops': no laptop was found in the inventory"),
        (laptops(), ["-e", "workstation_hosts=laptop"], "Could not run on 'laptop': the inventory has neither"),
        (
            {**laptops(), "workstation_canaries": {"hosts": {"anna": HERE}}}, [],
            "Could not use group 'workstation_canaries': canaries are the laptops of the group 'workstation_canary'. Rename it.",
        ),
        ({**laptops(), "workstation_canary": {"hosts": {"ben": HERE}}}, [], "Could not use canary 'ben': it is not in the group"),
        (laptops(fleet_serail=2), [], "Could not use variable 'fleet_serail': it is unknown. Did you mean 'fleet_serial'?"),
        (laptops(fleet_serial=2), [], "Could not use 'fleet_serial' of the inventory: only -e sets it."),
        (laptops(fleet_unreachable="fial"), [], "Could not use 'fial' as 'fleet_unreachable'"),
        (laptops(), ["-e", "fleet_serial=many"], "Could not use fleet_serial 'many': it is neither a number of laptops nor"),
        (laptops(), ["-e", '{"fleet_serial": [1, 0]}'], "Could not use fleet_serial '0'"),
        (laptops(), ["-e", "fleet_max_fail_percentage=lots"], "Could not use fleet_max_fail_percentage 'lots'"),
        (laptops(), ["-e", "fleet_max_fail_percentage=101"], "it is not a number from 0 to 100. Write 30."),
    ],
)  # fmt: skip
def test_a_mistake_ends_the_run_before_a_laptop_is_asked(
    inventory: dict[str, Any], arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    code, said = fleet(tmp_path, inventory, *arguments)
    assert (code, "TASK" in said) == (2, False), said
    assert sentence in said


@pytest.mark.parametrize(
    "arguments", [["-e", "fleet_serial=2 fleet_max_fail_percentage=0"], ["-e", '{"fleet_serial": [1, "20%"]}']]
)
def test_right_ones_begin(arguments: list[str], tmp_path: Path) -> None:
    away = {
        "laptops": {"hosts": {"anna": {"ansible_host": "127.0.0.1", "ansible_port": 1}}, "vars": {"fleet_unreachable": "fail"}}
    }
    code, said = fleet(tmp_path, {**away, "workstation_canary": {"hosts": {"anna": {}}}}, *arguments)
    assert code != 0 and "Could not reach 'anna'" in said, said
