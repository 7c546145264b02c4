# SPDX-License-Identifier: GPL-3.0-or-later
"""What options a move refuses."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.migration.task import Mover


def test_a_largest_size_below_zero_is_refused_as_nothing_is_that_small() -> None:
    params = {name: spec.get("default") for name, spec in Mover.spec.items()} | {
        "source": "unix:///old.sock",
        "largest_gib": -1.0,
    }
    with pytest.raises(
        InputError, match=r"use -1 as O\(largest_gib\): it is less than 0\. Set it to GiB, or to 0 for any size\."
    ):
        Mover().desired(params, check_mode=True)
