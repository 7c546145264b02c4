# SPDX-License-Identifier: GPL-3.0-or-later
"""Random lives of a profile on a Mac with Apple silicon. A file for each kind of laptop: their long forms run side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.colima_life import SHARE, Life, lives, play
from tests.colima_lives import CalledLab
from tests.colima_strategies import APPLE_SILICON


@SHARE
@given(lives(st.just(APPLE_SILICON)))
def test_whatever_happened_a_run_is_refused_untouched_or_reaches_its_goal_and_loses_nothing(life: Life) -> None:
    play(CalledLab, life)
