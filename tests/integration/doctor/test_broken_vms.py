# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in and around the VMs: found, and well again after the command that the doctor printed was run."""

from __future__ import annotations

import re
from operator import attrgetter

import pytest

from tests.support.patient import Patient
from tests.support.test_runs.tiers import chosen

from .states import IN_THE_VMS, USUAL_IN_THE_VMS, State
from .treatment import treat


@pytest.mark.each_row
@pytest.mark.parametrize(
    "state",
    chosen(
        "playbooks run three times each; tests/unit/doctor finds each",
        IN_THE_VMS,
        USUAL_IN_THE_VMS,
        attrgetter("name"),
    ),
    ids=lambda state: state.name,
)
def test_a_broken_vm_is_found_and_healed_by_the_printed_remedy(patient: Patient, state: State) -> None:
    treat(patient, state)


def test_what_a_run_refuses_to_repair_comes_with_what_helps(patient: Patient) -> None:
    (patient.colima / "_lima" / "colima-k8s" / "lima.yaml").unlink()
    (found,) = [check for check in patient.checks("profiles.health") if check["status"] == "broken"]
    assert "Lima can't read its definition, and its host agent still runs" in found["found"]
    said = re.search(r"Shut it down with '(kill \d+)', and run again", found["remedy"])
    assert said, found
    patient.shell(said[1])
    patient.shell(next(check["remedy"] for check in patient.checks("profiles.health") if check["status"] != "ok"))
    assert all(check["status"] == "ok" for check in patient.checks("profiles.health"))
