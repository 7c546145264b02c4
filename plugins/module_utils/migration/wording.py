# SPDX-License-Identifier: GPL-3.0-or-later
"""What every move and snapshot says in the same words: a list of names, and why a volume waits. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.plan import Pending
from .model import Container

_MOST_NAMES = 3


def listed(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Return the first few names, and how many more there are."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def names_of(containers: Sequence[Container]) -> str:
    """Return the names of containers, as a list for people."""
    return listed([one.name for one in containers])


def torn(target: str, what: str, writers: str, remedy: str = "Stop that, or set E(pause=true).") -> Pending:
    """Return that a copy waits for those who may write. target: what people call the volume. what: "its copy"."""
    return Pending(target, what, f"{writers} may write to it, and a copy would be torn", remedy, kind="in_use")


def held(target: str, what: str, holders: str) -> Pending:
    """Return that a volume waits for containers that hold on to the volume it replaces."""
    remedy = "Remove that container ('docker compose down' keeps volumes), and run again."
    return Pending(target, what, f"{holders} holds on to the one there", remedy, kind="in_use")
