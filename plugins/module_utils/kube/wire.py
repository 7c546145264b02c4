# SPDX-License-Identifier: GPL-3.0-or-later
"""One kept connection to an API server, over the standard library's http.client.

Not the kubernetes package's own transport: importing that client costs over a second of a daily run that finds nothing to do,
urllib3 alone 0.2 s, http.client 0.02 s. Nothing is retried here.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import re
import ssl
import tempfile
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from ..core.errors import InputError
from .access import Access

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class BrokenAnswer(OSError):
    """What came back is not HTTP, or ended too early."""


class ProxyRefused(OSError):
    """The proxy did not answer, or let nobody through. cause tells why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Named(http.client.HTTPSConnection):
    """HTTPS where the server's certificate carries another name than its address (tls-server-name of a kubeconfig)."""

    def __init__(self, host: str, port: int, name: str, tls: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, port, context=tls, timeout=timeout)
        self._name, self._tls = name, tls

    def connect(self) -> None:
        """Connect, through the proxy if there is one, and check the certificate against the name."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


class Wire:
    """A connection to the server of an Access. Not for several threads at once."""

    def __init__(self, access: Access, tls: ssl.SSLContext | None, timeout: float) -> None:
        parts = urlsplit(access.server)
        host, port = str(parts.hostname), parts.port or (443 if tls else 80)
        self.used = False
        self._common = {
            "User-Agent": "laptop.containers",
            "Authorization": access.authorization,
            "Impersonate-User": access.impersonate,
        }
        proxy = urlsplit(access.proxy) if access.proxy else None
        target = (str(proxy.hostname), proxy.port or 80) if proxy else (host, port)
        self._connection = (
            _Named(*target, access.server_name or host, tls, timeout)
            if tls
            else http.client.HTTPConnection(*target, timeout=timeout)
        )
        if proxy:
            self._connection.set_tunnel(host, port, _login_of(proxy))
        self._connect(access)

    def _connect(self, access: Access) -> None:
        try:
            self._connection.connect()
        except ssl.SSLError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if not access.proxy:
                raise
            raise ProxyRefused(error) from error
        except ValueError as error:
            raise InputError(
                f"Could not use kube context '{access.context}': the name of its server, or its tls-server-name, is none that "
                "can be asked for. Repair the kubeconfig."
            ) from error

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Send one request and return its answer. Raises OSError when the connection fails."""
        sent = {name: value for name, value in {**self._common, **headers}.items() if value}
        try:
            self._connection.request(method, path, body, sent)
            response = self._connection.getresponse()
            answer = response.read()
        except http.client.HTTPException as error:
            if isinstance(error, OSError):
                raise
            raise BrokenAnswer("the answer is not HTTP, or it ended too early") from error
        except ValueError as error:
            raise InputError(
                "Could not use the kubeconfig: a value of it holds a line break, or another character that no request "
                "can carry. Repair it."
            ) from error
        self.used = True
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, answer)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._connection.close()


def tls_context(access: Access) -> ssl.SSLContext | None:
    """Return how to trust the server and prove who we are. Returns None for plain http."""
    if urlsplit(access.server).scheme != "https":
        return None
    try:
        tls = ssl.create_default_context(cadata=_authorities(access.ca))
        # Python 3.13 checks form strictly and would refuse clusters that kubectl accepts, for a CA without a key identifier.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not access.verify:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if access.certificate:
            _load_pair(tls, access.certificate + b"\n" + access.key)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise InputError(
            f"Could not use kube context '{access.context}': its certificates can't be read. Repair the kubeconfig."
        ) from error
    return tls


def _authorities(content: bytes) -> str | None:
    """Return the certificates of a file of authorities, without what people write between them. Returns None for no file."""
    if not content:
        return None
    found = CERTIFICATE.findall(content)
    if not found:
        raise ssl.SSLError("there is no certificate")
    return b"\n".join(found).decode("ascii")


def _login_of(proxy: SplitResult) -> dict[str, str]:
    """Return what a proxy wants to see of the user that its address names."""
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _load_pair(tls: ssl.SSLContext, pem: bytes) -> None:
    """Load a certificate with its key. OpenSSL only reads files: one in memory where the system has that, else a private one."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("laptop.containers")
        with open(number, "wb") as file:  # noqa: PTH123
            file.write(pem)
            file.flush()
            tls.load_cert_chain(f"/proc/self/fd/{number}")
        return
    with tempfile.NamedTemporaryFile() as file:  # readable by the owner only, gone with this block
        file.write(pem)
        file.flush()
        tls.load_cert_chain(file.name)
