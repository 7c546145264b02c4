# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a docker engine behind a unix socket for its version, in bounded time and without a process."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Requests are HTTP/1.0, so that the engine closes at the end and never answers in chunks; http.client would cost 15 ms of
# imports.
_LONGEST_ANSWER = 1 << 20


class Silent(Exception):
    """Nothing that can be used answered on a socket; the text says why."""


@dataclass(frozen=True)
class Engine:
    """Whether an engine answered, what it is, or why it did not. reachable None: it was not asked."""

    reachable: bool | None
    reason: str = ""
    version: str = ""
    api_version: str = ""
    os: str = ""
    arch: str = ""

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {
            "reachable": self.reachable,
            "reason": self.reason,
            "version": self.version,
            "api_version": self.api_version,
            "os": self.os,
            "arch": self.arch,
        }


def engine_from_version(answer: Any) -> Engine:
    """Return the engine that a /version answer (or docker's Server part of it) describes."""
    if not isinstance(answer, dict) or not answer.get("Version"):
        return Engine(False, "what answers is no docker engine")
    return Engine(
        True,
        version=str(answer.get("Version", "")),
        api_version=str(answer.get("ApiVersion", "")),
        os=str(answer.get("Os", "")),
        arch=str(answer.get("Arch", "")),
    )


def get_unix(path: str, target: str, seconds: float) -> tuple[int, Any]:
    """Return status and decoded JSON of a GET on the unix socket. Raises Silent with the reason when nothing answers."""
    if not os.path.exists(path):  # noqa: PTH110 - a dangling link counts as absent
        raise Silent("there is no socket")
    try:
        raw = _exchange(path, f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode(), time.monotonic() + seconds)
    except TimeoutError:
        raise Silent(f"nothing answered within {seconds:g} s") from None
    except OSError as error:
        raise Silent((error.strerror or str(error)).lower()) from error
    head, _blank, body = raw.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
    try:
        return int(status.split()[1]), json.loads(body)
    except (ValueError, IndexError):
        raise Silent(f"what answers is no docker engine ({status[:60]})" if status else "it hung up") from None


def ask_unix(path: str, seconds: float) -> Engine:
    """Return what answers on the unix socket within the time."""
    try:
        return engine_from_version(get_unix(path, "/version", seconds)[1])
    except Silent as silent:
        return Engine(False, str(silent))


def ask_all_unix(paths: Iterable[str], seconds: float) -> dict[str, Engine]:
    """Return the engine of each socket; they are asked side by side, so one that hangs costs the time only once."""
    asked = list(dict.fromkeys(paths))
    if len(asked) < 2:
        return {path: ask_unix(path, seconds) for path in asked}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(32, len(asked))) as pool:
        return dict(zip(asked, pool.map(lambda path: ask_unix(path, seconds), asked), strict=True))


def _exchange(path: str, request: bytes, deadline: float) -> bytes:
    """Return the whole answer. Raises TimeoutError at the deadline, however slowly bytes trickle in."""
    received = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        connection.connect(path)
        connection.sendall(request)
        while len(received) < _LONGEST_ANSWER:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(received)
