# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a test does in each of the three tiers: `make quick`, `make test` and `make test-long`.

A test whose work can't be counted is marked with its reason, @pytest.mark.long("why"), and runs in the last one alone. Of a
family of tests, chosen() leaves some rows to `make test`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import pytest

QUICK, LONG = bool(os.environ.get("LAPTOP_QUICK")), bool(os.environ.get("LAPTOP_LONG"))
Row = TypeVar("Row")


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
