# SPDX-License-Identifier: GPL-3.0-or-later
"""Every form of a registry's name."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.ecr.hosts import EcrHost, host_of, parse_host

A = "123456789012"


@pytest.mark.parametrize(
    ("name", "host"),
    [
        pytest.param(f"{A}.dkr.ecr.eu-central-1.amazonaws.com", ("eu-central-1", False, False), id="classic"),
        pytest.param(f"{A}.dkr.ecr.ap-southeast-3.amazonaws.com", ("ap-southeast-3", False, False), id="long region"),
        pytest.param(f"{A}.dkr.ecr.cn-north-1.amazonaws.com.cn", ("cn-north-1", False, False), id="China"),
        pytest.param(f"{A}.dkr.ecr.us-gov-west-1.amazonaws.com", ("us-gov-west-1", False, False), id="GovCloud"),
        pytest.param(f"{A}.dkr.ecr.eusc-de-east-1.amazonaws.eu", ("eusc-de-east-1", False, False), id="EU sovereign"),
        pytest.param(f"{A}.dkr.ecr-fips.us-east-1.amazonaws.com", ("us-east-1", True, False), id="FIPS"),
        pytest.param(f"{A}.dkr.ecr-fips.us-gov-east-1.amazonaws.com", ("us-gov-east-1", True, False), id="FIPS in GovCloud"),
        pytest.param(f"{A}.dkr-ecr.us-west-2.on.aws", ("us-west-2", False, True), id="dual-stack"),
        pytest.param(f"{A}.dkr-ecr-fips.us-west-2.on.aws", ("us-west-2", True, True), id="dual-stack FIPS"),
        pytest.param(f"{A}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", ("cn-north-1", False, True), id="dual-stack China"),
        pytest.param(f"{A}.dkr.ecr.us-iso-east-1.c2s.ic.gov", ("us-iso-east-1", False, False), id="isolated"),
        pytest.param(f"{A}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", ("us-isob-east-1", False, False), id="isolated b"),
        pytest.param(f"{A}.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", ("eu-isoe-west-1", False, False), id="isolated e"),
        pytest.param(f"{A}.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", ("us-isof-south-1", False, False), id="isolated f"),
    ],
)
def test_a_private_registry_is_taken_apart(name: str, host: tuple[str, bool, bool]) -> None:
    region, fips, dual_stack = host
    assert parse_host(name) == EcrHost(name, region, A, fips=fips, dual_stack=dual_stack)


@pytest.mark.parametrize("name", ["public.ecr.aws", "ecr-public.aws.com"])
def test_the_public_gallery_takes_tokens_of_its_one_region(name: str) -> None:
    host = parse_host(name)
    assert (host.name, host.public, host.region) == (name, True, "us-east-1")


@pytest.mark.parametrize(
    "text",
    [
        f"https://{A}.dkr.ecr.eu-central-1.amazonaws.com",
        f" {A}.dkr.ecr.eu-central-1.amazonaws.com/ ",
        f"{A}.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/busybox:1",
        f"{A}.DKR.ECR.eu-central-1.amazonaws.com",
    ],
)
def test_schemes_repositories_and_cache_prefixes_are_left_out(text: str) -> None:
    assert parse_host(text).name == f"{A}.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("registry.example.org", "not the name of an ECR registry", id="another registry"),
        pytest.param("", "not the name of an ECR registry", id="empty"),
        pytest.param("12345.dkr.ecr.eu-central-1.amazonaws.com", "12 digits", id="short account"),
        pytest.param(f"{A}.dkr.ecr.nowhere.amazonaws.com", "not the name of a region", id="no region"),
        pytest.param(f"{A}.dkr.ecr.eu-central-1.amazonaws.com.evil.org", "end in '.amazonaws.com'", id="another domain"),
        pytest.param(f"{A}.dkr.ecr.cn-north-1.amazonaws.com", "end in '.amazonaws.com.cn'", id="China without .cn"),
        pytest.param(f"{A}.dkr.ecr.eu-central-1.on.aws", "end in '.amazonaws.com'", id="dots with the dual-stack domain"),
        pytest.param(f"{A}.dkr-ecr.us-iso-east-1.c2s.ic.gov", "no dual-stack names", id="dual-stack where there is none"),
        pytest.param(f"{A}.dkr.ecr.eu-central-1.amazonaws.com:443", "not the name", id="a port"),
        pytest.param(f"user@{A}.dkr.ecr.eu-central-1.amazonaws.com", "12 digits", id="a user"),
    ],
)
def test_what_is_not_ecr_is_refused_with_an_example(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_host(text)
    assert said in caught.value.message
    assert caught.value.message.startswith("Could not read registry")


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("eu-central-1", f"{A}.dkr.ecr.eu-central-1.amazonaws.com"),
        ("cn-northwest-1", f"{A}.dkr.ecr.cn-northwest-1.amazonaws.com.cn"),
        ("eusc-de-east-1", f"{A}.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_account_and_region_make_the_classic_name_and_it_reads_back(region: str, name: str) -> None:
    assert host_of(A, region) == parse_host(name)


@pytest.mark.parametrize(("account", "region"), [("1", "eu-central-1"), (A, ""), (A, "Europe"), ("", "eu-central-1")])
def test_a_short_form_that_names_nothing_is_refused(account: str, region: str) -> None:
    with pytest.raises(InputError):
        host_of(account, region)
