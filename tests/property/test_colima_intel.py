# SPDX-License-Identifier: GPL-3.0-or-later
"""Random lives of a profile on a Mac with an Intel processor, and on Linux."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.colima_life import SHARE, Life, lives, play
from tests.colima_lives import CalledLab
from tests.colima_strategies import INTEL


@SHARE
@given(lives(st.sampled_from(INTEL)))
def test_whatever_happened_a_run_is_refused_untouched_or_reaches_its_goal_and_loses_nothing(life: Life) -> None:
    play(CalledLab, life)
