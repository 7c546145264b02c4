# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop that is converged, and that a test makes ill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab
from tests.support.patient import AUTHORITIES, Patient


@pytest.fixture(scope="module")
def converged() -> Iterator[tuple[Lab, Mapping[str, str]]]:
    """A light lab in which the workstation is converged, with the timer; and its environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in AUTHORITIES:
            patch.delenv(name, raising=False)
        with light_lab() as lab:
            environment = lab.environment
            Patient(lab, environment).converge()
            yield lab, environment


@pytest.fixture
def patient(converged: tuple[Lab, Mapping[str, str]]) -> Patient:
    """The laptop, with an environment and settings of its own for each test."""
    return Patient(*converged)
