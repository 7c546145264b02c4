# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running VM shows on the laptop, with no command in it: its engine's socket and its API server. Costs milliseconds.

A command in the VM goes through ssh and costs a second or more, `colima status` several. So the VM itself is only asked
(guest.py) where this leaves a question open.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...colima_paths import Name, Paths
from ...core.system.files import text_of
from ..model.config import Config, has_kubernetes
from ..model.yaml_text import parse

# What makes an engine say something, and what a sound one says.
GREETINGS = {
    "docker": b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n",
    "containerd": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    "incus": b"GET /1.0 HTTP/1.0\r\nHost: engine\r\n\r\n",
}
_OK = b" 200 "
SECONDS = 2.0
# An API server that refuses anonymous requests is up all the same, and its certificate says who it is.
_ALIVE = (200, 401, 403)


@dataclass(frozen=True)
class Liveness:
    """live: what `colima status` would say of runtime and Kubernetes, if everything that should run does; empty if in doubt.

    slow: the engine took a greeting and did not answer in time. It is busy or hangs; a dead engine has no open socket.
    """

    live: Mapping[str, Any] = field(default_factory=dict)
    slow: bool = False


def liveness_of(paths: Paths, name: Name, entry: Mapping[str, Any] | None) -> Liveness:
    """Look at the engine and the API server.

    entry: the profile's entry in the kubeconfig, known to be that of its k3s; empty: there is none; None: not compared yet.
    """
    applied = _settled(paths, name)
    if applied is None:
        return Liveness()
    runtime, kubernetes = str(applied.get("runtime")), has_kubernetes(applied)
    if entry is None or kubernetes != bool(entry):
        return Liveness()
    try:
        if not _engine_answers(paths, name, runtime):
            return Liveness()
    except TimeoutError:
        return Liveness(slow=True)
    if kubernetes and not _api_answers(entry.get("cluster") or {}):
        return Liveness()
    return Liveness({"runtime": runtime, f"{runtime}_socket": paths.socket(name, runtime), "kubernetes": kubernetes})


def _settled(paths: Paths, name: Name) -> Config | None:
    """Return what a VM runs with; None where its first start may never have finished, although its engine is up."""
    applied, _problem = parse(text_of(paths.applied(name)) or "")
    return None if not applied or paths.journal(name).exists() or paths.fresh(name).exists() else applied


def _engine_answers(paths: Paths, name: Name, runtime: str) -> bool:
    """Whether the engine says what a sound one says. Raises TimeoutError."""
    if runtime not in GREETINGS:
        return False
    try:
        answer = greet(paths.socket(name, runtime).removeprefix("unix://"), GREETINGS[runtime])
    except TimeoutError:
        raise
    except OSError:
        return False
    return _OK in answer if answer.startswith(b"HTTP/") else bool(answer)


def greet(path: str, greeting: bytes) -> bytes:
    """Return the first bytes that arrive on a socket; empty when it closes at once. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(greeting)
        return connection.recv(64)


def _api_answers(cluster: Mapping[str, Any]) -> bool:
    """Whether an API server answers with a certificate of the cluster's own authority."""
    import http.client
    import ssl

    try:
        server = urlsplit(str(cluster["server"]))
        tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode("ascii"))
        # Python 3.13 would refuse an authority without a key identifier.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        connection = http.client.HTTPSConnection(server.hostname or "", server.port or 443, timeout=SECONDS, context=tls)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status in _ALIVE
        finally:
            connection.close()
    except (OSError, KeyError, ValueError, http.client.HTTPException):
        return False
