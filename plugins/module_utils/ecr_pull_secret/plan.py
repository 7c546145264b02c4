# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces of a cluster need which change. Pure: (what was read, what is wanted, policy, time) -> items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..ecr.renewal import Threshold
from .model import OWNER, PullSecretSpec, PullSecretState, due
from .view import Account, View

EVERY = "*"
MISSED = "there is no token for it."


@dataclass(frozen=True)
class Policy:
    """What may be done to reach the goal."""

    absent: bool = False
    adopt: bool = False
    force_conflicts: bool = False
    prune: bool = False
    create_namespaces: bool = False
    threshold: Threshold = field(default_factory=Threshold)


@dataclass(frozen=True)
class NamespacePlan:
    """What happens in one namespace. verb is empty when the secret stays as it is; failure says why nothing is done.

    unlinked says why service accounts are not served, which is a failure after all else was done. foreign: the secret belongs to
    another manager and stays, although ours are to be removed. allowed_by: the option with which what failed would be done.
    """

    namespace: str
    verb: str = ""
    reason: str = ""
    current: PullSecretState | None = None
    force: bool = False
    create_namespace: bool = False
    unsure: bool = False
    link: tuple[Account, ...] = ()
    unlink: tuple[Account, ...] = ()
    absent_accounts: tuple[str, ...] = ()
    failure: str = ""
    unlinked: str = ""
    foreign: bool = False
    allowed_by: str = ""

    @property
    def nothing_to_do(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.verb or self.link or self.unlink or self.create_namespace)

    @property
    def needs_token(self) -> bool:
        """Whether it takes a token to do it."""
        return self.verb not in ("", "delete")


