# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach one cluster, read from the user's kubeconfig: address, authority, credentials. It only reads.

The `kubernetes` package could do this, but importing it costs more than two seconds, as much as a whole run that has nothing
to do (`import kubernetes.config` 2.3 s against 0.05 s for this file with PyYAML, on two cores). Its loader is called only
for the kinds of credentials that need a program or a provider: exec plug-ins, OIDC, auth-provider.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import InputError, ToolMissing, WorkstationError

DYNAMIC = ("exec", "auth-provider")


@dataclass(frozen=True)
class Access:
    """Everything needed to talk to one cluster. Secrets never show in a representation."""

    context: str
    server: str
    ca: str = field(default="", repr=False)
    verify: bool = True
    server_name: str = ""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    authorization: str = field(default="", repr=False)
    proxy: str = ""
    impersonate: str = ""


def kubeconfig_paths(option: str, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that kubectl would read: the option, else KUBECONFIG (a list), else ~/.kube/config."""
    if option:
        return (Path(option).expanduser(),)
    listed = [part for part in environment.get("KUBECONFIG", "").split(":") if part]
    if listed:
        return tuple(Path(part).expanduser() for part in listed)
    return (Path(environment.get("HOME") or "~").expanduser() / ".kube" / "config",)


def read_access(context: str, paths: Sequence[Path]) -> Access:
    """Return how to reach the cluster of a context. Raises InputError when it isn't declared."""
    documents = [(path, _load(path)) for path in paths if path.is_file()]
    shown = ", ".join(str(path) for path in paths)
    remedy = f"Start the profile that makes it (colima writes the context when Kubernetes starts), or name another of {shown}."
    entry, _ = _find(documents, "contexts", "context", context)
    if entry is None:
        known = sorted(item["name"] for _, document in documents for item in _named(document, "contexts"))
        said = f"known are {', '.join(known)}" if known else "there are no contexts"
        raise InputError(f"Could not find kube context '{context}': {said} in {shown}. {remedy}", missing_context=True)
    cluster, cluster_home = _find(documents, "clusters", "cluster", str(entry.get("cluster", "")))
    user, user_home = _find(documents, "users", "user", str(entry.get("user", "")))
    if cluster is None or not cluster.get("server"):
        raise InputError(f"Could not use kube context '{context}': its cluster '{entry.get('cluster')}' has no server. {remedy}")
    user = user or {}
    if any(user.get(kind) for kind in DYNAMIC):
        return _dynamic_access(context, paths)
    return _static_access(context, cluster, cluster_home, user, user_home)


def _static_access(context: str, cluster: dict[str, Any], cluster_home: Path, user: dict[str, Any], user_home: Path) -> Access:
    server = str(cluster["server"]).rstrip("/")
    if urlsplit(server).scheme not in ("http", "https") or not urlsplit(server).hostname:
        raise InputError(f"Could not use kube context '{context}': its server '{server}' is not an address. Correct it.")
    proxy = str(cluster.get("proxy-url", ""))
    if proxy and urlsplit(proxy).scheme != "http":
        raise InputError(
            f"Could not use kube context '{context}': proxy-url '{proxy}' is not an http:// proxy. "
            "Use an http proxy for this cluster, or a context without one."
        )
    return Access(
        context=context,
        server=server,
        ca=_content(cluster, "certificate-authority", cluster_home, context).decode("ascii", "replace"),
        verify=not cluster.get("insecure-skip-tls-verify"),
        server_name=str(cluster.get("tls-server-name", "")),
        certificate=_content(user, "client-certificate", user_home, context),
        key=_content(user, "client-key", user_home, context),
        authorization=_authorization(user, user_home, context),
        proxy=proxy,
        impersonate=str(user.get("as", "")),
    )


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        # The loader in C reads ten times as fast; both know only plain data.
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        reason = "it is not YAML" if isinstance(error, yaml.YAMLError) else str(error.strerror)
        raise InputError(f"Could not read kubeconfig '{path}': {reason}. Repair it or name another.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InputError(f"Could not read kubeconfig '{path}': it is not a mapping. Repair it or name another.")
    return document


def _named(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    items = document.get(section)
    return [item for item in items if isinstance(item, dict) and "name" in item] if isinstance(items, list) else []


def _find(
    documents: Sequence[tuple[Path, dict[str, Any]]], section: str, key: str, name: str
) -> tuple[dict[str, Any] | None, Path]:
    """Return the entry of a name and the directory that its relative paths start from; the first file wins."""
    for path, document in documents:
        for item in _named(document, section):
            if item["name"] == name:
                value = item.get(key)
                return (value if isinstance(value, dict) else {}), path.parent
    return None, Path()


def _content(entry: Mapping[str, Any], key: str, home: Path, context: str) -> bytes:
    """Return inline data, or the content of the named file; empty when neither is there."""
    inline, path = entry.get(f"{key}-data"), entry.get(key)
    try:
        if inline:
            return base64.b64decode(str(inline), validate=True)
        return (home / Path(str(path)).expanduser()).read_bytes() if path else b""
    except (OSError, binascii.Error) as error:
        what = f"the file {path} can't be read" if path and not inline else f"{key}-data is not base64"
        raise InputError(f"Could not use kube context '{context}': {what}. Repair the kubeconfig.") from error


def _authorization(user: Mapping[str, Any], home: Path, context: str) -> str:
    # As in kubectl, a token file beats a token, and either beats a password.
    if user.get("tokenFile"):
        try:
            return "Bearer " + (home / Path(str(user["tokenFile"])).expanduser()).read_text().strip()
        except OSError as error:
            raise InputError(
                f"Could not use kube context '{context}': the token file {user['tokenFile']} can't be read. Repair it."
            ) from error
    if user.get("token"):
        return f"Bearer {user['token']}"
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    return ""


def _dynamic_access(context: str, paths: Sequence[Path]) -> Access:
    """Let the kubernetes package run the plug-in or the provider, and take over what it found."""
    try:
        from kubernetes.client import Configuration
        from kubernetes.config import kube_config
    except ImportError as error:
        raise ToolMissing("kubernetes", "Install it into Ansible's Python: pip install kubernetes.") from error
    configuration = Configuration()
    reason = "its log-in program gave no credentials"
    try:
        kube_config.load_kube_config(
            config_file=":".join(str(path) for path in paths),
            context=context,
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as error:
        reason = (str(error).splitlines() or [reason])[0]
        configuration.api_key = {}
    # The package logs what went wrong with a program and goes on; the name of the entry depends on its version.
    authorization = next((value for value in configuration.api_key.values() if value), "")
    if not (authorization or configuration.cert_file):
        raise WorkstationError(
            f"Could not log in to kube context '{context}': {reason}. "
            f"Run 'kubectl --context {context} get namespaces' and repair what it reports."
        )

    def file(path: str | None) -> bytes:
        return Path(path).read_bytes() if path else b""

    return Access(
        context=context,
        server=str(configuration.host).rstrip("/"),
        ca=file(configuration.ssl_ca_cert).decode("ascii", "replace"),
        verify=bool(configuration.verify_ssl),
        server_name=str(configuration.tls_server_name or ""),
        certificate=file(configuration.cert_file),
        key=file(configuration.key_file),
        authorization=str(authorization),
    )
