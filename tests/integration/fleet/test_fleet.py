# SPDX-License-Identifier: GPL-3.0-or-later
"""Many laptops at once: canaries first, the others only after them, and one that is asleep does not fail the run."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.ansible_runs import forked_ansible
from tests.support.lab_playbooks import ROOT, light_lab

LONG = bool(os.environ.get("LAPTOP_LONG"))
# Of the titles in the closing summary.
WIDTH = 15
LAPTOPS = 50 if LONG else 7
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9, "workstation_environment": {}}


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    code: int
    output: str
    seconds: float

    @property
    def fleet(self) -> dict[str, str]:
        """The lines of the closing summary, by their titles."""
        found: dict[str, str] = {}
        title = ""
        for line in filter(None, self.output.partition("\nFLEET ")[2].splitlines()[1:]):
            title = line[:WIDTH].strip() or title
            found[title] = f"{found.get(title, '')}\n{line[WIDTH:]}".strip()
        return found


class Fleet:
    """An inventory in which all laptops share one lab, but for what is broken about some."""

    def __init__(self, lab: Lab, place: Path) -> None:
        self.place = place
        (place / "group_vars").mkdir(parents=True)
        shutil.copy(ROOT / "inventory" / "rehearsal" / "group_vars" / "all.yml", place / "group_vars" / "all.yml")
        self.same = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(lab.directory / "tmp" / "ansible"),
            "rehearsal_dir": str(lab.directory),
        }
        around = lab.environment
        (place / "torn").mkdir()
        (place / "torn" / "config.json").write_text('{"auths"')
        self.broken: dict[str, dict[str, Any]] = {
            "misspelt": {"colima_restrat": "never"},
            "wrong": {"colima_restart": "sometimes"},
            "torn-docker": {"workstation_environment": {**around, "DOCKER_CONFIG": str(place / "torn")}},
            "torn-kube": {"workstation_environment": {**around, "KUBECONFIG": str(place / "torn" / "config.json")}},
            "no-profile": {"nerdctl_wrappers": [{"profile": "none"}]},
        }

    def play(self, hosts: dict[str, dict[str, Any]], *arguments: str, playbook: str = "fleet", canary: str = "") -> Run:
        inventory = {"laptops": {"hosts": {name: {**self.same, **own} for name, own in hosts.items()}}}
        inventory |= {"workstation_canary": {"hosts": {canary: {}}}} if canary else {}
        (self.place / "hosts.json").write_text(json.dumps(inventory))
        began = time.monotonic()
        done = forked_ansible.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", self.place, f"playbooks/{playbook}.yml", *arguments],
            cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
            capture_output=True, text=True, timeout=550, check=False,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr, time.monotonic() - began)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with light_lab() as lab, tempfile.TemporaryDirectory(prefix="fleet-", dir="/tmp") as folder:
        yield Fleet(lab, Path(folder) / "inventory")


# A part of a run that starts no VM.
PART = ("--tags", "nerdctl")


def test_a_canary_that_fails_leaves_all_others_alone(fleet: Fleet) -> None:
    done = fleet.play({"bird": fleet.broken["misspelt"], "anna": {}, "ben": {}}, *PART, canary="bird")
    assert done.code == 2, done.output
    assert done.fleet == {
        "3 laptops": "2 left alone, 1 failed",
        "left alone": "anna, ben",
        "failed": "bird: settings: Could not use variable 'colima_restrat': it is unknown. Did you mean 'colima_restart'?",
    }
    assert "Converge the container workstation" in done.output and "WORKSTATION anna" not in done.output


def test_a_laptop_that_is_asleep_is_named_and_is_a_failure_only_where_that_is_asked_for(fleet: Fleet) -> None:
    hosts: dict[str, dict[str, Any]] = {"bird": {}, "anna": {}, "asleep": AWAY}
    done = fleet.play(hosts, *PART, canary="bird")
    assert done.code == 0, done.output
    assert list(done.fleet) == ["3 laptops", "did not answer"]
    assert done.fleet["did not answer"].startswith("asleep: ") and "Connection refused" in done.fleet["did not answer"]
    again = fleet.play(hosts, *PART, "-e", "fleet_unreachable=fail", canary="bird")
    assert (again.code, again.fleet["3 laptops"]) == (2, "2 unchanged, 1 failed")


def test_too_many_failures_end_the_run(fleet: Fleet) -> None:
    hosts: dict[str, dict[str, Any]] = {"anna": fleet.broken["misspelt"], "ben": {}, "cleo": {}}
    done = fleet.play(hosts, *PART, "-e", "fleet_serial=1", "-e", "fleet_max_fail_percentage=0")
    assert done.code == 2, done.output
    assert done.fleet["3 laptops"] == "2 left alone, 1 failed"


def test_a_fleet_converges_but_for_the_broken_ones(fleet: Fleet) -> None:
    alone = fleet.play({"anna": {}}, playbook="workstation")
    assert alone.code == 0, alone.output
    once_more = fleet.play({"anna": {}}, playbook="workstation")
    well: dict[str, dict[str, Any]] = {f"laptop-{number:02}": {} for number in range(LAPTOPS - len(fleet.broken) - 1)}
    done = fleet.play({**well, **fleet.broken, "asleep": AWAY}, "--forks", "10", canary="laptop-00")
    assert done.code == 2, done.output
    expected = f"{len(well)} unchanged, {len(fleet.broken)} failed, 1 did not answer"
    assert done.fleet[f"{LAPTOPS} laptops"] == expected, done.output
    failed = dict(line.split(": ", 1) for line in done.fleet["failed"].splitlines())
    assert set(failed) == set(fleet.broken)
    print(f"{done.seconds:.1f} s for {LAPTOPS} laptops, {done.seconds / LAPTOPS:.2f} s each, one alone {once_more.seconds:.2f} s")
