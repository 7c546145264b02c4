# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a company's network: each wrong value in one sentence, all of them at once, and no log-in repeated."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.company.network import OPTIONS, company_from
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError

MIRROR = "https://mirror.example.com"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"https_proxy": "proxy.example.com:3128"}, "Could not use O(https_proxy): it is not the address of a proxy."),
    ({"https_proxy": "http://proxy.example.com:99999"}, "it is not the address of a proxy"),
    ({"https_proxy": "http://proxy.example.com"}, "it is not the address of a proxy"),
    ({"https_proxy": "http://[::::]:3128"}, "it is not the address of a proxy"),
    ({"http_proxy": "http://wpad/proxy.pac"}, "it is a file that chooses a proxy (PAC)"),
    ({"http_proxy": "http://joe:hunter2@proxy:1"}, "it has a log-in"),
    ({"no_proxy": [".corp"]}, "there is no proxy"),
    ({"no_proxy": ["a b"], "http_proxy": "http://p:1"}, "Could not use 'a b' in O(no_proxy)"),
    *(
        (
            {"no_proxy": [".corp", wrong], "http_proxy": "http://p:1"},
            f"Could not use '{wrong}' in O(no_proxy): it is not a name, an address or a range. "
            "Use one such as .example.com or 10.0.0.0/8.",
        )
        for wrong in ("http://x.example.com", "10.0.0.0/33", "10.0.0.1-10.0.0.9", "10.0.0.1-9", "x.example.com/8", "fd00::/129")
    ),
    ({"mirrors": [{"registry": "..", "url": MIRROR}]}, "that is not the host of a registry"),
    ({"mirrors": [{"registry": "../../etc", "url": MIRROR}]}, "that is not the host of a registry"),
    ({"mirrors": [{"registry": "ghcr.io", "url": f"{MIRROR}:99999"}]}, "is not an address"),
    ({"mirrors": [{"registry": "ghcr.io", "url": "mirror.example.com"}]}, "is not an address"),
    ({"mirrors": [{"registry": "ghcr.io", "url": "https://joe:hunter2@mirror"}]}, "its address has a log-in"),
    ({"mirrors": [{"registry": "ghcr.io", "url": MIRROR}] * 2}, "the registry has another one"),
    ({"dns_servers": ["dns.example.com"]}, "Could not use 'dns.example.com' in O(dns_servers): it is not an IP address"),
    ({"dns_servers": ["fe80::1%eth0"]}, "it is not an IP address"),
    ({"dns_servers": ["fe80::1%x\nserver=/#/6.6.6.6"]}, "it is not an IP address"),
    ({"dns_domains": {"a/b": ["10.0.0.1"]}}, "it is not a domain"),
    ({"dns_domains": {"corp.example": []}}, "it has no server"),
    ({"dns_domains": {"corp.example": 7}}, "it has no server"),
]


def company(given: dict[str, Any]) -> Any:
    defaults = {name: option.get("default") for name, option in OPTIONS.items()}
    return company_from({**defaults, **given}, "Linux")


@pytest.mark.parametrize(("given", "sentence"), WRONG)
def test_a_wrong_value_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        company(given)
    assert sentence in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        company({"https_proxy": "x", "dns_servers": ["y"], "authorities": ["/nowhere/ca.pem"]})
    assert len(raised.value.context["refusals"]) == 3


def test_options_become_one_value() -> None:
    found = company(
        {
            "https_proxy": "http://[fd00::1]:3128/",
            "no_proxy": ["10.0.0.0/8", "*.corp", "1-2.corp:8443", "fd00::/8", "[fd00::1]"],
            "mirrors": [{"registry": "localhost:5000", "url": f"{MIRROR}/"}],
            "dns_domains": {"Corp.Example": "10.0.0.53"},
        }
    )
    assert found.proxy.variables()["HTTPS_PROXY"] == "http://[fd00::1]:3128/"
    assert found.proxy.variables()["no_proxy"] == "10.0.0.0/8,*.corp,1-2.corp:8443,fd00::/8,[fd00::1]"
    assert found.mirrors[0].url == MIRROR
    assert found.dns_domains == {"corp.example": ("10.0.0.53",)}
    assert not company({})
