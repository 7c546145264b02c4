# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach one cluster, read from the user's kubeconfig: address, authority, credentials. It only reads.

The `kubernetes` package could do this, but importing it costs more than two seconds, as much as a whole run that has nothing
to do (`import kubernetes.config` 2.3 s against 0.05 s for this file with PyYAML, on two cores). Credentials that need a program
are kube_exec's, those that need a provider kube_login's.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import InputError, without_logins


@dataclass(frozen=True)
class Access:
    """Everything needed to talk to one cluster. Secrets never show in a representation."""

    context: str
    server: str
    ca: bytes = field(default=b"", repr=False)
    verify: bool = True
    server_name: str = ""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    authorization: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)
    impersonate: str = ""


def kubeconfig_paths(option: str, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that kubectl would read: the option, else KUBECONFIG (a list), else ~/.kube/config."""
    if option:
        return (_at_home(option),)
    listed = [part for part in environment.get("KUBECONFIG", "").split(":") if part]
    if listed:
        return tuple(map(_at_home, listed))
    return (_at_home(environment.get("HOME") or "~") / ".kube" / "config",)


def read_access(context: str, paths: Sequence[Path]) -> Access:
    """Return how to reach the cluster of a context. Raises InputError when it isn't declared."""
    documents = [(path, _load(path)) for path in paths if path.is_file()]
    shown = ", ".join(str(path) for path in paths)
    remedy = f"Start the profile that makes it (colima writes the context when Kubernetes starts), or name another of {shown}."
    entry, _folder = _find(documents, "contexts", "context", context)
    if entry is None:
        known = sorted(str(item["name"]) for _path, document in documents for item in _named(document, "contexts"))
        said = f"known are {', '.join(known)}" if known else "there are no contexts"
        raise InputError(f"Could not find kube context '{context}': {said} in {shown}. {remedy}", missing_context=True)
    cluster, cluster_home = _find(documents, "clusters", "cluster", str(entry.get("cluster", "")))
    user, user_home = _find(documents, "users", "user", str(entry.get("user", "")))
    if cluster is None or not cluster.get("server"):
        raise InputError(f"Could not use kube context '{context}': its cluster '{entry.get('cluster')}' has no server. {remedy}")
    user = user or {}
    access = _cluster_access(context, cluster, cluster_home)
    access = replace(access, impersonate=_impersonated(user, context))
    if user.get("auth-provider"):
        # The package is asked for credentials alone: it knows neither impersonation nor all that a cluster's entry can say.
        from .login import log_in

        return log_in(access, paths)
    access = replace(
        access,
        certificate=_content(user, "client-certificate", user_home, context),
        key=_content(user, "client-key", user_home, context),
        authorization=_authorization(user, user_home, context),
    )
    # As in kubectl, a token beats a program.
    if user.get("exec") and not access.authorization.startswith("Bearer "):
        from .exec_login import log_in_by_program

        return log_in_by_program(access, user["exec"], user_home, cluster)
    return access


def _cluster_access(context: str, cluster: dict[str, Any], home: Path) -> Access:
    server, proxy = str(cluster["server"]).rstrip("/"), str(cluster.get("proxy-url") or "")
    if not _is_address(server, "http", "https"):
        raise InputError(
            f"Could not use kube context '{context}': its server '{without_logins(server)}' is not an address. Correct it."
        )
    if proxy and not _is_address(proxy, "http"):
        raise InputError(
            f"Could not use kube context '{context}': proxy-url '{without_logins(proxy)}' is not an http:// proxy. "
            "Use an http proxy for this cluster, or a context without one."
        )
    return Access(
        context=context,
        server=server,
        ca=_content(cluster, "certificate-authority", home, context),
        verify=cluster.get("insecure-skip-tls-verify") is not True,
        server_name=str(cluster.get("tls-server-name") or ""),
        proxy=proxy,
    )


def _is_address(url: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only these look at the port, and at what a name server could be asked for.
        return parts.scheme in schemes and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        return False


def _impersonated(user: Mapping[str, Any], context: str) -> str:
    """Return the user to act as. Half of what was asked for would be other rights than were meant."""
    unsupported = [key for key in ("as-groups", "as-uid", "as-user-extra") if user.get(key)]
    if unsupported:
        raise InputError(
            f"Could not use kube context '{context}': its user has '{unsupported[0]}', and only 'as' is supported. "
            "Use a context without it."
        )
    return str(user.get("as") or "")


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        # The loader in C reads ten times as fast; both know only plain data.
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else "it is not YAML"
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
            # YAML reads some names as numbers.
            if str(item["name"]) == name:
                value = item.get(key)
                return (value if isinstance(value, dict) else {}), path.parent
    return None, Path()


def _content(entry: Mapping[str, Any], key: str, home: Path, context: str) -> bytes:
    """Return inline data, or the content of the named file; empty when neither is there."""
    inline, path = entry.get(f"{key}-data"), entry.get(key)
    try:
        if inline:
            return base64.b64decode(str(inline), validate=True)
        return _file(home, path) if path else b""
    except (OSError, ValueError) as error:
        what = f"the file {path} can't be read" if path and not inline else f"{key}-data is not base64"
        raise InputError(f"Could not use kube context '{context}': {what}. Repair the kubeconfig.") from error


def _file(home: Path, path: object) -> bytes:
    return (home / _at_home(str(path))).read_bytes()


def _at_home(path: str) -> Path:
    # Not Path.expanduser, which raises where there is no such user.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _authorization(user: Mapping[str, Any], home: Path, context: str) -> str:
    # As in kubectl, a token file beats a token, and either beats a password.
    if user.get("tokenFile"):
        try:
            return "Bearer " + _file(home, user["tokenFile"]).decode().strip()
        except (OSError, ValueError) as error:
            raise InputError(
                f"Could not use kube context '{context}': the token file {user['tokenFile']} can't be read. Repair it."
            ) from error
    if user.get("token"):
        return f"Bearer {user['token']}"
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    return ""
