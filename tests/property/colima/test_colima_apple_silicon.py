# SPDX-License-Identifier: GPL-3.0-or-later
"""Random histories of a profile on a Mac with Apple silicon. One file a kind of laptop: their long forms run side by side."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.colima.in_process_lab import CalledLab
from tests.support.colima.profile_life import NAME, SHARE, Life, Run, lives, play
from tests.support.colima.strategies import APPLE_SILICON

# What a long run has found: killed right after a first start that went well, then the VM and colima's note of its disk get lost.
KILLED = Run(ProfileSpec(NAME, "started", {"runtime": "docker"}), ChangePolicy(restart="always"), killed_at=2)
AGAIN = Run(ProfileSpec(NAME, "started", {}), ChangePolicy(restart="always"))
# Killed before the start that the user then made, colima's note of the disk lost, and the profile is to go.
KILLED_EARLY = Run(ProfileSpec(NAME, "started", {"runtime": "docker"}), ChangePolicy(restart="always"), killed_at=1)
GONE = Run(ProfileSpec(NAME, "absent", {}), ChangePolicy(restart="always"))
# A VM that never came up is made again, and that is killed, and so is the run that is to remove it.
HANGS = Run(ProfileSpec(NAME, "started", {"runtime": "docker"}), ChangePolicy(restart="always"), failure="hang")
SMALLER = Run(ProfileSpec(NAME, "started", {"cpu": 1, "memory": 1.0, "disk": 10}), ChangePolicy(restart="always"), killed_at=1)
GOING = Run(ProfileSpec(NAME, "absent", {}), ChangePolicy(restart="always"), killed_at=2)


@SHARE
@example(Life(APPLE_SILICON, "0.10.3", (KILLED, "colima delete", "lost store note"), AGAIN, busy=False))
@example(Life(APPLE_SILICON, "0.10.3", (KILLED_EARLY, "colima start", "lost store note"), GONE, busy=False))
@example(Life(APPLE_SILICON, "0.10.3", (HANGS, "killed host agent", SMALLER, GOING), GONE, busy=False))
@given(lives(st.just(APPLE_SILICON)))
def test_whatever_happened_a_run_is_refused_untouched_or_reaches_its_goal_and_loses_nothing(life: Life) -> None:
    play(CalledLab, life)
