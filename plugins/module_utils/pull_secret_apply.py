# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the items of one cluster, several namespaces at a time; each stands for itself, none stops the others.

The secret is replaced in place by one server-side apply, so pods never see a gap; on any failure the old one stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .kube_http import ApiError, Unreachable
from .kube_objects import Conflict, Kube, NamespaceGone, path_of, why_refused
from .pull_secret import Current, Desired, current_from
from .pull_secret_plan import Account, ClusterPlan, Item, Outcome, untouched
from .pull_secret_read import AT_ONCE, BUILT_IN, MARK, account_from

STALE_READS = 5
BIRTH_SECONDS = 10.0
DONE = {"create": "created", "renew": "renewed", "adopt": "adopted", "delete": "deleted", "": "fresh"}


class _Failed(Exception):
    """Why one namespace could not be served."""


def apply_plan(kube: Kube, plan: ClusterPlan, desired: Desired, body: bytes, after: Current | None) -> list[Outcome]:
    """Run every item that has something to do and return what became of all, in the order of the plan."""
    busy = [item for item in plan.items if not item.idle and not item.failure]

    def work(item: Item) -> Outcome:
        return _apply(kube, item, desired, body, after)

    if len(busy) <= 1:
        done = [work(item) for item in busy]
    else:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            done = list(pool.map(work, busy))
    by_namespace = {outcome.item.namespace: outcome for outcome in done}
    return [by_namespace.get(item.namespace) or untouched(item) for item in plan.items]


def _apply(kube: Kube, item: Item, desired: Desired, body: bytes, after: Current | None) -> Outcome:
    try:
        return _work(kube, item, desired, body, after)
    except NamespaceGone:
        # Between the list and the write somebody removed it: nothing is missing there.
        reason = "the namespace does not exist. Create it, or leave it out." if item.unsure else ""
    except Conflict as error:
        managers = " and ".join(error.managers)
        reason = f"its content belongs to {managers}. Set force_conflicts to true to take it over."
    except ApiError as error:
        action = f"{'delete' if item.verb == 'delete' else 'create or patch'} what it takes in the namespace"
        reason = why_refused(error, action) if error.status != 404 else ""
    except Unreachable as error:
        reason = error.message
    except _Failed as error:
        reason = str(error)
    return Outcome(item, "failed", item.current, reason) if reason else Outcome(item, "gone")


def _work(kube: Kube, item: Item, desired: Desired, body: bytes, after: Current | None) -> Outcome:
    if item.create_namespace:
        kube.create_namespace(item.namespace)
    if item.verb == "delete":
        # First out of the accounts, so that no new pod refers to a secret that is gone.
        _change_accounts(kube, item, desired.name)
        kube.delete(path_of("secrets", item.namespace, desired.name), item.current.uid if item.current else "")
        return Outcome(item, "deleted")
    current = _write(kube, item, desired, body, after) if item.verb else item.current
    _change_accounts(kube, item, desired.name)
    return Outcome(item, DONE[item.verb], current)


def _write(kube: Kube, item: Item, desired: Desired, body: bytes, after: Current | None) -> Current:
    path = path_of("secrets", item.namespace, desired.name)
    deadline = time.monotonic() + BIRTH_SECONDS
    while True:
        try:
            written = current_from(kube.apply(path, body, item.force))
            break
        except NamespaceGone:
            # A cluster that has just started makes its own namespaces a moment later.
            if item.namespace not in BUILT_IN or time.monotonic() > deadline:
                raise
            time.sleep(0.25)
    if after is None or (written.digest, written.leases) != (after.digest, after.leases):
        raise _Failed("the cluster took it and yet records something else. Look for an admission webhook that changes secrets.")
    return written


def _change_accounts(kube: Kube, item: Item, secret: str) -> None:
    for account, wanted in _both(item.link, item.unlink):
        _change_account(kube, account, secret, wanted)


def _both(link: Iterable[Account], unlink: Iterable[Account]) -> Iterable[tuple[Account, bool]]:
    yield from ((account, True) for account in link)
    yield from ((account, False) for account in unlink)


def _change_account(kube: Kube, account: Account, secret: str, wanted: bool) -> None:
    """Put the entry in or take it out, on the newest version of the account; other entries stay."""
    path = path_of("serviceaccounts", account.namespace, account.name)
    for attempt in range(1, STALE_READS + 1):
        item = kube.read(path)
        if item is None:
            return
        change = account_change(item, secret, wanted)
        if change is None:
            return
        try:
            kube.merge_patch(path, change)
            return
        except ApiError as error:
            if error.status == 404:
                return
            if error.status != 409 or attempt == STALE_READS:
                raise


def account_change(item: dict[str, Any], secret: str, wanted: bool) -> dict[str, Any] | None:
    """Return the merge patch that links or unlinks the secret. Returns None when there is nothing to change."""
    account = account_from(item, secret)
    metadata = item["metadata"]
    entries = [entry for entry in item.get("imagePullSecrets") or () if entry.get("name") != secret]
    marks = [mark for mark in str((metadata.get("annotations") or {}).get(MARK, "")).split(",") if mark and mark != secret]
    if wanted:
        if secret in account.pulls_with:
            return None
        entries, marks = [*entries, {"name": secret}], [*marks, secret]
    elif not account.marked:
        return None
    return {
        "metadata": {"resourceVersion": account.version, "annotations": {MARK: ",".join(marks) or None}},
        "imagePullSecrets": entries or None,
    }
