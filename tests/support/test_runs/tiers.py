# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a test does in each of the three tiers: `make quick`, `make test` and `make test-long`.

A test whose work can't be counted is marked with its reason, @pytest.mark.long("why"), and runs in the last one alone.
"""

from __future__ import annotations

import os

QUICK, LONG = bool(os.environ.get("LAPTOP_QUICK")), bool(os.environ.get("LAPTOP_LONG"))


def times(quick: int, test: int, long: int) -> int:
    """Return how often this run's tier does it."""
    return long if LONG else quick if QUICK else test
