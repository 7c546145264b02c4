# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the items of one cluster, several namespaces at a time; each stands for itself, none stops the others.

The secret is replaced in place by one server-side apply, so pods never see a gap; on any failure the old one stays.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.errors import WorkstationError
from ..ecr.renewal import TokenLike
from ..kube.answers import JSON, ApiError
from ..kube.objects import Conflict, KeptByFinalizers, Kube, NamespaceGone, Stale, path_of, why_refused
from .model import OWNER, OWNER_LABEL, PREFIX, PullSecretSpec, PullSecretState, body_of, config_in, current_from
from .plan import ClusterPlan, NamespacePlan, Outcome, held, untouched
from .read import AT_ONCE, BUILT_IN, MARK, account_from
from .view import Account

STALE_READS = 5
BIRTH_SECONDS = 10.0
# What we write besides the content: taken over from any other manager as long as the content is not contested.
OWN_FIELDS = (f".metadata.annotations.{PREFIX}", f".metadata.labels.{OWNER_LABEL}")
DONE = {"create": "created", "renew": "renewed", "adopt": "adopted"}


class _Failed(Exception):
    """Why one namespace could not be served."""


class _Progress:
    """How far an item has come. What was done stays done when a later step fails, and is reported."""

    def __init__(self, item: NamespacePlan) -> None:
        self.item, self.current = item, item.current
        self.doing = ""
        self.parts: dict[str, Any] = {"verb": "", "link": (), "unlink": (), "create_namespace": False}

    @property
    def done(self) -> NamespacePlan:
        """The part of the item that was carried out."""
        # Mostly all of it, a thousand times in a row: then nothing is copied.
        whole = all(getattr(self.item, name) == part for name, part in self.parts.items())
        return self.item if whole else replace(self.item, **self.parts)


@dataclass(frozen=True)
class Writer:
    """What writing a secret takes: the object for every namespace, what its metadata will record, and tokens for others."""

    spec: PullSecretSpec
    tokens: Mapping[str, TokenLike] = field(default_factory=dict)
    body: bytes = b""
    after: PullSecretState | None = None


def writer_for(spec: PullSecretSpec, tokens: Mapping[str, TokenLike]) -> Writer:
    """Return the writer of these tokens."""
    return Writer(spec, tokens, *body_of(spec, tokens))


def apply_plan(kube: Kube, plan: ClusterPlan, writer: Writer, done: dict[str, Outcome]) -> None:
    """Run every item that has something to do; each outcome goes into done at once. Without a body, none that takes a token."""
    busy = [item for item in plan.items if not item.nothing_to_do and not item.failure and (writer.body or not item.needs_token)]

    def work(item: NamespacePlan) -> None:
        done[item.namespace] = _apply(kube, item, writer)

    if len(busy) <= 1:
        for item in busy:
            work(item)
        return
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        try:
            list(pool.map(work, busy))
        except BaseException:
            # What has not begun does not begin any more.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _apply(kube: Kube, item: NamespacePlan, writer: Writer) -> Outcome:
    progress = _Progress(item)
    try:
        return _work(kube, progress, writer)
    except NamespaceGone:
        # It was removed between the list and the write: nothing is missing there. Those of the cluster can't be removed.
        wanted = item.unsure or item.namespace in BUILT_IN
        reason = "the namespace does not exist. Create it, or leave it out." if wanted else ""
    except KeptByFinalizers as error:
        reason = held(error.finalizers)
    except Conflict as error:
        managers = " and ".join(error.managers)
        reason = f"its content belongs to {managers}. Set O(force_conflicts=true) to take it over."
    except ApiError as error:
        reason = why_refused(error, progress.doing) if not error.not_found else ""
    except WorkstationError as error:
        reason = error.message
    except _Failed as error:
        reason = str(error)
    return Outcome(item, "failed", progress.current, reason, progress.done) if reason else Outcome(item, "gone")


def _work(kube: Kube, progress: _Progress, writer: Writer) -> Outcome:
    item, name = progress.item, writer.spec.name
    if item.create_namespace:
        progress.doing = "create namespaces"
        progress.parts["create_namespace"] = kube.create_namespace(item.namespace)
    # Out of the accounts first: no new pod refers to a secret that is gone.
    refused = _unlink(kube, progress, name)
    if item.verb == "delete":
        progress.doing = f"delete secret '{name}'"
        if kube.delete(path_of("secrets", item.namespace, name), item.current.uid if item.current else ""):
            progress.parts["verb"] = item.verb
        return Outcome(item, "deleted", done=progress.done)
    if item.verb:
        progress.doing = f"create or patch secret '{name}'"
        _write(kube, progress, writer, remember=bool(refused))
    _change_accounts(kube, progress, name, wanted=True)
    if refused:
        progress.doing, error = refused
        raise error
    if item.unlinked:
        raise _Failed(item.unlinked)
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


