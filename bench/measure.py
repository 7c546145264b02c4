# SPDX-License-Identifier: GPL-3.0-or-later
"""How a ratio is measured: both programs in turn, pair by pair, and the median of the pairs' ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of bench/results.json. ours and other are medians in seconds; ratio is ours / other, goal its upper bound."""

    name: str
    ours: float
    other: float
    ratio: float
    goal: float

    def public(self) -> dict[str, object]:
        """Return the form that is written."""
        return {
            "name": self.name,
            "ours": round(self.ours, 3),
            "other": round(self.other, 3),
            "ratio": round(self.ratio, 2),
            "goal": self.goal,
            "ok": self.ratio <= self.goal,
        }


def seconds(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(
    name: str,
    goal: float,
    ours: Callable[[], object],
    other: Callable[[], object],
    *,
    before: Callable[[], object] = lambda: None,
    pairs: int = 5,
    warm_up: bool = True,
) -> Row:
    """Run both in turn and return the row. The order alternates, so that neither always has the warmer caches.

    before: what each of them finds; it is not measured.
    """

    def measure(work: Callable[[], object]) -> float:
        before()
        return seconds(work)

    if warm_up:
        measure(ours)
        measure(other)
    measured: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            second = measure(other)
            measured.append((measure(ours), second))
        else:
            first = measure(ours)
            measured.append((first, measure(other)))
    return Row(
        name,
        statistics.median(mine for mine, _ in measured),
        statistics.median(theirs for _, theirs in measured),
        statistics.median(mine / theirs for mine, theirs in measured),
        goal,
    )
