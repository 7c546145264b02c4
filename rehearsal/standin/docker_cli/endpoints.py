# SPDX-License-Identifier: GPL-3.0-or-later
"""`--docker host=...,ca=...`: what makes an endpoint, and what docker's client says against a bad one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .config import ContextStore, endpoint
from .flags import FALSE_WORDS, TRUE_WORDS, Exit

ENDPOINT_KEYS = ("from", "host", "ca", "cert", "key", "skip-tls-verify")


def read_endpoint(store: ContextStore, given: dict[str, str]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the endpoint and its TLS files from `--docker key=value,...`."""
    prefix = "unable to create docker endpoint config: "
    unknown = [key for key in given if key not in ENDPOINT_KEYS]
    if unknown:
        raise Exit(
            "\n".join(
                [f"{prefix}unrecognized config key: {unknown[0]}"] + [f"unrecognized config key: {key}" for key in unknown[1:]]
            )
            + "\n"
        )
    if "from" in given:
        try:
            return store.get(given["from"])["Endpoints"]["docker"], {}
        except Exit as error:
            raise Exit(prefix + error.text) from error
    tls: dict[str, bytes] = {}
    for key in ("ca", "cert", "key"):
        if given.get(key):
            try:
                tls[f"{key}.pem"] = Path(given[key]).read_bytes()
            except OSError as error:
                raise Exit(f"{prefix}open {given[key]}: {(error.strerror or '').lower()}\n") from error
    skip = given.get("skip-tls-verify", "false")
    if skip not in TRUE_WORDS | FALSE_WORDS:
        raise Exit(f'{prefix}skip-tls-verify: parsing "{skip}": invalid syntax\n')
    host = given.get("host", "")
    problem = _host_problem(host, tls)
    if problem:
        raise Exit(f"{prefix}{problem}\n")
    return endpoint(host, skip in TRUE_WORDS), tls


def _host_problem(host: str, tls: dict[str, bytes]) -> str:
    """Return what the real client's constructor says against an endpoint, or nothing."""
    if not host:
        return ""
    if host.startswith("ssh://"):
        problem = _ssh_problem(host)
        return f"invalid docker endpoint options: ssh host connection is not valid: {problem}" if problem else ""
    problem = _tls_problem(tls)
    if problem:
        return f"invalid docker endpoint options: {problem}"
    if "://" not in host:
        return f"unable to apply docker endpoint options: unable to parse docker host `{host}`"
    return ""


def _ssh_problem(host: str) -> str:
    from urllib.parse import urlsplit

    url = urlsplit(host)
    if url.password is not None:
        return "plain-text password is not supported"
    if not url.hostname:
        return "no host specified"
    if url.query:
        return f'extra query after the host: "{url.query}"'
    return f'extra fragment after the host: "{url.fragment}"' if url.fragment else ""


def _tls_problem(tls: dict[str, bytes]) -> str:
    if "ca.pem" in tls and b"-----BEGIN CERTIFICATE-----" not in tls["ca.pem"]:
        return "failed to retrieve context tls info: ca.pem seems invalid"
    if "key.pem" in tls and "cert.pem" in tls:
        if b"-----BEGIN" not in tls["key.pem"]:
            return "no valid private key found"
        return _pair_problem(tls["cert.pem"], tls["key.pem"])
    return ""


def _pair_problem(cert: bytes, key: bytes) -> str:
    import ssl
    import tempfile

    with tempfile.NamedTemporaryFile() as pair:
        pair.write(cert + b"\n" + key)
        pair.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(pair.name)
        except (ssl.SSLError, OSError) as error:
            if "MISMATCH" in str(error):
                return "failed to retrieve context tls info: tls: private key does not match public key"
            return "failed to retrieve context tls info: tls: failed to find any PEM data in certificate input"
    return ""
