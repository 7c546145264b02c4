# SPDX-License-Identifier: GPL-3.0-or-later
"""Small HTTP requests over TCP or a unix socket, with the standard library only."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


def listens(path: Path) -> bool:
    """Return whether something listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def get_unix(path: Path, url: str, timeout: float = 2.0) -> str | None:
    """Return the body of a 200 answer to GET url on the socket; None for anything else."""
    connection = UnixConnection(path, timeout)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
