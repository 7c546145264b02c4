# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong in a network, and what helps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """found: without a full stop; remedy: whole sentences, empty where nothing of ours helps."""

    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}. {self.remedy}".rstrip()
