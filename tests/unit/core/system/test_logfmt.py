# SPDX-License-Identifier: GPL-3.0-or-later
"""The reason that a Go program gives, out of its log lines."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.logfmt import final_message

T = 'time="2026-11-24T00:00:00Z"'


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", ""),
        (f'{T} level=fatal msg="colima is not running"\n', "colima is not running"),
        (f"{T} level=info msg=done", "done"),
        (f'{T} level=fatal msg="no \\"k8s\\" here"', 'no "k8s" here'),
        (f'{T} level=fatal msg="bad image:\\n  expected: a"', "bad image:   expected: a"),
        (f'unknown shell "nu"\n{T} level=fatal msg="exit status 1"\n', 'unknown shell "nu"'),
        ("exit status 1", ""),
    ],
)
def test_the_last_reason_counts_and_not_that_a_command_failed(output: str, reason: str) -> None:
    assert final_message(output) == reason
