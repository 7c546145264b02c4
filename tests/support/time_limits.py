# SPDX-License-Identifier: GPL-3.0-or-later
"""Time limits on a machine that other work may slow down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

TRIES = 3
Answer = TypeVar("Answer")


def in_time(seconds: float, act: Callable[[], Answer]) -> Answer:
    """Return the result of the first attempt that took less. Slow code is slow in every attempt."""
    took = []
    for _ in range(TRIES):
        began = time.monotonic()
        answer = act()
        took.append(time.monotonic() - began)
        if took[-1] < seconds:
            return answer
    raise AssertionError(f"took {', '.join(f'{each:.1f} s' for each in took)}, and {seconds:g} s were promised")