def remembering(body: bytes, item: NamespacePlan) -> bytes:
    """Return the object with the accounts that are still linked in its record, so that the next run tries again."""
    document = json.loads(body)
    linked = item.current.service_accounts if item.current else [account.name for account in item.unlink]
    document["metadata"]["annotations"][f"{PREFIX}service-accounts"] = ",".join(linked)
    return json.dumps(document, separators=(",", ":")).encode()


def _write(kube: Kube, progress: _Progress, writer: Writer, remember: bool) -> None:
    item = progress.item
    path = path_of("secrets", item.namespace, writer.spec.name)
    body, after, answer = _send(kube, path, item, writer, remember)
    written = progress.current = current_from(answer["metadata"])
    progress.parts["verb"] = item.verb
    if after is None or (written.digest, written.leases) != (after.digest, after.leases):
        raise _Failed("the cluster took it but records something else. Look for an admission webhook that changes secrets.")
    sent = json.loads(body)
    if (answer.get("type"), answer.get("data")) != (sent["type"], sent["data"]):
        _disown(kube, path, progress)
        raise _Failed("the cluster took it but keeps another content. Exempt it from the admission policy that changes secrets.")
    if not written.tracked:
        progress.current = replace(written, owners=(OWNER,))
    if written.held_by:
        raise _Failed(held(written.held_by))


def _send(
    kube: Kube, path: str, item: NamespacePlan, writer: Writer, remember: bool
) -> tuple[bytes, PullSecretState | None, dict[str, Any]]:
    """Apply the object until it is taken. Returns it, what its metadata is to record, and the answer."""
    deadline = time.monotonic() + BIRTH_SECONDS
    # Log-ins of other registries, in a secret that is or was adopted, stay in it: then its content is read.
    kept = item.verb == "adopt" or bool(item.current and item.current.others)
    while True:
        body, after = _object_with_others(kube, path, writer) if kept else (writer.body, writer.after)
        body = remembering(body, item) if remember else body
        try:
            return body, after, kube.apply(path, body, item.force, OWN_FIELDS, guarded=kept, accept=JSON)
        except Stale:
            if time.monotonic() > deadline:
                raise _Failed("another program keeps changing it. Run again later.") from None
        except NamespaceGone:
            # A cluster that has just started makes its own namespaces a moment later.
            if item.namespace not in BUILT_IN or time.monotonic() > deadline:
                raise
            time.sleep(0.25)


def _disown(kube: Kube, path: str, progress: _Progress) -> None:
    """Take back the record of a content that the cluster does not have, so that no later run believes it."""
    try:
        kube.merge_patch(path, {"metadata": {"annotations": {f"{PREFIX}registries": None}}})
    except ApiError as error:
        left = "the cluster keeps another content, and our record can't be removed"
        raise _Failed(f"{left}: {why_refused(error, progress.doing)} Delete the secret.") from error
    if progress.current is not None:
        progress.current = replace(progress.current, leases={})


def _object_with_others(kube: Kube, path: str, writer: Writer) -> tuple[bytes, PullSecretState]:
    secret = kube.read(path) or {}
    version = str((secret.get("metadata") or {}).get("resourceVersion") or "")
    return body_of(writer.spec, writer.tokens, config_in(secret), version)


def _change_accounts(kube: Kube, progress: _Progress, secret: str, wanted: bool) -> None:
    part = "link" if wanted else "unlink"
    for account in getattr(progress.item, part):
        progress.doing = f"patch service account '{account.name}'"
        if _change_account(kube, account, secret, wanted):
            progress.parts[part] += (account,)


def _change_account(kube: Kube, account: Account, secret: str, wanted: bool) -> bool:
    """Put the entry in or take it out; other entries stay. Returns False when it was so.

    What was listed guards itself by its version. Only where that is old, or not known whole, the account is read.
    """
    path = path_of("serviceaccounts", account.namespace, account.name)
    for attempt in range(1, STALE_READS + 1):
        if attempt > 1 or not account.whole:
            item = kube.read(path)
            if item is None:
                return False
            account = account_from(item)
        change = account_change(account, secret, wanted)
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


def account_change(account: Account, secret: str, wanted: bool) -> dict[str, Any] | None:
    """Return the merge patch that links or unlinks the secret. Returns None when there is nothing to change."""
    if (secret in account.pulls_with) if wanted else not account.marked(secret):
        return None
    after = account.after(secret, wanted)
    return {
        "metadata": {"resourceVersion": account.version, "annotations": {MARK: ",".join(after.marks) or None}},
        "imagePullSecrets": [{"name": name} for name in after.pulls_with] or None,
    }
