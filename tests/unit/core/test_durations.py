# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.durations import duration_from
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("7d", timedelta(days=7)),
        ("2h", timedelta(hours=2)),
        (" 1H30M ", timedelta(minutes=90)),
        ("1d12h", timedelta(hours=36)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_a_time_is_read(text: str, time: timedelta) -> None:
    assert duration_from(text, "idle_for") == time


@pytest.mark.parametrize("text", ["", "2", "soon", "0h", "-1h", "2h30", "1m2h", "half", "true", "9999999d"])
def test_what_is_no_time_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(InputError) as caught:
        duration_from(text, "idle_for")
    assert caught.value.message == f"Could not use '{text}' as O(idle_for): it is not a time such as 7d, 2h or 1h30m. Correct it."
