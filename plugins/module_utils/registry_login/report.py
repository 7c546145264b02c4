# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells of registry logins: steps in English, rows, what waits and what failed. Nothing secret. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ..core.plan import Pending, Plan, Step
from ..ecr.renewal import Lease, hours_left, stamp
from .model import LoginVerb, Outcome, PlannedLogin


def plan_of(outcomes: Sequence[Outcome], is_planned: bool) -> Plan:
    """Return what is planned as a printable plan, or what was done. A note to forget is a silent step."""
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for outcome in outcomes:
        item = outcome.item
        if not item.verb or item.failure or outcome.state in ("failed", "waiting"):
            continue
        if outcome.state == "due" and not is_planned:
            continue
        steps.append(_step(item))
        if item.verb == LoginVerb.FORGET:
            continue
        key = f"{item.place}{' credHelpers' if item.place.kind == 'helper' else ''}: {item.host}"
        before[key], after[key] = _states(item, outcome.lease)
    return Plan(tuple(steps), before, after)


def _step(item: PlannedLogin) -> Step:
    registry = f"registry '{item.host}'"
    return {
        LoginVerb.LOG_IN: Step("log", f"{item.place} in to {registry}", item.reason),
        LoginVerb.LOG_OUT: Step("log", f"{item.place} out of {registry}", item.reason),
        LoginVerb.ADD: Step("add", f"credential helper '{item.value}' for {registry} to docker's config.json"),
        LoginVerb.TAKE: Step("remove", f"credential helper '{item.value}' for {registry} from docker's config.json", item.reason),
        LoginVerb.WRITE: Step("write", f"credential helper '{item.host}' for AWS profile '{item.value}' in '{item.place.where}'"),
        LoginVerb.REMOVE: Step("remove", f"credential helper '{item.host}' from '{item.place.where}'", item.reason),
        LoginVerb.FORGET: Step("forget", f"the note of {registry} in {item.place}", silent=True),
    }[item.verb]


def _states(item: PlannedLogin, lease: Lease | None) -> tuple[Any, Any]:
    if item.verb in (LoginVerb.ADD, LoginVerb.TAKE, LoginVerb.WRITE, LoginVerb.REMOVE):
        return (None, item.value) if item.verb in (LoginVerb.ADD, LoginVerb.WRITE) else (item.value, None)
    old = (
        f"logged in until {stamp(item.note.lease.expires_at)}"
        if item.note and item.note.lease
        else "not logged in by an earlier run"
    )
    if item.verb == LoginVerb.LOG_OUT:
        return old, "logged out"
    changed = lease is not None and not (item.note and item.note.lease == lease)
    return old, f"logged in until {stamp(lease.expires_at)}" if lease and changed else "logged in for 12 hours"


def row(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return what a user sees of one login."""
    item, lease = outcome.item, outcome.lease if outcome.state not in ("logged_out", "removed") else None
    return {
        "output": {"helper": "cred_helper"}.get(item.place.kind, item.place.kind),
        "where": item.place.where,
        "host": item.host,
        "state": outcome.state,
        "reason": outcome.failure or item.waiting or item.reason,
        "expires_at": stamp(lease.expires_at) if lease else None,
        "hours_left": hours_left(lease.expires_at, now) if lease else None,
    }


def pending_of(outcomes: Sequence[Outcome]) -> list[Pending]:
    """Return what waits for a profile to run."""
    return [
        Pending(
            target=str(outcome.item.place),
            change=f"the {'login to' if outcome.item.verb == LoginVerb.LOG_IN else 'logout from'} registry '{outcome.item.host}'",
            reason="the profile can't be reached",
            remedy=outcome.item.waiting,
        )
        for outcome in outcomes
        if outcome.state == "waiting"
    ]


def failures_of(outcomes: Sequence[Outcome], with_waiting: bool) -> list[str]:
    """Return the sentences about what failed, each once."""
    said = [outcome.failure or outcome.item.failure for outcome in outcomes if outcome.state == "failed"]
    said += [outcome.item.waiting for outcome in outcomes if with_waiting and outcome.state == "waiting"]
    return list(dict.fromkeys(said))
