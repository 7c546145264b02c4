# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/upgrade.yml in the lab: what a check shows, and an upgrade of what two VMs rest on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play, tool

PLAYBOOK = "playbooks/upgrade.yml"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A converged workstation, whose colima and kubectl have newer versions at Homebrew."""
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml")
        for keg in ("colima/0.9.1", "lima/2.1.4", "kubernetes-cli/1.35.0"):
            (lab.directory / "Cellar" / keg).mkdir(parents=True)
        yield lab


@pytest.mark.long("a workstation of its own; tests/unit/upgrade/test_task.py upgrades on one of stand-ins")
def test_the_programs_are_upgraded_and_the_workstation_is_well(lab: Lab) -> None:
    only = ("-e", '{"upgrade_programs": ["limactl", "colima", "kubectl"]}')
    checked = play(lab, PLAYBOOK, "--check", *only)
    assert "upgrade 'kubectl' (1.35.0 to 1.36.3)" in checked
    assert "-e upgrade_stop=true" in checked and "'docker-buildx' and 'k8s' run on it" in checked
    assert sorted(path.name for path in (lab.directory / "Cellar/kubernetes-cli").iterdir()) == ["1.35.0"]
    before = pids(lab)
    assert len(before) == 2
    said = play(lab, PLAYBOOK, *only, "-e", "upgrade_stop=true")
    lines = [line.strip() for line in said.splitlines()]
    assert "stop profile 'k8s' (everything in it stays)" in said and "start profile 'k8s'" in said
    assert "upgrade 'colima' (0.9.1 to 0.10.3)" in said and "back to colima 0.9.1: brew unlink colima" in said
    assert any("the workstation is well" in line for line in lines)
    assert {row.split()[1] for row in tool(lab, "colima", "list").splitlines()[1:]} == {"Running"}
    # They were stopped really.
    assert not before & pids(lab)
    assert "changed=0" in play(lab, "playbooks/workstation.yml")


def test_a_check_on_an_empty_laptop_ends_well() -> None:
    with light_lab() as lab:
        printed = play(lab, PLAYBOOK, "--check")
    assert "create profile 'k8s'" in printed and "BROKEN" not in printed and "conditional" not in printed


def pids(lab: Lab) -> set[str]:
    """Return the processes of the VMs' host agents."""
    return {file.read_text() for file in lab.directory.rglob("ha.pid")}
