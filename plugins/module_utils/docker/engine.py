# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks what listens on a unix socket, a docker engine above all, in bounded time and without a process."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

# Requests are HTTP/1.0, so that the engine closes at the end and never answers in chunks; http.client would cost 15 ms of
# imports.
_LONGEST_ANSWER = 1 << 20
_NO_CONTENT = 204


class EngineSilent(Exception):
    """Nothing usable answered on a socket; the text says why. absent: the socket does not exist; slow: no answer came in time."""

    def __init__(self, reason: str, absent: bool = False, slow: bool = False) -> None:
        super().__init__(reason)
        self.absent, self.slow = absent, slow


@dataclass(frozen=True)
class Engine:
    """Whether an engine answered, what it is, or why it did not. reachable None: it was not asked. absent: it has no socket."""

    reachable: bool | None
    reason: str = ""
    version: str = ""
    api_version: str = ""
    os: str = ""
    arch: str = ""
    absent: bool = False

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {key: value for key, value in asdict(self).items() if key != "absent"}


def engine_from_version(answer: Any) -> Engine:
    """Return the engine that a /version answer (or docker's Server part of it) describes."""
    if not isinstance(answer, dict) or not answer.get("Version"):
        return Engine(False, "what answers is not a docker engine")
    return Engine(
        True,
        version=str(answer.get("Version", "")),
        api_version=str(answer.get("ApiVersion", "")),
        os=str(answer.get("Os", "")),
        arch=str(answer.get("Arch", "")),
    )


def get_unix(path: str, target: str, seconds: float) -> tuple[int, Any]:
    """Return status and decoded JSON of a GET on the unix socket. Raises EngineSilent with the reason when nothing answers."""
    return request_unix(path, "GET", target, seconds)


def request_unix(path: str, method: str, target: str, seconds: float, longest: int = _LONGEST_ANSWER) -> tuple[int, Any]:
    """Return status and decoded JSON of a request without a body on the unix socket; None where the answer has none.

    longest: how many bytes of it are read. Raises EngineSilent with the reason when nothing usable answers.
    """
    raw = exchange_unix(path, f"{method} {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode(), seconds, longest)
    # Part of a JSON text is none, so only a head without a text needs its end.
    head, blank, body = raw.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
    try:
        number = int(status.split()[1])
        return number, None if number == _NO_CONTENT and blank else json.loads(body)
    except (ValueError, IndexError, RecursionError):
        raise EngineSilent(f"what answers is not a docker engine ({status[:60]})" if status else "it hung up") from None


def exchange_unix(path: str, request: bytes, seconds: float, longest: int = _LONGEST_ANSWER) -> bytes:
    """Return what a unix socket answers to a request until it closes, or the first so many bytes. Raises EngineSilent."""
    if not os.path.exists(path):  # noqa: PTH110 - a dangling link counts as absent
        raise EngineSilent("the socket does not exist", absent=True)
    try:
        return _exchange(path, request, time.monotonic() + seconds, longest)
    except TimeoutError:
        raise EngineSilent(f"nothing answered within {seconds:g} s", slow=True) from None
    except OSError as error:
        raise EngineSilent((error.strerror or str(error)).lower()) from error


def ask_unix(path: str, seconds: float) -> Engine:
    """Return what answers on the unix socket within the time."""
    try:
        return engine_from_version(get_unix(path, "/version", seconds)[1])
    except EngineSilent as silent:
        return Engine(False, str(silent), absent=silent.absent)


def ask_all_unix(paths: Iterable[str], seconds: float) -> dict[str, Engine]:
    """Return the engine of each socket; they are queried side by side, so engines that hang cost the time only once."""
    asked = list(dict.fromkeys(paths))
    if len(asked) < 2:
        return {path: ask_unix(path, seconds) for path in asked}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(32, len(asked))) as pool:
        return dict(zip(asked, pool.map(lambda path: ask_unix(path, seconds), asked), strict=True))


def _exchange(path: str, request: bytes, deadline: float, longest: int) -> bytes:
    """Return the answer. Raises TimeoutError at the deadline, however slowly bytes trickle in."""
    received = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        connection.connect(path)
        connection.sendall(request)
        while len(received) < longest:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = connection.recv(min(65536, longest - len(received)))
            if not chunk:
                break
            received += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(received)
