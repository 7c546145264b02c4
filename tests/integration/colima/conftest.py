# SPDX-License-Identifier: GPL-3.0-or-later
"""The two forms of a laptop with the stand-in colima."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.colima.in_process_lab import called_lab
from tests.support.colima.standin_laptop import ColimaLab, colima_lab


@pytest.fixture
def lab() -> Iterator[ColimaLab]:
    """A laptop whose programs are functions."""
    with called_lab() as lab:
        yield lab


@pytest.fixture
def process_lab() -> Iterator[ColimaLab]:
    """A laptop with real processes: for what takes time, what ends by itself, and programs that a test replaces."""
    with colima_lab() as lab:
        yield lab
