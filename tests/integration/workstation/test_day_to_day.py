# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping and starting the workstation as a person does in the evening and in the morning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play, statuses, tool


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml")
        yield lab


def contexts(lab: Lab) -> tuple[str, str]:
    """Return the current context of docker and of kubectl."""
    docker = tool(lab, "docker", "context", "show").strip()
    return docker, tool(lab, "kubectl", "config", "current-context").strip()


def test_a_night_changes_no_context_and_the_morning_finds_everything(lab: Lab) -> None:
    before = contexts(lab)
    assert before == ("colima-buildx", "colima-k8s")

    assert "changed=1" in play(lab, "playbooks/stop.yml")
    assert statuses(lab) == {"k8s": "Stopped", "docker-buildx": "Stopped"}
    assert "changed=0" in play(lab, "playbooks/stop.yml")
    # What a pull does meanwhile (role pull_timer): new settings are put in place, and nothing is started.
    pulled = ("--extra-vars", json.dumps({"colima_start": "never", "secret_refresh_unreachable": "pending"}))
    assert "failed=0" in play(lab, "playbooks/workstation.yml", *pulled)
    assert statuses(lab) == {"k8s": "Stopped", "docker-buildx": "Stopped"}

    assert "changed=1" in play(lab, "playbooks/start.yml")
    assert statuses(lab) == {"k8s": "Running", "docker-buildx": "Running"}
    assert contexts(lab) == before
    # Nothing is left for the playbook that keeps all of it.
    assert "changed=0" in play(lab, "playbooks/workstation.yml")


def test_check_mode_stops_nothing(lab: Lab) -> None:
    assert "would change   stop profile 'k8s'" in play(lab, "playbooks/stop.yml", "--check")
    assert statuses(lab) == {"k8s": "Running", "docker-buildx": "Running"}


def test_start_also_starts_what_the_settings_keep_stopped(lab: Lab) -> None:
    settings = {"colima_profiles": [{"name": "docker-buildx", "runtime": "docker", "auto_activate": False, "state": "stopped"}]}
    assert "changed=1" in play(lab, "playbooks/workstation.yml", "--tags", "colima", "-e", json.dumps(settings))
    assert statuses(lab)["docker-buildx"] == "Stopped"

    assert "changed=1" in play(lab, "playbooks/start.yml", "--tags", "colima", "-e", json.dumps(settings))

    assert statuses(lab)["docker-buildx"] == "Running"


@pytest.mark.parametrize("policy", ["refuse", "recreate_with_data_loss"])
def test_settings_that_need_another_vm_keep_none_from_its_stop(lab: Lab, tmp_path: Path, policy: str) -> None:
    play(lab, "playbooks/start.yml", "--tags", "colima")
    before = (lab.home / ".colima/docker-buildx/colima.yaml").read_text()
    # As a team's inventory would have it, so that the playbook's own variables count.
    profile = {"name": "docker-buildx", "runtime": "containerd", "auto_activate": False, "cpu": 4, "memory": 12}
    settings = {"colima_profiles": [profile], "colima_on_fixed_change": policy}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"laptops": {"hosts": {"rehearsal": settings}}}))

    confirmed = json.dumps({"colima_confirm_data_loss": ["docker-buildx"]})
    play(lab, "playbooks/stop.yml", "-i", str(inventory), "-e", confirmed)

    assert statuses(lab) == {"k8s": "Running", "docker-buildx": "Stopped"}
    assert (lab.home / ".colima/docker-buildx/colima.yaml").read_text() == before
