# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach one cluster: the kubernetes package makes it of a context's entries. No failure shows a credential."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import ToolMissing, WorkstationError
from ..core.secrecy.known import learn, learn_key
from ..core.secrecy.patterns import secrets_in
from .entry import Entry, find_entry

# The package shares its files of certificates by content, also between threads that remove them when they are done.
_ONE_AT_A_TIME = threading.Lock()
_OLDEST = 37
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Access:
    """Everything needed to talk to one cluster: the kubernetes package's settings, and TLS in memory alone."""

    context: str
    server: str
    settings: Any = field(repr=False)
    tls: Any = field(default=None, repr=False)
    authorization: str = field(default="", repr=False)
    impersonate: str = ""


def read_access(context: str, paths: Sequence[Path]) -> Access:
    """Return how to reach the cluster of a context. Raises WorkstationError when the kubeconfig or a log-in doesn't serve."""
    entry = find_entry(context, paths)
    user = entry.user
    # As in kubectl, a token beats a program, and a provider beats both.
    if user.get("exec") and not user.get("token") and not user.get("auth-provider"):
        from .exec_login import log_in_by_program

        entry = Entry(context, entry.cluster, {**user, **log_in_by_program(entry)})
    return access_of(entry)


def access_of(entry: Entry) -> Access:
    """Return what the kubernetes package makes of the entries."""
    _check_package()
    _know(entry)
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config_from_dict

    proxy, bypass = _proxy(entry)
    # Given a proxy, or none, the package doesn't ask the system for one, which a forked process on macOS must not do.
    settings = Configuration(proxy=proxy, no_proxy=bypass, proxy_headers=_proxy_headers(proxy))
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory() as folder:
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
    learn(str(authorization).removeprefix("Bearer ").removeprefix("Basic "))
    return Access(entry.context, entry.server, settings, tls, str(authorization), str(entry.user.get("as") or ""))


def _know(entry: Entry) -> None:
    """Learn the credentials of a user, a key also as the text that its base64 holds."""
    user = entry.user
    for secret in (user.get("token"), user.get("password")):
        learn(str(secret or ""), users=[str(user.get("username") or "")])
    learn(*secrets_in([entry.server, entry.cluster.get("proxy-url"), user.get("auth-provider")]))
    learn_key(str(user.get("client-key-data") or ""))


def _check_package() -> None:
    """Raise WorkstationError where the kubernetes package is missing, or has another call_api."""
    remedy = f"Install it into Ansible's Python: pip install 'kubernetes>={_OLDEST}'."
    try:
        from kubernetes import __version__ as version
    except ImportError as error:
        raise ToolMissing("kubernetes", remedy=remedy) from error
    if int(version.partition(".")[0]) < _OLDEST:
        raise WorkstationError("use Python's kubernetes package", f"it is {version}, and {_OLDEST} or newer is needed", remedy)


def _tls(entry: Entry, settings: Any) -> Any:
    """Return how to trust the server and prove who we are, read once from files that are then removed."""
    import ssl

    from urllib3.util import create_urllib3_context

    from .bounds import TlsSocket

    tls = create_urllib3_context()
    tls.sslsocket_class = TlsSocket
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


def _no_credentials(entry: Entry) -> WorkstationError:
    return WorkstationError(
        f"log in to kube context '{entry.context}'",
        "its log-in provider gave no credentials",
        f"Run 'kubectl --context {entry.context} get namespaces' and repair what it reports.",
    )
