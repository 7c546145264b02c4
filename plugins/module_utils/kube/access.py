# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach one cluster: its context is found in the user's kubeconfig, and the kubernetes package does the rest.

Ours is the choice of the three entries, so that all trouble with them is told in words and without a credential.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import InputError, ToolMissing, WorkstationError, without_logins
from .edit import LISTS
from .kubeconfig import load
from .yaml_rules import Number

_FILES = ("certificate-authority", "client-certificate", "client-key")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Entry:
    """What the kubeconfig says of one context, with whole paths. Secrets never show in a representation."""

    context: str
    cluster: Mapping[str, Any] = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)

    @property
    def server(self) -> str:
        """The address of the API server."""
        return str(self.cluster["server"]).rstrip("/")

    def refused(self, why: str, remedy: str = "Repair the kubeconfig.") -> InputError:
        """Return a failure of this context."""
        return InputError(f"use kube context '{self.context}'", why, remedy)


@dataclass(frozen=True)
class Access:
    """Everything needed to talk to one cluster: the kubernetes package's settings, and TLS in memory alone."""

    context: str
    server: str
    settings: Any = field(repr=False)
    tls: Any = field(default=None, repr=False)
    authorization: str = field(default="", repr=False)
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
    """Return how to reach the cluster of a context. Raises WorkstationError when the kubeconfig or a log-in doesn't serve."""
    entry = find_entry(context, paths)
    user = entry.user
    # As in kubectl, a token beats a program, and a provider beats both.
    if user.get("exec") and not user.get("token") and not user.get("auth-provider"):
        from .exec_login import log_in_by_program

        entry = Entry(context, entry.cluster, {**user, **log_in_by_program(entry)})
    return access_of(entry)


def find_entry(context: str, paths: Sequence[Path]) -> Entry:
    """Return the entries of a context; in several files the first one wins. Raises InputError when it isn't declared."""
    documents = [(path, _plain(load(path))) for path in paths]
    shown = ", ".join(map(str, paths))
    remedy = f"Start the profile that makes it (colima writes the context when Kubernetes starts), or name another of {shown}."
    found, _ = _find(documents, "contexts", context)
    if found is None:
        known = sorted(str(item["name"]) for _, document in documents for item in _named(document, "contexts"))
        said = f"known are {', '.join(known)}" if known else "there are no contexts"
        raise InputError(f"find kube context '{context}'", f"{said} in {shown}", remedy, missing_context=True)
    cluster, cluster_home = _find(documents, "clusters", str(found.get("cluster", "")))
    if not cluster or not cluster.get("server"):
        raise InputError(f"use kube context '{context}'", f"its cluster '{found.get('cluster')}' has no server", remedy)
    user, user_home = _find(documents, "users", str(found.get("user", "")))
    entry = Entry(context, _whole(cluster, cluster_home), _whole(user or {}, user_home))
    _check(entry)
    if "tokenFile" in entry.user:
        # As in kubectl, it beats a token.
        return Entry(context, entry.cluster, {**entry.user, "token": _token(entry)})
    return entry


def access_of(entry: Entry) -> Access:
    """Return what the kubernetes package makes of the entries."""
    try:
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config_from_dict
    except ImportError as error:
        raise ToolMissing("kubernetes", "Install it into Ansible's Python: pip install kubernetes.") from error
    proxy, bypass = _proxy(entry)
    # Told of a proxy, or of none, the package doesn't ask the system for one; on macOS a forked process must not.
    settings = Configuration(proxy=proxy, no_proxy=bypass, proxy_headers=_proxy_headers(proxy))
    with tempfile.TemporaryDirectory() as folder:
        try:
            load_kube_config_from_dict(
                _document(entry), client_configuration=settings, persist_config=False, temp_file_path=folder
            )
        except Exception:
            # Without its words, and without the exception: the package quotes the whole entry.
            if entry.user.get("auth-provider"):
                raise _no_credentials(entry) from None
            raise entry.refused("its certificates or credentials can't be read") from None
        authorization = next((value for value in settings.api_key.values() if value), "")
        if entry.user.get("auth-provider") and not (authorization or settings.cert_file):
            raise _no_credentials(entry)
        tls = _tls(entry, settings) if settings.host.startswith("https") else None
    return Access(entry.context, entry.server, settings, tls, str(authorization), str(entry.user.get("as") or ""))


def _tls(entry: Entry, settings: Any) -> Any:
    """Return how to trust the server and prove who we are, read once from files that are then removed."""
    import ssl

    from urllib3.util import create_urllib3_context

    tls = create_urllib3_context()
    # Python 3.13 checks form strictly and would refuse clusters that kubectl accepts, for a CA without a key identifier.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        if not settings.verify_ssl:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        elif settings.ssl_ca_cert:
            tls.load_verify_locations(settings.ssl_ca_cert)
        else:
            tls.load_default_certs()
        if settings.cert_file:
            tls.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError:
        raise entry.refused("its certificates can't be read") from None
    settings.ssl_ca_cert = settings.cert_file = settings.key_file = None
    return tls


