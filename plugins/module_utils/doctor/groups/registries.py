# SPDX-License-Identifier: GPL-3.0-or-later
"""The pull secrets and logins for registries: whether they are there, how long they last, and whether the registry takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, cast

from ...core.errors import WorkstationError, in_words
from ...ecr.renewal import hours_left
from ...ecr_pull_secret.model import auths_in, config_in
from ...ecr_pull_secret.read import read_view
from ...ecr_pull_secret.task import PullSecretsState
from ...ecr_pull_secret.view import View
from ...kube.answers import Unreachable
from ...kube.objects import path_of
from ...registry_login.task import read_logins
from ..laptop import Laptop
from ..model import Check, CheckKind
from ..registry_access import LoginRefused, endpoint_of, try_login
from ..settings import variables_of

SECRET = CheckKind("registries.secret", "whether the pull secret is in each namespace, with its hours left")
ACCOUNTS = CheckKind("registries.accounts", "whether the service accounts of a namespace pull with the secret")
ACCESS = CheckKind(
    "registries.access", "whether the registry takes what is stored in the pull secret: a request of its own, with the secret"
)
LOGIN = CheckKind("registries.login", "whether docker and nerdctl are logged in as the settings ask")
CLUSTER = CheckKind("registries.cluster", "whether the cluster that the pull secret goes to answers")
KINDS = (SECRET, ACCOUNTS, ACCESS, LOGIN, CLUSTER)


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if not laptop.has("ecr_pull_secret"):
        return
    subject, spec = laptop.pull_secrets()
    converge = laptop.converge("secret_refresh")
    views = []
    for context in spec.contexts:
        try:
            views.append(read_view(laptop.cluster(context, spec.kubeconfig).kube, context, spec.scope, spec.secret, spec.policy))
        except WorkstationError as error:
            yield from _unread(laptop, context, error)
    logins = read_logins(spec.logins, spec.secret.name, laptop.environment)
    plan = cast(Any, subject.plan(spec, PullSecretsState(tuple(views), logins))).run
    for cluster in plan.clusters:
        yield CLUSTER.ok("it answers", cluster.view.context)
        yield from _secrets(laptop, spec, cluster, partial(in_words, variables=variables_of("ecr_pull_secret", subject)))
    for outcome in plan.logins:
        if not outcome.item.idle:
            yield LOGIN.warning(str(outcome.item.reason or "it is due"), converge, outcome.item.place.where)
    if spec.logins and all(outcome.item.idle for outcome in plan.logins):
        yield LOGIN.ok("as the settings ask")
    if views:
        yield from _access(laptop, spec, views)


def _unread(laptop: Laptop, context: str, error: WorkstationError) -> Iterator[Check]:
    name = "default" if context == "colima" else context.removeprefix("colima-")
    current = laptop.profiles().get(name)
    if current is not None and current.health != "running":
        # That it does not run, its own group says.
        yield CLUSTER.note("its profile does not run, so its pull secrets were not looked at", "", context)
    elif isinstance(error, Unreachable) and current is not None:
        yield CLUSTER.broken(*laptop.restarted_k3s(name, f"could not {error.what}: {error.reason}"), context)
    elif isinstance(error, Unreachable) or error.context.get("missing_context"):
        yield CLUSTER.broken(f"could not {error.what}: {error.reason}", laptop.converge("colima"), context)
    else:
        yield CLUSTER.broken(error.complaint, error.remedy or laptop.converge("colima"), context)


def _secrets(laptop: Laptop, spec: Any, cluster: Any, words: Callable[[str], str]) -> Iterator[Check]:
    for item in cluster.plan.items:
        about = f"{cluster.view.context}/{item.namespace}"
        if item.failure:
            allow = [f"secret_refresh_{item.allowed_by}=true"] if item.allowed_by else []
            yield SECRET.broken(words(item.failure), laptop.converge("secret_refresh", *allow), about)
        else:
            yield _secret(laptop, spec.now, item, about)
        if spec.secret.service_accounts:
            yield _accounts(laptop, item, about)


def _secret(laptop: Laptop, now: datetime, item: Any, about: str) -> Check:
    converge = laptop.converge("secret_refresh")
    if item.current is None:
        return SECRET.broken("it is missing", converge, about)
    left = item.current.expires_at
    if left is not None and left <= now:
        return SECRET.broken("it has expired", converge, about)
    if item.verb:
        return SECRET.warning(f"it is due: {item.reason}", converge, about)
    return SECRET.ok(f"{hours_left(left, now):g} h left" if left is not None else "no expiry recorded", about)


def _accounts(laptop: Laptop, item: Any, about: str) -> Check:
    converge = laptop.converge("secret_refresh")
    if item.unlinked or item.absent_accounts:
        return ACCOUNTS.warning(item.unlinked or f"{', '.join(item.absent_accounts)} is missing", converge, about)
    if item.link:
        names = ", ".join(account.name for account in item.link)
        return ACCOUNTS.warning(f"{names} does not pull with it", converge, about)
    return ACCOUNTS.ok("they pull with it", about)


def _access(laptop: Laptop, spec: Any, views: list[View]) -> Iterator[Check]:
    """Ask each registry, all side by side, with what the first secret that has it holds; the others hold the same token."""
    from concurrent.futures import ThreadPoolExecutor

    logins = _stored(laptop, spec, views)
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield from pool.map(partial(_try, laptop, logins), spec.registries)


def _stored(laptop: Laptop, spec: Any, views: list[View]) -> Mapping[str, Any]:
    """Return the stored login of each registry, as far as there is one."""
    wanted, found = {registry.host.name for registry in spec.registries}, dict[str, Any]()
    for view in views:
        kube = laptop.cluster(view.context, spec.kubeconfig).kube
        for namespace in view.secrets:
            if wanted <= found.keys():
                return found
            found = {**auths_in(config_in(kube.read(path_of("secrets", namespace, spec.secret.name)))), **found}
    return found


def _try(laptop: Laptop, logins: Mapping[str, Any], registry: Any) -> Check:
    host = registry.host.name
    converge = laptop.converge("secret_refresh")
    if host not in logins:
        return ACCESS.unknown("no secret holds a login for it", converge, host)
    try:
        try_login(registry, logins[host], laptop.environment)
    except LoginRefused as refused:
        # Whatever its record says, it is written again when more than a second of its life is over.
        again = laptop.converge("secret_refresh", "secret_refresh_before=11h59m59s")
        return ACCESS.broken(f"it refuses what the secret holds ({refused})", again, host)
    except OSError as error:
        reason = str(error.strerror or error).lower()
        return ACCESS.unknown(f"it can't be reached: {reason}", f"curl -sI {endpoint_of(registry, laptop.environment)}/v2/", host)
    return ACCESS.ok("it takes the stored login", host)
