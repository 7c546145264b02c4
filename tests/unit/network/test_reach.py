# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a request came, by the words in which the real tools said it."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.network.reach import (
    Consumer,
    Reach,
    ReachKind,
    judged,
    unreached,
)

URL = "https://registry.corp.example/v2/"
SAID = [
    # dockerd 26
    ('Get "https://r/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority', "authority"),
    ('Get "https://r/v2/": proxyconnect tcp: dial tcp 192.168.5.2:3128: connect: connection refused', "proxy"),
    ('Get "https://r/v2/": proxyconnect tcp: dial tcp: lookup proxy.corp: no such host', "proxy"),
    ('Get "https://r/v2/": dial tcp: lookup registry.corp.example on 192.168.5.3:53: no such host', "name"),
    ('Get "https://r/v2/": dial tcp: lookup r: Temporary failure in name resolution', "name"),
    ('Get "https://r/v2/": dial tcp 10.1.2.3:443: i/o timeout', "silent"),
    ('Get "https://r/v2/": Proxy Authentication Required', "proxy"),
    ("errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required\n", "reached"),
    ("manifest unknown: manifest unknown", "reached"),
    # BuildKit
    ("#2 ERROR: r/laptop.containers/none: failed to resolve source metadata for r: r: not found", "reached"),
    # curl 8
    ("curl: (60) SSL certificate problem: unable to get local issuer certificate\nMore details here\nhow to fix it", "authority"),
    ("curl: (6) Could not resolve host: registry.corp.example", "name"),
    ("curl: (5) Could not resolve proxy: proxy.corp", "proxy"),
    ("curl: (56) CONNECT tunnel failed, response 407", "proxy"),
    ("curl: (7) Failed to connect to 10.1.2.3 port 443 after 3 ms: Couldn't connect to server", "silent"),
    # Python
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain", "authority"),
    ("[Errno -2] Name or service not known", "name"),
    ("[Errno 8] nodename nor servname provided, or not known", "name"),
    ("Tunnel connection failed: 407 Proxy Authentication Required", "proxy"),
    ("", "unknown"),
    ("sudo: a password is required", "unknown"),
    ("sh: 1: docker: not found", "unknown"),
    ("bash: line 1: nerdctl: command not found", "unknown"),
    ('error getting credentials: exec: "docker-credential-x": executable file not found in $PATH', "unknown"),
    ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", "unknown"),
    ("dial unix /run/k3s/containerd/containerd.sock: connect: connection refused", "unknown"),
    ('Get "https://r/v2/": dial tcp 10.0.200.3:443: connect: no route to host', "silent"),
    ('Get "https://r/v2/": EOF from 10.1.200.3', "unknown"),
    ('Get "https://r/v2/": tls: x509: certificate has expired or is not yet valid', "certificate"),
    ('Get "https://r/v2/": tls: x509: certificate is valid for portal.example, not r', "certificate"),
    ("certificate verify failed: Hostname mismatch, certificate is not valid for 'r'", "certificate"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), SAID)
def test_a_tool_s_words_tell_how_far_it_came(text: str, kind: str) -> None:
    assert judged(text)[0].value == kind


def test_what_refuses_a_request_with_a_proxy_is_the_proxy() -> None:
    assert judged("[Errno 111] Connection refused", has_proxy=True)[0] is ReachKind.PROXY


def test_the_line_that_tells_is_shown() -> None:
    text = "curl: (60) SSL certificate problem: unable to get local issuer certificate\nhow to fix it, please visit the webpage"
    assert judged(text)[1] == "curl: (60) SSL certificate problem: unable to get local issuer certificate"


def test_those_of_one_vm_that_fail_alike_are_one_sentence() -> None:
    found = [
        Reach(Consumer.LAPTOP, "", URL, ReachKind.REACHED),
        Reach(Consumer.GUEST, "k8s", URL, ReachKind.AUTHORITY, "x509: unknown"),
        Reach(Consumer.KUBELET, "k8s", URL, ReachKind.AUTHORITY),
    ]
    (failure,) = unreached(found)
    assert failure.profile == "k8s"
    assert str(failure) == (
        f"Of profile 'k8s' VM and kubelet do not reach {URL}: the authority of its certificate is unknown (x509: unknown). "
        "Add the certificate of the company's authority to O(authorities), or set O(local_authorities=true)."
    )
