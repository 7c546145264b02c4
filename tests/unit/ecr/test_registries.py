# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries and identities as users declare them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.ecr.registries import Identity, registries_from

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
SECOND = "210987654321.dkr.ecr.eu-central-1.amazonaws.com"
ROLE = "arn:aws:iam::210987654321:role/pull"


def test_a_plain_host_uses_the_default_identity() -> None:
    (registry,) = registries_from([HOST])
    assert (registry.host.name, registry.identity) == (HOST, Identity())


def test_the_short_form_and_the_host_mean_the_same() -> None:
    assert registries_from([{"account_id": 123456789012, "region": "eu-central-1"}]) == registries_from([HOST])


@pytest.mark.parametrize("written", ["'012345670123'", "012345678901", "123456789012"])
def test_an_account_is_what_the_playbook_says(written: str) -> None:
    (registry,) = registries_from([yaml.safe_load(f"{{account_id: {written}, region: eu-central-1}}")])
    assert registry.host.account == written.strip("'")


@pytest.mark.parametrize(
    "beside", ["region: eu-central-1", f"host: 012345670123.{HOST.partition('.')[2]}"], ids=["region", "host"]
)
def test_an_account_that_yaml_reads_as_an_octal_number_is_refused_with_the_remedy(beside: str) -> None:
    with pytest.raises(InputError, match="read as 1402433619, which is not 12 digits"):
        registries_from([yaml.safe_load(f"{{account_id: 012345670123, {beside}}}")])


@pytest.mark.parametrize("account", ["1234567890", "12345678901", "1234567890123", 1234567890, True, 123456789012.0])
def test_an_account_is_never_completed(account: object) -> None:
    with pytest.raises(InputError, match="12 digits"):
        registries_from([{"account_id": account, "region": "eu-central-1"}])


def test_accounts_of_one_identity_and_region_share_a_token() -> None:
    first, second = registries_from([{"host": HOST, "profile": "dev"}, {"host": SECOND, "profile": "dev"}])
    assert first.key == second.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"host": SECOND, "profile": "prod"}, id="another profile"),
        pytest.param({"host": SECOND, "profile": "dev", "role_arn": ROLE}, id="a role"),
        pytest.param({"host": SECOND.replace("eu-central-1", "us-east-1"), "profile": "dev"}, id="another region"),
        pytest.param({"host": "public.ecr.aws", "profile": "dev"}, id="the public gallery"),
    ],
)
def test_another_identity_or_region_needs_a_token_of_its_own(other: dict[str, Any]) -> None:
    first, second = registries_from([{"host": HOST, "profile": "dev"}, other])
    assert first.key != second.key


def test_the_fingerprint_follows_the_identity_and_not_the_keys_of_the_day() -> None:
    assert Identity(profile="dev").fingerprint({}) == Identity().fingerprint({"AWS_PROFILE": "dev"})
    assert Identity().fingerprint({"AWS_ACCESS_KEY_ID": "a"}) == Identity().fingerprint({"AWS_ACCESS_KEY_ID": "b"})
    assert Identity().fingerprint({}) != Identity(role_arn=ROLE).fingerprint({})


def test_the_external_id_never_shows() -> None:
    identity = Identity(profile="dev", role_arn=ROLE, external_id="between-us")
    assert "between-us" not in str(identity) + identity.fingerprint({})


@pytest.mark.parametrize(
    ("item", "said"),
    [
        pytest.param({"host": HOST, "proflie": "x"}, "unknown key 'proflie'. Did you mean 'profile'?", id="misspelt key"),
        pytest.param({"region": "eu-central-1"}, "neither host nor account_id", id="region alone"),
        pytest.param({"host": HOST, "region": "us-east-1"}, "region is not us-east-1", id="host and region disagree"),
        pytest.param({"host": HOST, "account_id": "1"}, "account is not 1", id="host and account disagree"),
        pytest.param({"host": HOST, "role_arn": "pull"}, "not the ARN of a role", id="a role's name"),
        pytest.param({"host": HOST, "external_id": "x"}, "needs 'role_arn'", id="external id without a role"),
        pytest.param({"host": HOST, "role_arn": ROLE, "duration": 60}, "900 to 43200", id="short session"),
        pytest.param({"host": HOST, "role_arn": ROLE, "duration": "1h"}, "900 to 43200", id="duration in words"),
        pytest.param({"host": HOST, "endpoint_url": "ecr.local"}, "begin with https://", id="endpoint without scheme"),
        pytest.param({"host": HOST, "aliases": "localhost"}, "must be a list", id="aliases no list"),
        pytest.param({"host": HOST, "aliases": ["a/b"]}, "not host or host:port", id="alias with a path"),
        pytest.param(["x"], "neither a host nor a mapping", id="a list"),
        pytest.param(7, "neither a host nor a mapping", id="a number"),
    ],
)
def test_what_can_not_be_meant_is_refused_by_name(item: Any, said: str) -> None:
    with pytest.raises(InputError, match="Could not read registry") as caught:
        registries_from([item])
    assert said in caught.value.message


def test_one_host_with_two_identities_is_refused() -> None:
    with pytest.raises(InputError, match="listed twice"):
        registries_from([{"host": HOST, "profile": "a"}, {"host": HOST, "profile": "b"}])
