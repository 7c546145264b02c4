# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as Go's tabwriter aligns them for colima and limactl: four spaces behind the longest cell of each column."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the cells; the last one keeps its own length."""
    widths = [max(len(row[i]) for row in rows) + 4 for i in range(len(rows[0]) - 1)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[-1] for row in rows]
    return "".join(line + "\n" for line in lines)
