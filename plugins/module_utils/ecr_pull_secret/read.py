# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a cluster has: one metadata-only list finds the secret of a name in all namespaces.

A user who may not list across namespaces is served by one small read per namespace. A secret's content is read where the list
does not suffice: of one that is to be adopted, and where a gateway hides who owns its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..core.errors import WorkstationError
from ..kube.answers import ApiError
from ..kube.objects import Kube, path_of, why_refused
from .model import PREFIX, PullSecretSpec, PullSecretState, auths_in, config_in, current_from, holds
from .namespaces import Scope, choose, is_pattern, unmatched_parts
from .plan import Policy
from .view import Account, View

AT_ONCE = 8
MARK = PREFIX + "pull-secrets"
# The API server makes these by itself, a moment after it answers for the first time.
BUILT_IN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
Read = TypeVar("Read")


def read_view(kube: Kube, context: str, scope: Scope, spec: PullSecretSpec, policy: Policy) -> View:
    """Return what the cluster has. Raises Unreachable, or WorkstationError when the user may not even look."""
    there, labelled = _namespaces(kube, context, scope)
    living = _living(there or ())
    wanted = choose(scope, living, labelled)
    secrets, refused, complete = _secrets(kube, spec.name, wanted, scope.explicit and not policy.prune)
    parts = unmatched_parts(scope, living, labelled)
    view = View(context, wanted, secrets=secrets, refused=refused, complete=complete, unmatched_parts=parts)
    if not policy.absent:
        missing, unsure = _missing(kube, [name for name in view.unserved if name not in BUILT_IN], there)
        view = replace(view, missing=missing, unsure=unsure)
    accounts, unlinked = _linked(kube, view, spec, policy)
    secrets = _with_others(kube, spec, policy, _compared(kube, spec, policy, secrets, wanted), wanted)
    return replace(view, secrets=secrets, accounts=accounts, unlinked=unlinked)


def _linked(
    kube: Kube, view: View, spec: PullSecretSpec, policy: Policy
) -> tuple[dict[str, tuple[Account, ...]], dict[str, str]]:
    """Return the service accounts that may be linked or are to be, and why those of a namespace are not known."""
    # What is linked elsewhere only matters for pruning.
    concerned = view.secrets if policy.prune else view.secrets.keys() & set(view.wanted)
    if spec.service_accounts or any(view.secrets[namespace].service_accounts for namespace in concerned):
        return _accounts(kube, [name for name in view.wanted if name not in view.missing])
    if policy.absent or len(view.unserved) > len(view.missing):
        # Where the secret is gone, nothing but the accounts themselves tells which of them we linked.
        return _marked(kube, spec.name, view.unserved if policy.absent else ()), {}
    return {}, {}


def _compared(
    kube: Kube, spec: PullSecretSpec, policy: Policy, secrets: dict[str, PullSecretState], wanted: Iterable[str]
) -> dict[str, PullSecretState]:
    """Return the secrets; where a gateway hides who wrote which field, our own are read and compared with their record."""
    unknown = [name for name in wanted if name in secrets and secrets[name].ours and not secrets[name].tracked]
    if not unknown or policy.absent:
        return secrets
    read, _refused = _each(unknown, lambda namespace: kube.read(path_of("secrets", namespace, spec.name)), "get secrets")
    differ = [name for name, secret in read.items() if not holds(secret or {}, secrets[name])]
    return secrets | {name: replace(secrets[name], leases={}) for name in differ}


def _with_others(
    kube: Kube, spec: PullSecretSpec, policy: Policy, secrets: dict[str, PullSecretState], wanted: Iterable[str]
) -> dict[str, PullSecretState]:
    """Return the secrets, those to adopt with the other registries in them: their log-ins stay, so a diff shows them."""
    adopted = [name for name in wanted if policy.adopt and name in secrets and not secrets[name].ours]
    if not adopted or policy.absent:
        return secrets
    read, _refused = _each(adopted, lambda namespace: kube.read(path_of("secrets", namespace, spec.name)), "get secrets")
    others = {name: tuple(sorted(set(auths_in(config_in(secret))) - set(spec.hosts))) for name, secret in read.items()}
    return secrets | {name: replace(secrets[name], others=found) for name, found in others.items()}


def _namespaces(kube: Kube, context: str, scope: Scope) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """Return the metadata of all namespaces (None when that is not needed), and the living ones that the selector finds."""
    there = None
    labelled: list[str] = []
    try:
        if any(is_pattern(name) for name in scope.namespaces):
            there = kube.list_metadata(path_of("namespaces"))
        if scope.selector:
            labelled = _living(kube.list_metadata(path_of("namespaces"), labelSelector=scope.selector))
    except ApiError as error:
        if error.status == 400:
            raise WorkstationError(
                f"use O(namespace_selector) '{scope.selector}'", "the cluster can't read it", "Write it as key=value,other!=x."
            ) from error
        asked = next((name for name in scope.namespaces if is_pattern(name)), scope.selector)
        if error.status == 403:
            raise WorkstationError(
                f"find the namespaces of '{asked}' in cluster '{context}'",
                "this kube user may not list namespaces",
                f"Name them one by one instead of '{asked}', or grant list on namespaces.",
            ) from error
        raise WorkstationError(
            f"Could not list the namespaces of cluster '{context}': {why_refused(error, 'list namespaces')}"
        ) from error
    return there, labelled


