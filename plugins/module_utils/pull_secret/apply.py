# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the items of one cluster, several namespaces at a time; each stands for itself, none stops the others.

The secret is replaced in place by one server-side apply, so pods never see a gap; on any failure the old one stays.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ..core.errors import WorkstationError
from ..kube.answers import ApiError
from ..kube.objects import Conflict, Kube, NamespaceGone, path_of, why_refused
from .model import PREFIX, Current, Desired, current_from
from .plan import MISSED, Account, ClusterPlan, Item, Outcome, untouched
from .read import AT_ONCE, BUILT_IN, MARK, account_from

STALE_READS = 5
BIRTH_SECONDS = 10.0
DONE = {"create": "created", "renew": "renewed", "adopt": "adopted"}


class _Failed(Exception):
    """Why one namespace could not be served."""


class _Progress:
    """How far an item has come. What was done stays done when a later step fails, and is reported."""

    def __init__(self, item: Item) -> None:
        self.item, self.current = item, item.current
        self.doing = ""
        self.parts: dict[str, Any] = {"verb": "", "link": (), "unlink": (), "create_namespace": False}

    @property
    def done(self) -> Item:
        """The part of the item that was carried out."""
        # Mostly all of it, a thousand times in a row: then nothing is copied.
        whole = all(getattr(self.item, name) == part for name, part in self.parts.items())
        return self.item if whole else replace(self.item, **self.parts)


def apply_plan(kube: Kube, plan: ClusterPlan, desired: Desired, body: bytes, after: Current | None) -> list[Outcome]:
    """Run every item that has something to do and return what became of all, in the order of the plan.

    Without a body only what takes no token is done.
    """
    busy = [item for item in plan.items if not item.idle and not item.failure and (body or not item.needs_token)]

    def work(item: Item) -> Outcome:
        return _apply(kube, item, desired, body, after)

    if len(busy) <= 1:
        done = [work(item) for item in busy]
    else:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            done = list(pool.map(work, busy))
    by_namespace = {outcome.item.namespace: outcome for outcome in done}
    return [by_namespace.get(item.namespace) or _left(item) for item in plan.items]


def _left(item: Item) -> Outcome:
    return Outcome(item, "failed", item.current, MISSED) if item.needs_token and not item.failure else untouched(item)


def _apply(kube: Kube, item: Item, desired: Desired, body: bytes, after: Current | None) -> Outcome:
    progress = _Progress(item)
    try:
        return _work(kube, progress, desired, body, after)
    except NamespaceGone:
        # Between the list and the write somebody removed it: nothing is missing there. Those of the cluster nobody can.
        wanted = item.unsure or item.namespace in BUILT_IN
        reason = "the namespace does not exist. Create it, or leave it out." if wanted else ""
    except Conflict as error:
        managers = " and ".join(error.managers)
        reason = f"its content belongs to {managers}. Set force_conflicts to true to take it over."
    except ApiError as error:
        reason = why_refused(error, progress.doing) if not error.not_found else ""
    except WorkstationError as error:
        reason = error.message
    except _Failed as error:
        reason = str(error)
    return Outcome(item, "failed", progress.current, reason, progress.done) if reason else Outcome(item, "gone")


def _work(kube: Kube, progress: _Progress, desired: Desired, body: bytes, after: Current | None) -> Outcome:
    item = progress.item
    if item.create_namespace:
        progress.doing = "create namespaces"
        progress.parts["create_namespace"] = kube.create_namespace(item.namespace)
    # Out of the accounts first: no new pod refers to a secret that is gone.
    refused = _unlink(kube, progress, desired.name)
    if item.verb == "delete":
        progress.doing = f"delete secret '{desired.name}'"
        if kube.delete(path_of("secrets", item.namespace, desired.name), item.current.uid if item.current else ""):
            progress.parts["verb"] = item.verb
        return Outcome(item, "deleted", done=progress.done)
    if item.verb:
        progress.doing = f"create or patch secret '{desired.name}'"
        _write(kube, progress, desired, remembering(body, item) if refused else body, after)
    _change_accounts(kube, progress, desired.name, wanted=True)
    if refused:
        progress.doing, error = refused
        raise error
    return Outcome(item, DONE.get(item.verb) or untouched(item).state, progress.current, done=progress.done)


def _unlink(kube: Kube, progress: _Progress, secret: str) -> tuple[str, ApiError] | None:
    """Take the entries out. Returns what was refused when the secret is to be written all the same: pods wait for it."""
    try:
        _change_accounts(kube, progress, secret, wanted=False)
    except ApiError as error:
        if not progress.item.needs_token:
            raise
        return progress.doing, error
    return None


def remembering(body: bytes, item: Item) -> bytes:
    """Return the object with the accounts that are still linked in its record, so that the next run tries again."""
    document = json.loads(body)
    linked = item.current.service_accounts if item.current else [account.name for account in item.unlink]
    document["metadata"]["annotations"][f"{PREFIX}service-accounts"] = ",".join(linked)
    return json.dumps(document, separators=(",", ":")).encode()


def _write(kube: Kube, progress: _Progress, desired: Desired, body: bytes, after: Current | None) -> None:
    item = progress.item
    path = path_of("secrets", item.namespace, desired.name)
    deadline = time.monotonic() + BIRTH_SECONDS
    while True:
        try:
            written = progress.current = current_from(kube.apply(path, body, item.force))
            break
        except NamespaceGone:
            # A cluster that has just started makes its own namespaces a moment later.
            if item.namespace not in BUILT_IN or time.monotonic() > deadline:
                raise
            time.sleep(0.25)
    progress.parts["verb"] = item.verb
    if after is None or (written.digest, written.leases) != (after.digest, after.leases):
        raise _Failed("the cluster took it and yet records something else. Look for an admission webhook that changes secrets.")


def _change_accounts(kube: Kube, progress: _Progress, secret: str, wanted: bool) -> None:
    part = "link" if wanted else "unlink"
    for account in getattr(progress.item, part):
        progress.doing = f"patch service account '{account.name}'"
        if _change_account(kube, account, secret, wanted):
            progress.parts[part] += (account,)


def _change_account(kube: Kube, account: Account, secret: str, wanted: bool) -> bool:
    """Put the entry in or take it out, on the newest version of the account; other entries stay. Returns False when it was so."""
    path = path_of("serviceaccounts", account.namespace, account.name)
    for attempt in range(1, STALE_READS + 1):
        item = kube.read(path)
        change = account_change(item, secret, wanted) if item is not None else None
        if change is None:
            return False
        try:
            kube.merge_patch(path, change)
            return True
        except ApiError as error:
            if error.not_found:
                return False
            if error.status != 409 or attempt == STALE_READS:
                raise
    raise AssertionError(path)


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
