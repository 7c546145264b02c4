# SPDX-License-Identifier: GPL-3.0-or-later
"""The host ends of sockets that Lima forwards into a guest: they are there as soon as the machine is up, engine or not.

ssh listens on them. Where nothing listens in the guest, it accepts and closes. A running engine answers, in as few
words as a client needs to recognise it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

# To HTTP/1, and to the first bytes of HTTP/2, which gRPC speaks: an empty SETTINGS frame.
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


class Forwards:
    """The host sockets of one running machine."""

    def __init__(self, engine_runs: Callable[[], bool]) -> None:
        self.engine_runs = engine_runs
        self.listeners: list[socket.socket] = []

    def open(self, paths: Iterable[Path]) -> None:
        """Listen on these. A path that is too long for a socket is left out, as ssh does."""
        for path in paths:
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):
                listener.bind(str(path))
                listener.listen()
                self.listeners.append(listener)
                threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.listeners.clear()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(2.0)
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        if self.engine_runs() and (asked := connection.recv(4096)):
            connection.sendall(SETTINGS if asked.startswith(b"PRI ") else OK)