def _living(items: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(item["name"]) for item in items if not item.get("deletionTimestamp")]


def _secrets(
    kube: Kube, name: str, wanted: tuple[str, ...], only_wanted: bool
) -> tuple[dict[str, PullSecretState], dict[str, str], bool]:
    if not (only_wanted and len(wanted) == 1):
        try:
            found = kube.list_metadata(path_of("secrets"), fieldSelector=f"metadata.name={name}")
            return {str(item.get("namespace", "")): current_from(item) for item in found}, {}, True
        except ApiError as error:
            if error.status != 403:
                reason = why_refused(error, "list secrets")
                return {}, dict.fromkeys(wanted, reason), False
    read, refused = _each(
        wanted, lambda namespace: kube.read_metadata(path_of("secrets", namespace, name)), f"get secret '{name}'"
    )
    return {namespace: current_from(item) for namespace, item in read.items() if item}, refused, False


def _missing(kube: Kube, names: list[str], there: list[dict[str, Any]] | None) -> tuple[frozenset[str], frozenset[str]]:
    """Return which of the names do not exist, and of which that can't be known. One that is being deleted is still there."""
    if not names:
        return frozenset(), frozenset()
    try:
        if there is None and len(names) > AT_ONCE:
            there = kube.list_metadata(path_of("namespaces"))
        if there is not None:
            return frozenset(names) - {str(item["name"]) for item in there}, frozenset()
    except ApiError:
        return frozenset(), frozenset(names)
    read, refused = _each(names, lambda name: kube.read_metadata(path_of("namespaces", name=name)), "get namespace")
    return frozenset(name for name, item in read.items() if item is None), frozenset(refused)


def _accounts(kube: Kube, wanted: list[str]) -> tuple[dict[str, tuple[Account, ...]], dict[str, str]]:
    refused: dict[str, str] = {}
    try:
        found = kube.list_objects(path_of("serviceaccounts"))
    except ApiError as error:
        if error.status != 403:
            return {}, dict.fromkeys(wanted, why_refused(error, "list service accounts"))
        read, refused = _each(
            wanted, lambda namespace: kube.list_objects(path_of("serviceaccounts", namespace)), "list service accounts"
        )
        found = [item for items in read.values() for item in items]
    return _by_namespace(map(account_from, found)), refused


def _marked(kube: Kube, name: str, one_by_one: Iterable[str]) -> dict[str, tuple[Account, ...]]:
    """Return the accounts that carry our mark, from metadata alone. A user who may not see accounts has never linked any."""
    try:
        found = kube.list_metadata(path_of("serviceaccounts"))
    except ApiError:
        read, _failed = _each(
            one_by_one, lambda namespace: kube.list_metadata(path_of("serviceaccounts", namespace)), "list service accounts"
        )
        found = [item for items in read.values() for item in items]
    accounts = (replace(account_from({"metadata": item}), whole=False) for item in found)
    return _by_namespace(account for account in accounts if account.marked(name))


def _by_namespace(accounts: Iterable[Account]) -> dict[str, tuple[Account, ...]]:
    found: dict[str, tuple[Account, ...]] = {}
    for account in accounts:
        found[account.namespace] = (*found.get(account.namespace, ()), account)
    return found


def account_from(item: Mapping[str, Any]) -> Account:
    """Return a service account as far as it matters here."""
    metadata = item["metadata"]
    marks = str((metadata.get("annotations") or {}).get(MARK, "")).split(",")
    return Account(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata["name"]),
        version=str(metadata.get("resourceVersion", "")),
        pulls_with=tuple(str(entry.get("name", "")) for entry in _dicts(item.get("imagePullSecrets"))),
        marks=tuple(mark for mark in marks if mark),
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _each(names: Iterable[str], read: Callable[[str], Read], action: str) -> tuple[dict[str, Read], dict[str, str]]:
    """Read something for each name, some at a time. Returns what was read, and why the rest was not."""
    from concurrent.futures import ThreadPoolExecutor

    done: dict[str, Read] = {}
    refused: dict[str, str] = {}
    listed = list(names)
    if len(listed) == 1:
        # One read needs no threads, and the connection stays with this one.
        try:
            return {listed[0]: read(listed[0])}, {}
        except ApiError as error:
            return {}, {listed[0]: why_refused(error, action)}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = {name: pool.submit(read, name) for name in listed}
    for name, future in futures.items():
        try:
            done[name] = future.result()
        except ApiError as error:
            refused[name] = why_refused(error, action)
    return done, refused
