# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to one API server: kept connections, one per thread, and patience with a busy or restarting server.

The standard library's http.client, not urllib3 (the kubernetes package's): it loads in 20 ms instead of 200 ms, and sends
the same bytes. Every request that goes through here may be repeated: reads, server-side applies, guarded patches and deletes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import socket
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import InputError, WorkstationError
from .kube_access import Access

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

REQUEST_SECONDS = 30.0
PATIENCE_SECONDS = 60.0  # a k3s that restarts is back within half of it
LONGEST_PAUSE = 8.0
RETRIED = frozenset({429, 500, 502, 503, 504})


class Unreachable(WorkstationError):
    """The cluster does not answer at all."""


class ApiError(Exception):
    """An answer that is not a success, with what the server says about it."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        try:
            said = json.loads(body)
        except ValueError:
            said = {}
        said = said if isinstance(said, dict) else {}
        self.reason = str(said.get("reason") or "")
        self.text = str(said.get("message") or "").strip()
        details: Any = said.get("details")
        details = details if isinstance(details, dict) else {}
        self.kind = str(details.get("kind") or "")
        causes = details.get("causes") or []
        self.causes = [cause for cause in causes if isinstance(cause, dict)]
        super().__init__(f"{status} {self.reason}")


@dataclass(frozen=True)
class Patience:
    """How long a request keeps trying, in seconds."""

    request: float = REQUEST_SECONDS
    total: float = PATIENCE_SECONDS
    first_pause: float = 0.2


def pause_before(attempt: int, retry_after: str | None, patience: Patience, jitter: float) -> float:
    """Return the seconds to wait before the next attempt (counted from 1); the server's own wish comes first."""
    try:
        wished = float(retry_after) if retry_after else 0.0
    except ValueError:
        wished = 0.0
    if wished > 0:
        # Spread what the server told everybody at the same moment.
        return min(wished, LONGEST_PAUSE) * (1 + jitter / 4)
    return min(patience.first_pause * 2.0 ** (attempt - 1), LONGEST_PAUSE) * (0.5 + jitter / 2)


class KubeHttp:
    """Requests to one cluster. Threads may share it; each gets a connection of its own."""

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        self.access = access
        self.patience = patience or Patience()
        self.reached = False
        self.requests = 0
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        parts = urlsplit(access.server)
        self._tls = _tls_context(access) if parts.scheme == "https" else None
        self._host, self._port = str(parts.hostname), parts.port or (443 if self._tls else 80)
        self._prefix = parts.path
        self._headers = {"User-Agent": "laptop.containers", "Accept": "application/json"}
        if access.authorization:
            self._headers["Authorization"] = access.authorization
        if access.impersonate:
            self._headers["Impersonate-User"] = access.impersonate

    def json(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "", accept: str = "application/json"
    ) -> Any:
        """Send a request and return the decoded answer. Raises ApiError, or Unreachable after patience has run out."""
        headers = {**self._headers, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type or "application/json"
        deadline = time.monotonic() + self.patience.total
        attempt = 0
        while True:
            attempt += 1
            retry_after = None
            try:
                status, retry_after, answer = self._send(method, self._prefix + path, body, headers)
                if status < 300:
                    return json.loads(answer)
                failure: Exception = ApiError(status, answer)
                if status not in RETRIED:
                    raise failure
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                failure = self._unreachable(error)
                # A cluster that never answered is most likely stopped: say so at once. One that did is restarting.
                if not self.reached or isinstance(error, ssl.SSLCertVerificationError):
                    raise failure from error
            pause = pause_before(attempt, retry_after, self.patience, random.random())  # noqa: S311
            if time.monotonic() + pause > deadline:
                raise failure
            time.sleep(pause)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
        connection = getattr(self._local, "connection", None)
        kept = connection is not None
        if connection is None:
            connection = self._connect()
        self.requests += 1
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._drop()
            if not kept:
                raise
            # The server had closed the kept connection; that says nothing about the request.
            return self._send(method, path, body, headers)
        self.reached = True
        return response.status, response.getheader("Retry-After"), answer

    def _connect(self) -> http.client.HTTPConnection:
        proxy = urlsplit(self.access.proxy) if self.access.proxy else None
        host, port = (str(proxy.hostname), proxy.port or 80) if proxy else (self._host, self._port)
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=self.patience.request)
        else:
            connection = _Https(host, port, self._tls, self.access.server_name, self.patience.request)
        if proxy:
            connection.set_tunnel(self._host, self._port)
        connection.connect()
        # Headers and body go out as two packets; without this the second waits for the server's acknowledgement.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = connection
        self._open.append(connection)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _unreachable(self, error: Exception) -> Unreachable:
        context, server = self.access.context, self.access.server
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unreachable(
                f"Could not trust cluster '{context}': its certificate at {server} is not signed by the authority in the "
                "kubeconfig. Restart the profile so that colima writes the new one.",
                unreachable=context,
            )
        return Unreachable(
            f"Could not reach cluster '{context}': {_reason(error)} at {server}. {_how_to_start(context)}", unreachable=context
        )


class _Https(http.client.HTTPSConnection):
    """An HTTPS connection that may expect another name on the certificate than in the address."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, server_name: str, timeout: float) -> None:
        super().__init__(host, port, context=tls, timeout=timeout)
        self._tls, self._server_name = tls, server_name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        name = self._server_name or getattr(self, "_tunnel_host", None) or self.host
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=name)


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is unknown"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the connection broke"


def _how_to_start(context: str) -> str:
    if context == "colima" or context.startswith("colima-"):
        profile = context.removeprefix("colima-") if context != "colima" else "default"
        return f"Start the profile with 'colima start {profile}' and run again."
    return "Start the cluster and run again."


def _tls_context(access: Access) -> ssl.SSLContext:
    try:
        tls = ssl.create_default_context(cadata=access.ca or None)
        if not access.verify:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if access.certificate:
            _load_pair(tls, access.certificate + b"\n" + access.key)
    except ssl.SSLError as error:
        raise InputError(
            f"Could not use kube context '{access.context}': its certificates can't be read. Repair the kubeconfig."
        ) from error
    return tls


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
