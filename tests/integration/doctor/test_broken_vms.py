# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in and around the VMs: found, and well again after the command that the doctor printed was run."""

from __future__ import annotations

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
