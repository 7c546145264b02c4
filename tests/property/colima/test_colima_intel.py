# SPDX-License-Identifier: GPL-3.0-or-later
"""Random histories of a profile on a Mac with an Intel processor, and on Linux."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.colima.in_process_lab import CalledLab
from tests.support.colima.profile_life import NAME, SHARE, Life, Run, lives, play
from tests.support.colima.strategies import INTEL

# What a long run has found: a first start that never ended, and then another VM is wanted, but not up.
UNFINISHED = Run(ProfileSpec(NAME, "started", {"runtime": "docker"}), ChangePolicy(restart="always"), failure="hang")
ANOTHER_DOWN = Run(ProfileSpec(NAME, "stopped", {"mount_type": "sshfs"}), ChangePolicy(restart="always"))

# A creation that was interrupted beside the disk of an earlier VM, and another disk is wanted whatever is lost.
MADE = Run(ProfileSpec(NAME, "started", {"runtime": "docker"}), ChangePolicy(restart="always"))
GONE = Run(ProfileSpec(NAME, "absent", {}), ChangePolicy(restart="always"))
INTERRUPTED = (MADE, GONE, "interrupted creation")
SMALLER = ChangePolicy(restart="always", on_fixed_change="recreate_with_data_loss", confirm_data_loss=frozenset({NAME.name}))

# Killed right after a first start that went well, in a VM without a data disk, and colima's own sign of that gets lost.
KILLED = Run(ProfileSpec(NAME, "started", {"runtime": "docker"}), ChangePolicy(restart="always"), killed_at=2)


@SHARE
@example(Life(INTEL[0], "0.8.4", (UNFINISHED,), ANOTHER_DOWN, busy=False))
@example(
    Life(
        INTEL[0],
        "0.10.3",
        (MADE, GONE, "interrupted creation"),
        Run(ProfileSpec(NAME, "started", {"disk": 10}), SMALLER),
        busy=False,
    )
)
@example(
    Life(
        INTEL[0],
        "0.10.3",
        (MADE, GONE, "interrupted creation"),
        Run(ProfileSpec(NAME, "stopped", {"disk": 10}), SMALLER),
        busy=False,
    )
)
@example(Life(INTEL[0], "0.8.4", (KILLED, "lost state file"), GONE, busy=False))
@given(lives(st.sampled_from(INTEL)))
def test_whatever_happened_a_run_is_refused_untouched_or_reaches_its_goal_and_loses_nothing(life: Life) -> None:
    play(CalledLab, life)
