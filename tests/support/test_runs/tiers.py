# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a test does in each of the three tiers: `make quick`, `make test` and `make test-long`.

Of a test of playbooks or faults with many rows `make test` runs the first and the last one, as each starts programs for seconds;
marked each_row, as each row holds a promise of its own, it runs whole, like tests of units and contracts. A test whose work can't
be counted is marked with its reason, @pytest.mark.long("why"), and runs in the last tier alone; of a family of tests, chosen()
leaves some rows to `make test`. A test that hangs fails after HANGS, or LONG_HANGS where minutes are its nature.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import pytest

QUICK, LONG = bool(os.environ.get("LAPTOP_QUICK")), bool(os.environ.get("LAPTOP_LONG"))
Row = TypeVar("Row")
ROW_LEFT = "neither the first nor the last row"
# Seconds. The longest test of `make test` takes 40 on 2 cores; what it starts may take 300.
HANGS, LONG_HANGS = 400, 3600


def times(quick: int, test: int, long: int) -> int:
    """Return how often this run's tier does it."""
    return long if LONG else quick if QUICK else test


def chosen(why: str, rows: Sequence[Row], names: Collection[str], name: Callable[[Row], str] = str) -> list[Any]:
    """Return the rows of a family of tests; those without one of the names are long, for this reason.

    Raises ValueError for a name that no row has.
    """
    if unknown := {*names} - {name(row) for row in rows}:
        raise ValueError(f"no row is named {sorted(unknown)}")
    long = pytest.mark.long(why)
    return [row if name(row) in names else pytest.param(row, marks=long) for row in rows]


def leave_rows(items: Iterable[pytest.Item]) -> None:
    """Mark as long all but the first and the last row of each test of playbooks and faults without the mark each_row."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        test, _, row = item.nodeid.partition("[")
        kept = any(item.get_closest_marker(mark) for mark in ("long", "each_row"))
        if row and not kept and test.startswith(("tests/integration/", "tests/faults/")):
            tests.setdefault(test, []).append(item)
    for rows in tests.values():
        for item in rows[1:-1]:
            item.add_marker(pytest.mark.long(ROW_LEFT))


def limit_time(items: Iterable[pytest.Item]) -> None:
    """Let each test, with its fixtures, fail by its name and with the stacks of its threads where it hangs."""
    for item in items:
        minutes = LONG or item.get_closest_marker("long") or item.nodeid.startswith("tests/machines/")
        item.add_marker(pytest.mark.timeout(LONG_HANGS if minutes else HANGS))
