# SPDX-License-Identifier: GPL-3.0-or-later
"""How long something may take, on a machine that is busy with something else at times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

TRIES = 3
Answer = TypeVar("Answer")


def in_time(seconds: float, act: Callable[[], Answer]) -> Answer:
    """Return what act() gave in the first try that took less. What is slow by itself is so in every try."""
    took = []
    for _ in range(TRIES):
        began = time.monotonic()
        answer = act()
        took.append(time.monotonic() - began)
        if took[-1] < seconds:
            return answer
    raise AssertionError(f"took {', '.join(f'{each:.1f} s' for each in took)}, and {seconds:g} s were promised")
