# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an engine over a unix socket or TCP; http.client would triple the start-up time of every command."""

from __future__ import annotations

import json
import socket
from typing import Any

from .flags import Exit


class Engine:
    """The engine at one address. Like the real client it waits as long as the engine does not answer."""

    def __init__(self, address: str, tls: dict[str, bytes] | None = None) -> None:
        self.address = address
        self.tls = tls or {}

    def get(self, path: str) -> Any:
        """Return the decoded answer to a GET; raises Exit in the CLI's words."""
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        status, content = self.send(method, path, body)
        answer = json.loads(content) if content.strip().startswith((b"{", b"[")) else content.decode()
        if status >= 400:
            message = answer.get("message", "") if isinstance(answer, dict) else answer
            raise Exit(f"Error response from daemon: {message}\n")
        return answer

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
        )
        try:
            with self._connect() as connection:
                connection.sendall(head.encode() + payload)
                return _read(connection)
        except OSError as error:
            raise Exit(self.unreachable(error)) from error

    def unreachable(self, error: OSError) -> str:
        """Return what the CLI prints when the engine does not answer."""
        if isinstance(error, PermissionError):
            path = self.address.removeprefix("unix://")
            return (
                "permission denied while trying to connect to the Docker daemon socket at "
                f"{self.address}: dial unix {path}: connect: permission denied\n"
            )
        return f"Cannot connect to the Docker daemon at {self.address}. Is the docker daemon running?\n"

    def _connect(self) -> socket.socket:
        scheme, _, rest = self.address.partition("://")
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(rest)
            return connection
        if scheme == "ssh":
            raise OSError("the stand-in does not dial ssh")
        host, _, port = rest.split("/", 1)[0].rpartition(":")
        return socket.create_connection((host or rest, int(port) if host and port.isdigit() else 2375))


def _read(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    head, _, content = received.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if b" " not in lines[0]:
        raise ConnectionResetError("no answer")
    status = int(lines[0].split(b" ", 2)[1])
    if b"transfer-encoding: chunked" in head.lower():
        content = _unchunk(content)
    return status, content


def _unchunk(content: bytes) -> bytes:
    whole = b""
    while content:
        size, _, content = content.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if length == 0:
            break
        whole += content[:length]
        content = content[length + 2 :]
    return whole
