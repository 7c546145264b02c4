# SPDX-License-Identifier: GPL-3.0-or-later
"""Two virtual machines for all tests of this folder: started once, by the workstation's playbook. Run by `make test-machines`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from rehearsal import machines
from rehearsal.lab.laptop import Lab
from tests.support.colima.real_machines import Machines, Played
from tests.support.lab_playbooks import lab_of_grade


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab of grade machines."""
    if reason := machines.missing():
        pytest.skip(reason)
    if os.geteuid() == 0:
        pytest.skip("limactl refuses root: run 'make test-machines'")
    with lab_of_grade("machines") as lab:
        yield lab


@pytest.fixture(scope="session")
def empty(lab: Lab) -> Machines:
    """The laptop; whether its machines exist depends on what ran before."""
    return Machines(lab)


@pytest.fixture(scope="session")
def first_run(empty: Machines) -> Played:
    """The first run of the workstation's playbook."""
    return empty.play("playbooks/workstation.yml")


@pytest.fixture(scope="session")
def laptop(empty: Machines, first_run: Played) -> Machines:
    """The laptop with both machines running."""
    assert first_run.changed
    return empty
