# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images and volumes are, and that nothing takes them away unasked whatever lies about."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, RefusedStep, TimedOut

from tests.support.colima.standin_laptop import ColimaLab

DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
ABSENT = {"name": "dev", "state": "absent"}
NAME = parse_name("dev")


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_vm_without_a_data_disk_stays_also_when_its_applied_settings_are_lost(lab: ColimaLab, state: str) -> None:
    lab.settings["COLIMA_VERSION"] = "0.8.4"
    lab.converge(DEV)
    if state == "stopped":
        lab.run("colima", "stop", "dev")
    lab.paths.applied(NAME).unlink()
    lab.settings["COLIMA_VERSION"] = "0.10.3"
    with pytest.raises(RefusedStep, match="it has no separate data disk"):
        lab.converge(ABSENT)
    assert lab.paths.instance(NAME).is_dir()


@pytest.mark.parametrize(
    ("version", "spec", "policy"),
    [
        pytest.param("0.8.4", ABSENT, {}, id="absent"),
        pytest.param("0.10.3", ABSENT, {}, id="absent after an upgrade"),
        pytest.param("0.10.3", {**DEV, "mount_type": "sshfs"}, {"on_fixed_change": "recreate"}, id="recreate after an upgrade"),
    ],
)
def test_a_disk_that_the_vm_does_not_use_keeps_nothing_of_it(
    lab: ColimaLab, version: str, spec: dict[str, Any], policy: dict[str, Any]
) -> None:
    lab.converge(DEV)
    lab.converge(ABSENT)
    assert lab.paths.data_disk(NAME).is_dir()
    lab.settings["COLIMA_VERSION"] = "0.8.4"
    with pytest.raises(RefusedStep, match="on a data disk, which a colima before 0"):
        lab.converge(DEV)
    assert lab.run("colima", "start", "dev", "--cpu", "2", "--memory", "4", "--disk", "20").returncode == 0
    lab.settings["COLIMA_VERSION"] = version
    with pytest.raises(RefusedStep, match="made by a colima that had no data disk"):
        lab.converge(spec, restart="always", **policy)
    assert lab.paths.instance(NAME).is_dir()


def test_a_disk_whose_note_is_lost_can_be_used_again_after_its_vm_went(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.put_marker("dev")
    lab.run("colima", "stop", "dev")
    lab.paths.store(NAME).unlink()
    gone = lab.converge(ABSENT).actions
    assert "restore colima's note of the data disk of profile 'dev' (else the disk would be of no use)" in gone
    assert lab.converge(DEV).actions
    assert lab.has_marker("dev")


def test_settings_that_were_thrown_away_do_not_come_back(lab: ColimaLab) -> None:
    two = {"name": "two", "cpu": 2, "memory": 4, "disk": 20, "auto_activate": False}
    lab.converge({**DEV, "env": {"OLD": "yes"}}, two)
    with lab.failing("docker-start:two"), pytest.raises(CommandFailed, match="two"):
        lab.converge({**DEV, "mount_type": "sshfs"}, {**two, "cpu": 3}, on_fixed_change="recreate", restart="always")
    lab.converge({**DEV, "mount_type": "sshfs"}, {**two, "cpu": 3})
    lab.run("colima", "delete", "dev", "--force")
    lab.converge(DEV)
    assert "OLD" not in lab.paths.configured(NAME).read_text()


def test_settings_survive_a_start_that_dies_while_it_writes_them(process_lab: ColimaLab) -> None:
    process_lab.converge({**DEV, "env": {"KEEP": "me"}})
    with process_lab.failing("hang"), pytest.raises(TimedOut):
        process_lab.converge({**DEV, "mount_type": "sshfs"}, on_fixed_change="recreate", restart="always", stall=1.0)
    process_lab.paths.configured(NAME).write_text("")
    process_lab.converge({**DEV, "mount_type": "sshfs"}, on_fixed_change="recreate", restart="always")
    assert "KEEP" in process_lab.paths.configured(NAME).read_text()
