# SPDX-License-Identifier: GPL-3.0-or-later
"""Where notes of ours are kept that belong to the user, not to a tool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_directory(environment: Mapping[str, str], home: str) -> Path:
    """Return the directory of this collection below XDG_STATE_HOME (default ~/.local/state)."""
    return Path(environment.get("XDG_STATE_HOME") or f"{home}/.local/state") / "laptop.containers"
