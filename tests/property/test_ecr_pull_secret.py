# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws of pull secrets, over generated registries, records and clusters."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.ecr.hosts import PARTITIONS, host_of, parse_host
from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import Lease, Threshold
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import (
    OWNER,
    PullSecretSpec,
    PullSecretState,
    body_of,
    current_from,
    due,
)
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.namespaces import Scope, choose
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.plan import Policy, plan_cluster
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.view import View
from hypothesis import given
from hypothesis import strategies as some

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
accounts = some.integers(0, 10**12 - 1).map(lambda number: f"{number:012d}")
regions = some.builds(
    lambda prefix, area, number: f"{prefix}{area}-{number}",
    some.sampled_from([{"": "eu-", "eusc-": "eusc-de-"}.get(prefix, prefix) for prefix, _, _ in PARTITIONS]),
    some.sampled_from(["north", "central", "southeast"]),
    some.integers(1, 12),
)
hosts = some.builds(lambda account, region: host_of(account, region).name, accounts, regions)
namespaces = some.sampled_from([f"team-{letter}" for letter in "abcdef"])
moments = some.integers(-40, 40).map(lambda hours: NOW + timedelta(hours=hours))
leases = some.builds(Lease, moments, moments, some.sampled_from(["one", "two"]))
currents = some.builds(
    PullSecretState,
    namespace=namespaces,
    uid=some.just("uid"),
    ours=some.booleans(),
    leases=some.dictionaries(some.sampled_from(["a", "b"]), leases, max_size=2),
    digest=some.just("digest"),
    service_accounts=some.just(()),
    owners=some.sampled_from([(OWNER,), (OWNER, "other"), ("other",), ()]),
)
policies = some.builds(
    Policy,
    absent=some.booleans(),
    adopt=some.booleans(),
    force_conflicts=some.booleans(),
    prune=some.booleans(),
    create_namespaces=some.booleans(),
)
specs = some.builds(
    PullSecretSpec, some.just("ecr-creds"), some.dictionaries(some.sampled_from(["a", "b"]), some.just("one"), min_size=1)
)


@dataclass(frozen=True)
class Token:
    password: str
    issued_at: datetime
    expires_at: datetime


@given(accounts, regions)
def test_every_classic_name_reads_back(account: str, region: str) -> None:
    host = host_of(account, region)
    assert parse_host(host.name) == host
    assert parse_host(f"https://{host.name.upper()}/cache/x:1") == host


@given(some.text(max_size=80))
def test_any_text_is_a_registry_or_a_clear_refusal(text: str) -> None:
    try:
        assert parse_host(text).region
    except InputError as error:
        assert error.message.startswith("Could not read registry")


@given(
    some.dictionaries(hosts, some.text("0123456789abcdef", min_size=12, max_size=12), min_size=1, max_size=5),
    some.text(some.characters(min_codepoint=33, max_codepoint=126), min_size=40, max_size=80),
    some.integers(1, 12),
)
def test_what_is_written_is_fresh_and_its_metadata_free_of_the_token(wanted: dict[str, str], password: str, hours: int) -> None:
    spec = PullSecretSpec("ecr-creds", wanted)
    body, _ = body_of(spec, dict.fromkeys(wanted, Token(password, NOW, NOW + timedelta(hours=hours))))
    metadata = json.loads(body)["metadata"]
    managed = [{"manager": OWNER, "fieldsV1": {"f:data": {"f:.dockerconfigjson": {}}}}]
    assert due(current_from({**metadata, "managedFields": managed}), spec, Threshold(), NOW) == ""
    assert password not in json.dumps(metadata)


@given(leases, some.integers(0, 100))
def test_what_is_due_stays_due(lease: Lease, later: int) -> None:
    spec = PullSecretSpec("ecr-creds", {"a": lease.identity})
    current = PullSecretState("x", ours=True, leases={"a": lease}, owners=(OWNER,))
    if due(current, spec, Threshold(), NOW) not in ("", "it was issued in the future"):
        assert due(current, spec, Threshold(), NOW + timedelta(hours=later))


@given(some.dictionaries(some.text(), some.text() | some.integers() | some.none()))
def test_any_record_can_be_read(notes: dict[str, Any]) -> None:
    prefixed = {f"laptop.containers/{key}": value for key, value in notes.items()}
    current_from({"annotations": prefixed, "labels": None, "managedFields": None})


def applied(view: View, spec: PullSecretSpec, policy: Policy) -> View:
    """Return the cluster after the plan was carried out."""
    secrets = dict(view.secrets)
    fresh = {host: Lease(NOW, NOW + timedelta(hours=12), identity) for host, identity in spec.hosts.items()}
    for item in plan_cluster(view, spec, policy, NOW).items:
        if item.failure:
            continue
        if item.verb == "delete":
            secrets.pop(item.namespace)
        elif item.verb:
            secrets[item.namespace] = PullSecretState(item.namespace, "uid", True, fresh, "digest", (), (OWNER,))
    missing = view.missing - {item.namespace for item in plan_cluster(view, spec, policy, NOW).items if item.create_namespace}
    return replace(view, secrets=secrets, missing=missing)


@given(some.lists(currents, unique_by=lambda current: current.namespace), some.sets(namespaces, min_size=1), specs, policies)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    there: list[PullSecretState], wanted: set[str], spec: PullSecretSpec, policy: Policy
) -> None:
    view = View("c", tuple(sorted(wanted)), secrets={current.namespace: current for current in there})
    after = applied(view, spec, policy)
    again = plan_cluster(after, spec, policy, NOW)
    assert all(item.nothing_to_do for item in again.items)


@given(some.lists(currents, unique_by=lambda current: current.namespace), some.sets(namespaces), specs, policies)
def test_what_is_not_ours_is_never_deleted_and_only_overwritten_when_told(
    there: list[PullSecretState], wanted: set[str], spec: PullSecretSpec, policy: Policy
) -> None:
    view = View("c", tuple(sorted(wanted)), secrets={current.namespace: current for current in there})
    for item in plan_cluster(view, spec, policy, NOW).items:
        if item.current is not None and not item.current.ours:
            assert item.verb != "delete"
            assert not item.verb or policy.adopt
        if item.force:
            assert policy.adopt or policy.force_conflicts


@given(some.lists(namespaces), some.lists(some.sampled_from(["all", "team-*", "team-a", "other"])), some.lists(namespaces))
def test_excluded_namespaces_are_never_chosen(existing: list[str], names: list[str], excluded: list[str]) -> None:
    chosen = choose(Scope(tuple(names), excluded=tuple(excluded)), existing, ())
    assert not set(chosen) & set(excluded)
    assert list(chosen) == sorted(set(chosen))
