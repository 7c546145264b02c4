# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of both machines: what comes after it (test_with_*) has machines of its own."""

from __future__ import annotations

import json

import pytest

from tests.support.colima.real_machines import Machines

DOCKER = {"name": "docker-buildx", "runtime": "docker", "cpu": 1, "memory": 1, "disk": 10, "auto_activate": False}


@pytest.mark.long("boots after it; tests/integration/workstation on the lab")
def test_teardown_keeps_the_data_and_takes_it_only_by_name(laptop: Machines) -> None:
    laptop.inside("docker-buildx", "sudo", "sh", "-c", "echo mine >/var/lib/docker/marker && sync")
    laptop.play("playbooks/teardown.yml")
    assert laptop.statuses() == {}
    assert laptop.run("docker", "context", "ls", "--format", "{{.Name}}").split() == ["default"]
    # Only this one: tests before may have grown the other's disk.
    laptop.converge({**DOCKER, "binfmt": False, "mounts": [{"location": "none"}]})
    assert laptop.inside("docker-buildx", "sudo", "cat", "/var/lib/docker/marker").strip() == "mine"
    wanted = {"colima_delete_data": True, "colima_keep_deleted": 0, "colima_confirm_data_loss": ["k8s", "docker-buildx"]}
    laptop.play("playbooks/teardown.yml", "-e", json.dumps(wanted))
    assert list((laptop.paths.lima / "_disks").iterdir()) == []
