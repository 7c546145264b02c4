# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the task, and what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..core.errors import InputError
from ..ecr.registries import Registry, registries_from
from ..ecr.renewal import TOKEN_LIFE, threshold_from
from ..kube.objects import check_name
from ..registry_login.task import Wanted, wanted_from
from .model import PullSecretSpec
from .namespaces import Scope, scope_from
from .plan import Policy

SPEC: dict[str, Any] = {
    "name": {"type": "str", "default": "ecr-creds"},
    "registries": {"type": "list", "elements": "raw", "default": []},
    "namespaces": {"type": "list", "elements": "str"},
    "namespace_selector": {"type": "str"},
    "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
    "create_namespaces": {"type": "bool", "default": False},
    "service_accounts": {"type": "list", "elements": "str", "default": []},
    "contexts": {"type": "list", "elements": "str", "default": ["colima-k8s"]},
    "expected_contexts": {"type": "list", "elements": "str", "default": []},
    "kubeconfig": {"type": "path"},
    "refresh_before": {"type": "str", "default": "half"},
    "adopt": {"type": "bool", "default": False},
    "force_conflicts": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": False},
    "docker_cred_helpers": {"type": "bool", "default": False},
    "docker_login": {"type": "bool", "default": False},
    "nerdctl_profiles": {"type": "list", "elements": "str", "default": []},
    "unreachable": {"type": "str", "choices": ["fail", "pending"], "default": "fail"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


@dataclass(frozen=True)
class PullSecretsSpec:
    """What the options ask for, and when."""

    secret: PullSecretSpec
    registries: tuple[Registry, ...]
    scope: Scope
    policy: Policy
    contexts: tuple[str, ...]
    now: datetime
    expected: frozenset[str] = frozenset()
    kubeconfig: str = ""
    wait: bool = False
    check_mode: bool = False
    logins: Wanted = field(default_factory=dict)


def spec_from(params: Mapping[str, Any], environment: Mapping[str, str], check_mode: bool) -> PullSecretsSpec:
    """Return the spec of the module's options. Raises InputError."""
    name = check_name(params["name"], "secret")
    absent = params["state"] == "absent"
    registries = registries_from(params["registries"] or ())
    if not registries and not absent:
        raise InputError(f"build pull secret '{name}'", "no registries are given", "List at least one in O(registries).")
    accounts = tuple(sorted(set(params["service_accounts"] or ())))
    contexts = tuple(dict.fromkeys(params["contexts"]))
    if not contexts:
        raise InputError(f"place pull secret '{name}'", "no kube contexts are given", "List at least one in O(contexts).")
    _check_accounts(accounts)
    prints = {host: one.identity.fingerprint(environment) for one in registries for host in one.names}
    return PullSecretsSpec(
        secret=PullSecretSpec(name, prints, accounts),
        registries=registries,
        scope=scope_from(params["namespaces"], params["namespace_selector"] or "", params["exclude_namespaces"] or ()),
        policy=Policy(
            absent=absent,
            adopt=params["adopt"],
            force_conflicts=params["force_conflicts"],
            prune=params["prune"],
            create_namespaces=params["create_namespaces"],
            threshold=threshold_from(params["refresh_before"], TOKEN_LIFE),
        ),
        contexts=contexts,
        # In a real run the earlier task has done what it does.
        expected=frozenset(params["expected_contexts"]) if check_mode else frozenset(),
        kubeconfig=params["kubeconfig"] or "",
        wait=params["unreachable"] == "pending",
        logins=wanted_from(params, registries, prints, environment),
        now=datetime.now(UTC),
        check_mode=check_mode,
    )


def _check_accounts(accounts: tuple[str, ...]) -> None:
    for account in accounts:
        if account != "*":
            check_name(account, "service account")
