# SPDX-License-Identifier: GPL-3.0-or-later
"""Random lives of a profile on the stand-in: whatever is asked for next, it is reached, kept, and nothing is lost unasked.

The pure model, on which as many plans are tried again, must foretell what the stand-in does.
"""

from __future__ import annotations

import os

from hypothesis import given, settings

from tests.colima_life import Life, lives, play
from tests.colima_lives import CalledLab, ProcessLab
from tests.colima_strategies import LONG


@LONG
@given(lives())
def test_whatever_happened_a_run_is_refused_or_reaches_its_goal_and_loses_nothing(life: Life) -> None:
    play(CalledLab, life)


@settings(parent=LONG, max_examples=60 if os.environ.get("LAPTOP_LONG") else 3, derandomize=not os.environ.get("LAPTOP_LONG"))
@given(lives())
def test_the_functions_are_the_processes(life: Life) -> None:
    assert play(CalledLab, life, watched=True) == play(ProcessLab, life, watched=True)
