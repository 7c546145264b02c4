# SPDX-License-Identifier: GPL-3.0-or-later
"""The plans of all clusters as one printable plan: steps in English, states before and after, nothing secret. Pure.

For many namespaces, steps and states of one kind are one line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ..core.plan import Pending, Plan, Step
from ..ecr.renewal import hours_left, stamp
from .model import PullSecretSpec, PullSecretState
from .plan import ClusterPlan, NamespacePlan

MOST = 15  # lines of one kind before they are grouped
NAMED = 3  # namespaces that a line names before it counts
Row = TypeVar("Row")


@dataclass(frozen=True)
class _Line:
    """One step in one namespace. account is empty where the step is about the secret or the namespace."""

    verb: str
    context: str
    namespace: str
    reason: str = ""
    account: str = ""

    def step(self, secret: str) -> Step:
        """Return the step of this namespace alone."""
        where = f"{self.context}/{self.namespace}"
        if self.account:
            word = "to" if self.verb == "add" else "from"
            return Step(self.verb, f"pull secret '{secret}' {word} service account {where}/{self.account}")
        target = f"namespace {where}" if self.verb == NAMESPACE else f"pull secret {where}/{secret}"
        return Step("create" if self.verb == NAMESPACE else self.verb, target, self.reason)


NAMESPACE = "create namespace"


def plan_of(clusters: Iterable[ClusterPlan], spec: PullSecretSpec, now: datetime) -> Plan:
    """Return the printable plan of all clusters."""
    lines: list[_Line] = []
    states: list[tuple[str, NamespacePlan]] = []
    absent: list[tuple[str, str, str]] = []
    warnings: list[str] = []
    for cluster in clusters:
        foreign = [f"{cluster.context}/{item.namespace}" for item in cluster.items if item.foreign]
        warnings += cluster.warnings
        if foreign:
            warnings.append(f"Pull secret '{spec.name}' in {places(foreign)} belongs to another manager and stays.")
        for item in cluster.items:
            absent += [(cluster.context, name, item.namespace) for name in item.absent_accounts if not item.failure]
            if not (item.nothing_to_do or item.failure):
                lines += _lines(cluster.context, item)
                states.append((cluster.context, item))
    before, after = _states(states, spec, now)
    return Plan(tuple(_steps(lines, spec.name)), before, after, _pending(absent, spec), tuple(dict.fromkeys(warnings)))


def places(names: Sequence[str]) -> str:
    """Return namespaces in words: all of a few, of many their number and the first ones."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'namespace' if len(names) == 1 else f'{len(names):,} namespaces'} {', '.join(map(repr, names[:NAMED]))}{more}"


def _lines(context: str, item: NamespacePlan) -> Iterator[_Line]:
    if item.create_namespace:
        yield _Line(NAMESPACE, context, item.namespace)
    if item.verb:
        yield _Line(item.verb, context, item.namespace, item.reason)
    for verb, accounts in (("add", item.link), ("remove", item.unlink)):
        for account in accounts:
            yield _Line(verb, context, item.namespace, account=account.name)


def _steps(lines: Sequence[_Line], secret: str) -> Iterator[Step]:
    if len(lines) <= MOST:
        yield from (line.step(secret) for line in lines)
        return
    groups = _grouped(lines, lambda line: (line.verb, line.context, bool(line.account), line.reason))
    if len(groups) > MOST:
        groups = _grouped(lines, lambda line: (line.verb, line.context, bool(line.account)))
    for group in groups:
        first = group[0]
        where = f"{places(list(dict.fromkeys(line.namespace for line in group)))} of cluster '{first.context}'"
        reasons = {line.reason for line in group}
        if len(group) == 1:
            yield first.step(secret)
        elif first.verb == NAMESPACE:
            yield Step("create", where)
        elif first.account:
            word = "to" if first.verb == "add" else "from"
            yield Step(first.verb, f"pull secret '{secret}' {word} {len(group):,} service accounts in {where}")
        else:
            yield Step(first.verb, f"pull secret '{secret}' in {where}", first.reason if len(reasons) == 1 else "")


def _states(
    items: Sequence[tuple[str, NamespacePlan]], spec: PullSecretSpec, now: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(items) <= MOST:
        keys = [f"{context}/{item.namespace}" for context, item in items]
        before = [_shown(item.current, now) for _context, item in items]
        after = [_wanted(item, spec, now) for _context, item in items]
        return dict(zip(keys, before, strict=True)), dict(zip(keys, after, strict=True))
    # What differs with every minute would make each of them a group of its own.
    shown = [(context, item, _general(_shown(item.current, now)), _general(_wanted(item, spec, now))) for context, item in items]
    groups = _grouped(shown, lambda row: (row[0], json.dumps(row[2:], sort_keys=True, default=str)))
    named = [f"{group[0][0]}: {places([item.namespace for _context, item, *_states in group])}" for group in groups]
    return (
        {key: group[0][2] for key, group in zip(named, groups, strict=True)},
        {key: group[0][3] for key, group in zip(named, groups, strict=True)},
    )


def _pending(absent: Sequence[tuple[str, str, str]], spec: PullSecretSpec) -> tuple[Pending, ...]:
    groups = [[one] for one in absent] if len(absent) <= MOST else _grouped(absent, lambda one: one[:2])

    def target(group: Sequence[tuple[str, str, str]]) -> str:
        context, name, namespace = group[0]
        if len(group) == 1:
            return f"service account {context}/{namespace}/{name}"
        return f"service account '{name}' in {places([one[2] for one in group])} of cluster '{context}'"

    return tuple(
        Pending(
            target=target(group),
            change=f"adding pull secret '{spec.name}'",
            reason="it does not exist",
            remedy="Create it; the next run adds the entry.",
            kind="service_account",
        )
        for group in groups
    )


def _grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[list[Row]]:
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())


def _general(state: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in state.items() if key in ("state", "hosts", "other_registries", "made_by", "link", "unlink")
    }


def _shown(current: PullSecretState | None, now: datetime) -> dict[str, Any]:
    if current is None:
        return {"state": "absent"}
    others = {"other_registries": list(current.others)} if current.others else {}
    if not current.leases:
        return {"state": "present", "made_by": list(current.owners), **others}
    expires_at = min(lease.expires_at for lease in current.leases.values())
    return {
        "state": "present",
        "hosts": sorted(current.leases),
        **others,
        "identity": sorted({lease.identity for lease in current.leases.values()}),
        "digest": current.digest,
        "hours_left": hours_left(expires_at, now),
        "expires_at": stamp(expires_at),
    }


def _wanted(item: NamespacePlan, spec: PullSecretSpec, now: datetime) -> dict[str, Any]:
    if item.verb == "delete":
        return {"state": "absent"}
    if not item.verb:
        changes = {"link": [account.name for account in item.link], "unlink": [account.name for account in item.unlink]}
        return {**_shown(item.current, now), **{key: value for key, value in changes.items() if value}}
    return {
        "state": "present",
        "hosts": sorted(spec.hosts),
        **({"other_registries": list(item.current.others)} if item.current and item.current.others else {}),
        "identity": sorted(set(spec.hosts.values())),
        "digest": "(of the new token)",
        "expires_at": "(12 hours after it is written)",
    }
