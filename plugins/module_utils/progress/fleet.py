# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over many laptops comes to, in a few lines at its end. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from ..core.plan import in_number


class LaptopOutcome(Enum):
    """What became of a laptop. The value is the word of the summary."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    PENDING = "with something pending"
    LEFT_ALONE = "left alone"
    FAILED = "failed"
    AWAY = "did not answer"


@dataclass(frozen=True)
class LaptopResult:
    """A laptop of the run. reason: why it failed, or did not answer."""

    name: str
    outcome: LaptopOutcome
    reason: str = ""


def fleet_lines(laptops: Sequence[LaptopResult]) -> Iterator[tuple[LaptopOutcome | None, str, list[str]]]:
    """Yield outcome, title and lines of each block: first the count, last what a person has to look at."""
    counts = {outcome: [laptop for laptop in laptops if laptop.outcome is outcome] for outcome in LaptopOutcome}
    totals = ", ".join(f"{len(found)} {outcome.value}" for outcome, found in counts.items() if found)
    yield None, in_number(len(laptops), "laptop"), [totals]
    if counts[LaptopOutcome.LEFT_ALONE]:
        yield LaptopOutcome.LEFT_ALONE, "left alone", [", ".join(count.name for count in counts[LaptopOutcome.LEFT_ALONE])]
    for outcome in (LaptopOutcome.AWAY, LaptopOutcome.FAILED):
        if counts[outcome]:
            yield outcome, outcome.value, [f"{count.name}: {count.reason}" for count in counts[outcome]]