def _document(entry: Entry) -> dict[str, Any]:
    """Return a kubeconfig of this context alone. Only a plain true turns the check of certificates off."""
    cluster = {**entry.cluster, "insecure-skip-tls-verify": entry.cluster.get("insecure-skip-tls-verify") is True}
    cluster.pop("proxy-url", None)
    user = {key: value for key, value in entry.user.items() if key not in ("tokenFile", "exec")}
    if "username" in user:
        user["password"] = str(user.get("password") or "")
    return {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}] if user else [],
    }


def _proxy(entry: Entry) -> tuple[str, str]:
    """Return the proxy and whom it is not for, as kubectl chooses them: the kubeconfig's, else that of the environment."""
    from urllib.request import getproxies_environment

    if entry.cluster.get("proxy-url"):
        return str(entry.cluster["proxy-url"]), ""
    around, parts = getproxies_environment(), urlsplit(entry.server)
    return ("" if parts.hostname in _LOOPBACK else around.get(parts.scheme, "")), around.get("no", "")


def _proxy_headers(proxy: str) -> dict[str, str]:
    """Return what a proxy wants to see of the user that its address names."""
    from urllib.parse import unquote

    from urllib3.util import make_headers

    parts = urlsplit(proxy)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username is not None else None
    return dict(make_headers(proxy_basic_auth=login))


def _check(entry: Entry) -> None:
    """Raise InputError for what would fail later in other words, or be half of what was asked for."""
    server, proxy = entry.server, str(entry.cluster.get("proxy-url") or "")
    if not _is_address(server, "http", "https"):
        raise entry.refused(f"its server '{without_logins(server)}' is not an address", "Correct it.")
    if proxy and not _is_address(proxy, "http", "https", "socks5"):
        raise entry.refused(
            f"proxy-url '{without_logins(proxy)}' is not an http, https or socks5 proxy",
            "Use such a proxy for this cluster, or a context without one.",
        )
    unsupported = [key for key in ("as-groups", "as-uid", "as-user-extra") if entry.user.get(key)]
    if unsupported:
        raise entry.refused(f"its user has '{unsupported[0]}', and only 'as' is supported", "Use a context without it.")
    for part in (entry.cluster, entry.user):
        for key in _FILES:
            _check_content(entry, part, key)


def _check_content(entry: Entry, part: Mapping[str, Any], key: str) -> None:
    inline, path = part.get(f"{key}-data"), part.get(key)
    try:
        if inline:
            base64.b64decode(str(inline), validate=True)
        elif path:
            Path(path).open("rb").close()
    except (OSError, ValueError) as error:
        why = f"{key}-data is not base64" if inline else f"the file {path} can't be read"
        raise entry.refused(why) from error


def _token(entry: Entry) -> str:
    path = entry.user["tokenFile"]
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise entry.refused(f"the token file {path} can't be read", "Repair it.") from error


def _no_credentials(entry: Entry) -> WorkstationError:
    return WorkstationError(
        f"log in to kube context '{entry.context}'",
        "its log-in provider gave no credentials",
        f"Run 'kubectl --context {entry.context} get namespaces' and repair what it reports.",
    )


def _is_address(url: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only these look at the port, and at what a name server could be asked for.
        return parts.scheme in schemes and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        return False


def _named(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    items = document.get(section)
    return [item for item in items if isinstance(item, dict) and "name" in item] if isinstance(items, list) else []


def _find(documents: Sequence[tuple[Path, dict[str, Any]]], section: str, name: str) -> tuple[dict[str, Any] | None, Path]:
    """Return the entry of a name and the directory that its relative paths start from; the first file wins."""
    for path, document in documents:
        for item in _named(document, section):
            # YAML reads some names as numbers.
            if str(item["name"]) == name:
                value = item.get(LISTS[section])
                return (value if isinstance(value, dict) else {}), path.parent
    return None, Path()


def _whole(part: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return an entry whose paths start from the root: they start from the kubeconfig's directory."""
    kept = {key: value for key, value in part.items() if value not in (None, "")}
    program = kept.get("exec")
    if isinstance(program, dict) and "/" in str(program.get("command")):
        kept["exec"] = {**program, "command": str(home / _at_home(str(program["command"])))}
    return kept | {key: str(home / _at_home(str(kept[key]))) for key in (*_FILES, "tokenFile") if key in kept}


def _plain(value: Any) -> Any:
    """Return a value in which numbers are texts, as they are written."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _at_home(path: str) -> Path:
    # Not Path.expanduser, which raises where there is no such user.
    return Path(os.path.expanduser(path))  # noqa: PTH111
