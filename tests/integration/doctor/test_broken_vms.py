# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in and around the VMs: found, and well again after the command that the doctor printed was run."""

from __future__ import annotations

import pytest

from tests.support.patient import Patient

from .states import IN_THE_VMS, State
from .treatment import treat


@pytest.mark.parametrize("state", IN_THE_VMS, ids=lambda state: state.name)
def test_a_broken_vm_is_found_and_healed_by_the_printed_remedy(patient: Patient, state: State) -> None:
    treat(patient, state)
