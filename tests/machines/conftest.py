# SPDX-License-Identifier: GPL-3.0-or-later
"""Two virtual machines for all tests of this folder: started once, by the workstation's playbook. Run by `make test-machines`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from rehearsal import machines
from rehearsal.lab.laptop import Lab
from tests.support.colima.real_machines import Machines, Played
from tests.support.lab_playbooks import lab_of_grade


@pytest.fixture(autouse=True)
def ends_with_the_run(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the whole run where a SIGINT came during a test, also where the code under test has made a result of it."""
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno())
        yield
        signal.set_wakeup_fd(before)
        came = b""
        with contextlib.suppress(BlockingIOError):
            came = reading.recv(4096)
    if signal.SIGINT in came:
        request.session.shouldstop = "interrupted by SIGINT"


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
