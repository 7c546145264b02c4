# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions that play thousands of histories are the stand-in: its processes say and leave the same at every step."""

from __future__ import annotations

from hypothesis import given, settings

from tests.support.colima.in_process_lab import CalledLab, ProcessLab
from tests.support.colima.profile_life import Life, lives, play
from tests.support.colima.strategies import LONG
from tests.support.test_runs import tiers


@settings(parent=LONG, max_examples=tiers.times(1, 3, 60), derandomize=not tiers.LONG)
@given(lives())
def test_processes_and_functions_live_the_same_life(life: Life) -> None:
    assert play(CalledLab, life, watched=True) == play(ProcessLab, life, watched=True)
