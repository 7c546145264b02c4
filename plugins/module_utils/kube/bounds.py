# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds on one answer of an API server: its time from the request to the last byte, and its size when it is unpacked.

urllib3's time-out is that of a single read: a server that sends a byte a second would never meet it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# Five thousand secrets' metadata are about 10 MiB.
MOST_BYTES = 64 << 20
# Small, because a block of a gzip may unpack to a thousand times its size.
_BLOCK = 16 << 10


class TooLarge(OSError):
    """The answer is larger than any that an API server gives."""


class _Limit(threading.local):
    """Until when the request of this thread may take."""

    until: float = float("inf")

    def check(self) -> None:
        """Raise TimeoutError when the time is over."""
        if time.monotonic() > self.until:
            raise TimeoutError("no answer in time")


_limit = _Limit()


def answer_within(seconds: float) -> None:
    """Give the next answer of this thread so much time."""
    _limit.until = time.monotonic() + seconds


class _Socket(socket.socket):
    def recv_into(self, *args: Any) -> int:
        """Read within the time."""
        _limit.check()
        return super().recv_into(*args)


class TlsSocket(ssl.SSLSocket):
    """A TLS socket that reads within the time of its thread."""

    def recv_into(self, *args: Any) -> int:
        """Read within the time."""
        _limit.check()
        return super().recv_into(*args)


def use_bounds(manager: Any, seconds: float) -> None:
    """Let all connections of a pool manager keep the time of an answer, also where a request is repeated."""

    class Plain(HTTPConnection):
        """Plain HTTP within the time."""

        def _new_conn(self) -> socket.socket:
            found = super()._new_conn()
            bounded = _Socket(found.family, found.type, found.proto, fileno=found.detach())
            bounded.settimeout(found.gettimeout())
            return bounded

        def request(self, *args: Any, **options: Any) -> None:
            """Begin the time of an answer."""
            answer_within(seconds)
            super().request(*args, **options)

    class Tls(HTTPSConnection):
        """TLS within the time."""

        def request(self, *args: Any, **options: Any) -> None:
            """Begin the time of an answer."""
            answer_within(seconds)
            super().request(*args, **options)

    class PlainPool(HTTPConnectionPool):
        """Pools of such connections."""

        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        """Pools of such connections."""

        ConnectionCls = Tls

    if manager.pool_classes_by_scheme.get("http") is HTTPConnectionPool:
        manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}


def read_all(response: Any) -> bytes:
    """Return the body of an answer. Raises TooLarge."""
    found, size = [], 0
    for block in response.stream(_BLOCK, decode_content=True):
        _limit.check()
        size += len(block)
        if size > MOST_BYTES:
            response.close()
            raise TooLarge(f"the answer is larger than {MOST_BYTES >> 20} MiB")
        found.append(block)
    return b"".join(found)
