# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stop of VMs that are idle for long needs: how long is long enough, and the note of it between two runs. Pure."""

from __future__ import annotations

from ...core.plan import in_number
from ..model.spec import ChangePolicy
from ..model.state import ProfileState
from .model import Action, ActionKind, act

_MINUTE = 60


def why_not_idle_enough(current: ProfileState, policy: ChangePolicy) -> str:
    """Return why a VM in which nothing runs is not stopped yet; empty when it was idle for long enough."""
    if (current.idle_seconds or 0.0) >= policy.idle_for:
        return ""
    return f"nothing has run in it for {_minutes(current.idle_seconds)} only, and O(idle_for) is {_minutes(policy.idle_for)}"


def why_idle_stop(current: ProfileState, policy: ChangePolicy) -> str:
    """Return why a VM is stopped that was idle for long enough; empty where that was not asked for."""
    asked = policy.stop == "if_idle" and policy.idle_for
    return f"nothing has run in it for {_minutes(current.idle_seconds)}" if asked else ""


def idle_notes(current: ProfileState, policy: ChangePolicy, busy: str) -> list[Action]:
    """Return what keeps the note true for the next run. busy: what runs in the VM now."""
    if not policy.idle_for:
        return []
    if not busy:
        return [
            act(ActionKind.NOTE_IDLE, current.name, "note that nothing runs in", silent=True, seconds=current.idle_seconds or 0.0)
        ]
    known = current.idle_seconds is not None
    return [act(ActionKind.FORGET_IDLE, current.name, "forget that nothing ran in", silent=True)] if known else []


def _minutes(seconds: float | None) -> str:
    return in_number(int((seconds or 0.0) // _MINUTE), "minute")
