# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one API server: a kept connection per thread; a busy or restarting server is asked again.

Every request that goes through here may be repeated: reads, server-side applies, guarded patches and deletes.
"""

from __future__ import annotations

import itertools
import json
import random
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import WorkstationError, without_logins
from .access import Access
from .patience import Patience, Trouble, pause_before
from .wire import Answer, BrokenAnswer, ProxyRefused, Wire, tls_context

JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

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
        # A proxy, an ingress or another program on the port also answers 404; only an API server says it with a Status.
        self.by_api_server = said.get("kind") == "Status"
        self.reason = str(said.get("reason") or "")
        self.text = str(said.get("message") or "").strip()
        details: Any = said.get("details")
        details = details if isinstance(details, dict) else {}
        self.kind = str(details.get("kind") or "")
        causes = details.get("causes") or []
        self.causes = [cause for cause in causes if isinstance(cause, dict)]
        super().__init__(f"{status} {self.reason}")

    @property
    def not_found(self) -> bool:
        """Whether an API server says that what was asked for does not exist."""
        return self.status == 404 and self.by_api_server


class _Passing(Exception):
    """A failure that may pass, with the pause that the server wishes for."""

    def __init__(self, failure: Exception, retry_after: str | None = None) -> None:
        super().__init__(str(failure))
        self.failure, self.retry_after = failure, retry_after


class KubeHttp:
    """Requests to one cluster. Threads may share it; each gets a connection of its own."""

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        self.access = access
        self.patience = patience or Patience()
        self.reached = False
        self._trouble = Trouble(self.patience)
        self._local = threading.local()
        self._wires: list[Wire] = []
        self._tls = tls_context(access)
        self._prefix = urlsplit(access.server).path

    def json(self, method: str, path: str, body: bytes | None = None, content_type: str = JSON, accept: str = JSON) -> Any:
        """Send a request and return the decoded answer. Raises ApiError, or Unreachable after patience has run out."""
        headers = {"Accept": accept} if body is None else {"Accept": accept, "Content-Type": content_type}
        started = time.monotonic()
        for attempt in itertools.count(1):
            self._trouble.raise_if_hopeless()
            try:
                return self._ask(method, self._prefix + path, headers, body)
            except _Passing as passing:
                failure, retry_after = passing.failure, passing.retry_after
            pause = pause_before(attempt, retry_after, self.patience, random.random())  # noqa: S311
            if not self._trouble.allows(pause, started, failure, answered=isinstance(failure, ApiError)):
                raise failure
            time.sleep(pause)
        raise AssertionError(path)

    def close(self) -> None:
        """Close every connection."""
        for wire in self._wires:
            wire.close()

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Any:
        try:
            answer = self._send(method, path, headers, body)
            found = decoded(answer.body) if answer.status < 300 else None
        except OSError as error:
            self._drop()
            failure = unreachable(self.access, error)
            # A cluster that never answered is most likely stopped: say so at once. One that did is restarting.
            if not self.reached or isinstance(error, ssl.SSLCertVerificationError):
                raise failure from error
            raise _Passing(failure) from error
        if answer.status in RETRIED:
            raise _Passing(ApiError(answer.status, answer.body), answer.headers.get("retry-after"))
        self._trouble.over()
        if answer.status >= 300:
            raise ApiError(answer.status, answer.body)
        return found

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        wire = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = Wire(self.access, self._tls, self.patience.request)
            self._wires.append(wire)
        try:
            answer: Answer = wire.exchange(method, path, headers, body)
        except (BrokenPipeError, ConnectionResetError):
            self._drop()
            if not wire.used:
                raise
            # The server had closed the kept connection; that says nothing about the request.
            return self._send(method, path, headers, body)
        self.reached = True
        if answer.headers.get("connection", "").lower() == "close":
            self._drop()
        return answer

    def _drop(self) -> None:
        wire = getattr(self._local, "wire", None)
        if wire is not None:
            wire.close()
            self._local.wire = None


def decoded(body: bytes) -> Any:
    """Return an answer's body. Raises BrokenAnswer when something else than an API server, a portal's page say, answered."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise BrokenAnswer("the answer is not JSON") from error


def unreachable(access: Access, error: Exception) -> Unreachable:
    """Return why a cluster can't be reached, in the user's words."""
    server = without_logins(access.server)
    what = f"Could not reach cluster '{access.context}'"
    if isinstance(error, ProxyRefused):
        way = f"{_reason(error.cause)} at the proxy {without_logins(access.proxy)} on the way to {server}"
        said = f"{what}: {way}. Start that proxy, or correct proxy-url in the kubeconfig."
    elif isinstance(error, ssl.SSLCertVerificationError):
        said = (
            f"Could not trust cluster '{access.context}': its certificate at {server} is not signed by the authority "
            "in the kubeconfig. Restart the profile so that colima writes the new one."
        )
    else:
        said = f"{what}: {_reason(error)} at {server}. {_how_to_start(access.context)}"
    return Unreachable(said, unreachable=access.context)


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
    return str(error) or "the connection broke"


def _how_to_start(context: str) -> str:
    if context == "colima" or context.startswith("colima-"):
        profile = context.removeprefix("colima-") if context != "colima" else "default"
        return f"Start the profile with 'colima start {profile}' and run again."
    return "Start the cluster and run again."