@dataclass(frozen=True)
class ClusterPlan:
    """The items of one cluster. failure says why it can't be served as a whole, or not pruned."""

    context: str
    items: tuple[NamespacePlan, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str = ""

    @property
    def needs_token(self) -> bool:
        """Whether AWS has to be asked."""
        return any(item.needs_token for item in self.items)


@dataclass(frozen=True)
class Outcome:
    """What became of one item. done is the part that was carried out, when that is not the whole."""

    item: NamespacePlan
    state: str
    current: PullSecretState | None = None
    failure: str = ""
    done: NamespacePlan | None = None


def held(finalizers: Iterable[str]) -> str:
    """Say why a secret that is being deleted is still there."""
    named = " and ".join(f"'{name}'" for name in finalizers)
    return f"it is being deleted, and {named} keeps it. Remove that finalizer, or what waits for it, and run again."


def untouched(item: NamespacePlan) -> Outcome:
    """Return the outcome of an item with nothing to do, or of one that was refused."""
    if item.failure or item.unlinked:
        return Outcome(item, "failed", item.current, item.failure or item.unlinked)
    if item.current is None:
        return Outcome(item, "absent")
    return Outcome(item, "fresh" if item.current.ours else "foreign", item.current)


def left(item: NamespacePlan) -> Outcome:
    """Return the outcome of an item that was not carried out: where that took a token, there was none."""
    return Outcome(item, "failed", item.current, MISSED) if item.needs_token and not item.failure else untouched(item)


def view_after(view: View, outcomes: Iterable[Outcome], secret: str) -> View:
    """Return a cluster as the API server's answers to a run tell that it is now."""
    secrets, accounts, wanted, missing = dict(view.secrets), dict(view.accounts), list(view.wanted), set(view.missing)
    for outcome in outcomes:
        item, namespace = outcome.item, outcome.item.namespace
        if outcome.state == "gone" and namespace in wanted:
            wanted.remove(namespace)
        if outcome.state in ("gone", "deleted"):
            secrets.pop(namespace, None)
        elif outcome.current is not None:
            secrets[namespace] = outcome.current
            missing.discard(namespace)
        changed = {account.name: account.after(secret, linked=True) for account in item.link}
        changed |= {account.name: account.after(secret, linked=False) for account in item.unlink}
        accounts[namespace] = tuple(changed.get(account.name, account) for account in accounts.get(namespace, ()))
    return replace(view, secrets=secrets, accounts=accounts, wanted=tuple(wanted), missing=frozenset(missing))


def plan_cluster(view: View, spec: PullSecretSpec, policy: Policy, now: datetime) -> ClusterPlan:
    """Return what to do in each namespace of a cluster."""
    if view.failed:
        return ClusterPlan(view.context, failure=view.failed)
    decide = _plan_absent if policy.absent else _plan_present
    items = [decide(view, namespace, spec, policy, now) for namespace in view.wanted]
    warnings = _doubts_of_coming(view, policy) if view.unreachable else _doubts(view, policy)
    failure = ""
    if policy.prune:
        surplus = _surplus(view, spec)
        chosen = [name for name in view.wanted if name not in view.missing or policy.create_namespaces]
        if chosen:
            items += surplus
        elif surplus:
            failure = (
                f"Could not prune pull secret '{spec.name}' in cluster '{view.context}': no namespace that exists is chosen, "
                f"so all {len(surplus)} would go. Correct the choice of namespaces, or remove them with E(state=absent)."
            )
    items.sort(key=lambda item: item.namespace)
    return ClusterPlan(view.context, tuple(items), tuple(warnings), failure)


def _surplus(view: View, spec: PullSecretSpec) -> list[NamespacePlan]:
    """Return the removal of our secrets from every namespace that is not chosen."""
    items, wanted = [], set(view.wanted)
    for namespace, current in view.secrets.items():
        if namespace not in wanted and current.ours:
            marked = tuple(account for account in view.accounts.get(namespace, ()) if account.marked(spec.name))
            items.append(NamespacePlan(namespace, "delete", "no longer wanted there", current, unlink=marked))
    return items


def _doubts(view: View, policy: Policy) -> list[str]:
    """Return what the user may not have meant, or does not get."""
    said = [
        f"No namespace of cluster '{view.context}' is found by {part}. Correct it, unless such namespaces are still to come."
        for part in view.unmatched_parts
    ]
    if not view.wanted and not said:
        said.append(f"No namespace of cluster '{view.context}' is chosen: O(exclude_namespaces) leaves out every namespace.")
    if policy.prune and not view.complete:
        said.append(
            f"Could not look for pull secrets to prune in cluster '{view.context}': this kube user may not list secrets "
            "of all namespaces. Grant that, or remove them with E(state=absent)."
        )
    return said


def _doubts_of_coming(view: View, policy: Policy) -> list[str]:
    """Return what a cluster that this run makes will lack, unless something else makes it in between."""
    if not view.missing or policy.create_namespaces:
        return []
    named = ", ".join(f"'{name}'" for name in sorted(view.missing))
    noun = f"Namespace {named} does" if len(view.missing) == 1 else f"Namespaces {named} do"
    return [f"{noun} not exist in a new cluster such as '{view.context}'. Set O(create_namespaces=true) to have them created."]


def _plan_absent(view: View, namespace: str, spec: PullSecretSpec, _policy: Policy, _now: datetime) -> NamespacePlan:
    current = view.secrets.get(namespace)
    if namespace in view.refused:
        return NamespacePlan(namespace, failure=view.refused[namespace])
    unlink = tuple(account for account in view.accounts.get(namespace, ()) if account.marked(spec.name))
    if current is None:
        return NamespacePlan(namespace, reason="it is not there", unlink=unlink)
    if not current.ours:
        return NamespacePlan(namespace, reason="it belongs to another manager", current=current, foreign=True)
    if current.held_by:
        return NamespacePlan(namespace, current=current, failure=held(current.held_by))
    return NamespacePlan(namespace, "delete", "", current, unlink=unlink)


def _plan_present(view: View, namespace: str, spec: PullSecretSpec, policy: Policy, now: datetime) -> NamespacePlan:
    current = view.secrets.get(namespace)
    failure, allowed_by = _refusal(view, namespace, policy, current)
    if failure:
        return NamespacePlan(namespace, current=current, failure=failure, allowed_by=allowed_by)
    away = view.comes or ("the cluster can't be read now" if view.unreachable else "")
    verb, reason = _verb(current, away or due(current, spec, policy.threshold, now))
    unlinked = view.unlinked.get(namespace, "") if spec.service_accounts else ""
    link, unlink, absent = ((), (), ()) if unlinked else _plan_accounts(view.accounts.get(namespace, ()), spec)
    item = NamespacePlan(namespace, verb, reason, current, link=link, unlink=unlink, absent_accounts=absent, unlinked=unlinked)
    if not verb:
        return item
    return replace(
        item,
        force=verb == "adopt" or policy.force_conflicts,
        create_namespace=namespace in view.missing and policy.create_namespaces,
        unsure=namespace in view.unsure,
    )


def _verb(current: PullSecretState | None, why_due: str) -> tuple[str, str]:
    """Return what is done to a secret, and why; empty when it stays as it is."""
    if current is not None and not current.ours:
        return "adopt", f"it was made by {_made_by(current)}"
    if not why_due:
        return "", ""
    return "create" if current is None else "renew", why_due


def _made_by(current: PullSecretState) -> str:
    return " and ".join(current.owners) or "another program"


def _refusal(view: View, namespace: str, policy: Policy, current: PullSecretState | None) -> tuple[str, str]:
    """Return why nothing is done in a namespace, and the option with which it would be; empty for none."""
    if namespace in view.refused:
        return view.refused[namespace], ""
    if namespace in view.missing and not policy.create_namespaces and not view.comes:
        return "the namespace does not exist. Create it, or set O(create_namespaces=true).", "create_namespaces"
    return _refusal_of(current, policy) if current is not None else ("", "")


def _refusal_of(current: PullSecretState, policy: Policy) -> tuple[str, str]:
    if current.held_by:
        return held(current.held_by), ""
    if not current.ours and not policy.adopt:
        made_by = _made_by(current)
        return f"a secret of this name exists and was made by {made_by}. Set O(adopt=true), or choose another O(name).", "adopt"
    if current.ours and current.owners and OWNER not in current.owners and not policy.force_conflicts:
        changed = f"its content was changed by {' and '.join(current.owners)}"
        return f"{changed}. Set O(force_conflicts=true) to overwrite it, or choose another O(name).", "force_conflicts"
    return "", ""


def _plan_accounts(
    accounts: tuple[Account, ...], spec: PullSecretSpec
) -> tuple[tuple[Account, ...], tuple[Account, ...], tuple[str, ...]]:
    """Return the accounts that get the entry, the accounts that lose it, and the named ones that do not exist."""

    def wanted(account: Account) -> bool:
        return EVERY in spec.service_accounts or account.name in spec.service_accounts

    link = tuple(account for account in accounts if wanted(account) and spec.name not in account.pulls_with)
    unlink = tuple(account for account in accounts if account.marked(spec.name) and not wanted(account))
    there = {account.name for account in accounts}
    return link, unlink, tuple(name for name in spec.service_accounts if name != EVERY and name not in there)
