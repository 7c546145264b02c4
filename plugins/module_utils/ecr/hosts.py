# SPDX-License-Identifier: GPL-3.0-or-later
"""The names under which AWS serves container registries: every partition, FIPS, dual-stack and the public gallery.

Pure text work; nothing here asks AWS or a name server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..core.errors import InputError

PUBLIC_REGION = "us-east-1"  # ecr-public hands out tokens in this region only
PUBLIC_HOSTS = ("public.ecr.aws", "ecr-public.aws.com")

# Region prefix -> domain of the classic and of the dual-stack names (None: no dual-stack names). First match wins.
PARTITIONS: tuple[tuple[str, str, str | None], ...] = (
    ("cn-", "amazonaws.com.cn", "on.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", None),
    ("us-isob-", "sc2s.sgov.gov", None),
    ("us-isof-", "csp.hci.ic.gov", None),
    ("us-iso-", "c2s.ic.gov", None),
    ("eu-isoe-", "cloud.adc-e.uk", None),
    ("", "amazonaws.com", "on.aws"),
)
ACCOUNT = re.compile(r"[0-9]{12}\Z")
# All regions are called after a direction, new ones as well.
REGION = re.compile(
    r"(?:[a-z]{2}|[a-z]{2,4}-(?:gov|iso[a-z]?|[a-z]{2}))-(?:central|north|south|east|west|(?:north|south)(?:east|west))-[0-9]{1,2}\Z"
)
PRIVATE_HOST = re.compile(
    r"(?P<account>[^.]*)\.dkr(?P<style>[.-])ecr(?P<fips>-fips)?\.(?P<region>[^.]+)\.(?P<domain>[a-z0-9.-]+)\Z"
)
EXAMPLE = "Write it as 123456789012.dkr.ecr.eu-central-1.amazonaws.com, or as account_id and region."


@dataclass(frozen=True)
class EcrHost:
    """One registry name, taken apart. account is empty for the public gallery."""

    name: str
    region: str
    account: str = ""
    public: bool = False
    fips: bool = False
    dual_stack: bool = False


def parse_host(text: str) -> EcrHost:
    """Return the parts of a registry name. A scheme and what follows the host (repository, cache prefix) are ignored."""
    bare = text.strip().lower()
    for scheme in ("https://", "http://"):
        bare = bare.removeprefix(scheme)
    bare = bare.split("/", 1)[0]
    if bare in PUBLIC_HOSTS:
        return EcrHost(bare, PUBLIC_REGION, public=True, dual_stack=bare != PUBLIC_HOSTS[0])
    match = PRIVATE_HOST.match(bare)
    if match is None:
        raise InputError(f"read registry '{text}'", "it is not the name of an ECR registry", EXAMPLE)
    account, region, domain = match["account"], match["region"], match["domain"]
    _check_account(account, text)
    _check_region(region, text)
    dual_stack = match["style"] == "-"
    classic, dual = domains(region)
    right = dual if dual_stack else classic
    if right is None:
        raise InputError(f"read registry '{text}'", f"region {region} has no dual-stack names", EXAMPLE)
    if domain != right:
        raise InputError(f"read registry '{text}'", f"registries of region {region} end in '.{right}'", "Correct it.")
    return EcrHost(bare, region, account, fips=bool(match["fips"]), dual_stack=dual_stack)


def host_of(account: str, region: str) -> EcrHost:
    """Return the classic registry name of an account in a region."""
    shown = f"{account or '(no account)'} in {region or '(no region)'}"
    _check_account(account, shown)
    _check_region(region, shown)
    return EcrHost(f"{account}.dkr.ecr.{region}.{domains(region)[0]}", region, account)


def domains(region: str) -> tuple[str, str | None]:
    """Return the domains of the classic and of the dual-stack names in a region."""
    for prefix, classic, dual in PARTITIONS:
        if region.startswith(prefix):
            return classic, dual
    raise AssertionError(region)


def host_patterns() -> list[str]:
    """Return patterns for all private registries, as the kubelet matches them: a * for a part between dots."""
    classic = [f"*.dkr.{ecr}.*.{domain}" for _prefix, domain, _dual in PARTITIONS for ecr in ("ecr", "ecr-fips")]
    dual = [f"*.dkr-{ecr}.*.{domain}" for _prefix, _classic, domain in PARTITIONS if domain for ecr in ("ecr", "ecr-fips")]
    return [*classic, *dual]


def _check_account(account: str, shown: str) -> None:
    if not ACCOUNT.match(account):
        raise InputError(f"read registry '{shown}'", f"'{account}' is not an account id of 12 digits", EXAMPLE)


def _check_region(region: str, shown: str) -> None:
    if not REGION.match(region):
        raise InputError(f"read registry '{shown}'", f"'{region}' is not the name of a region", EXAMPLE)
