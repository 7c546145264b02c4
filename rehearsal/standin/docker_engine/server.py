# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over a unix socket, as the engine's router has it: an optional /v1.NN before every path."""

from __future__ import annotations

import json
import re
import secrets
import socketserver
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import api, containers, programs
from .state import API_VERSION, VERSION, Refusal, State

ARCHIVE = "application/x-tar"
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def ran(state: State, container: str, mark: bytes, command: bytes, stdin: bytes) -> bytes:
    """Run a command of a shell to its end, and return what the engine sends of it."""
    with state.lock:
        ended = programs.run(state, containers.find(state, container), command.decode(), stdin)
    end = b"\n%s %03d\n" % (mark, ended.code)
    said = ((1, ended.out + end), (2, ended.err + end))
    return b"".join(struct.pack(">BxxxL", kind, len(data)) + data for kind, data in said)


class Shells:
    """The shells in an engine's containers: which container each is for, by its id."""

    def __init__(self) -> None:
        self.containers: dict[str, str] = {}
        # So many bytes of the next answer get through; None for all.
        self.passes: int | None = None
        # How many shells are open.
        self.open = 0


class Handler(socketserver.StreamRequestHandler):
    """One connection. http.server would take most of the time of a small answer."""

    state: State
    shells: Shells
    headers: dict[str, str]

    def handle(self) -> None:
        """Answer requests, one after another."""
        self.close_connection = False
        while not self.close_connection and (first := self.rfile.readline()).strip():
            self.command, self.path, version = first.decode().split()
            if version == "HTTP/2.0":
                # As containerd greets, for which this stands behind its socket: a frame with no settings.
                self.wfile.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
                return
            self.headers = {}
            while line := self.rfile.readline().strip():
                name, _colon, value = line.decode().partition(":")
                self.headers[name.lower()] = value.strip()
            self.close_connection = version == "HTTP/1.0" or self.headers.get("connection", "").lower() == "close"
            self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+(?=/)", "", parts.path)
        # Only the names of images come more than once.
        query = {key: "\n".join(values) if key == "names" else values[-1] for key, values in parse_qs(parts.query).items()}
        payload = self._payload()
        if path == "/_ping":
            self._reply(200, b"OK", "text/plain; charset=utf-8")
            return
        if made := re.fullmatch(r"/containers/([^/]+)/exec", path):
            name = secrets.token_hex(16)
            self.shells.containers[name] = made[1]
            self._reply(201, json.dumps({"Id": name}).encode(), "application/json")
            return
        if begun := re.fullmatch(r"/exec/([^/]+)/start", path):
            self._shell(self.shells.containers[begun[1]])
            return
        try:
            archive = self.headers.get("content-type") == ARCHIVE
            status, answer = api.answer(
                self.state, self.command, path, query, payload if archive else json.loads(payload or b"{}")
            )
        except Refusal as refusal:
            status, answer = refusal.status, {"message": str(refusal)}
        if isinstance(answer, bytes):
            self._reply(status, answer, ARCHIVE)
        else:
            self._reply(status, b"" if answer is None else json.dumps(answer).encode() + b"\n", "application/json")

    def _shell(self, name: str) -> None:
        """Be the shell of a helper: one command after another, each with so many bytes of input, or all until the end."""
        self.close_connection = True
        self.wfile.write(UPGRADED)
        self.shells.open += 1
        try:
            while line := self.rfile.readline():
                mark, size, command = line.split(None, 2)
                answer = ran(self.state, name, mark, command, self.rfile.read(-1 if size == b"-" else int(size)))
                passed = self._cut(answer)
                self.wfile.write(passed)
                if passed != answer:
                    return
        finally:
            self.shells.open -= 1

    def _cut(self, data: bytes) -> bytes:
        """Return what gets through of an answer: all of it, unless a test wants the connection to break."""
        most, self.shells.passes = self.shells.passes, None
        self.close_connection = self.close_connection or most is not None
        return data[:most]

    def _payload(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _reply(self, status: int, content: bytes, kind: str) -> None:
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: Docker/{VERSION} (linux)\r\nApi-Version: {API_VERSION}\r\n"
            f"Ostype: linux\r\nDocker-Experimental: false\r\nBuilder-Version: 2\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + self._cut(b"" if self.command == "HEAD" else content))


class Server(socketserver.ThreadingUnixStreamServer):
    """The engine in this process: `with Server(socket, state): ...`."""

    daemon_threads = True
    allow_reuse_address = True
    # Of a unix socket, one more than these is refused at once; buildx asks for all its builders together.
    request_queue_size = 128

    def __init__(self, socket_path: Path, state_dir: Path, state: State | None = None) -> None:
        socket_path.parent.mkdir(parents=True, exist_ok=True)
        socket_path.unlink(missing_ok=True)
        self.state, self.shells = state or State(state_dir), Shells()
        handler = type("BoundHandler", (Handler,), {"state": self.state, "shells": self.shells})
        # Threads that are kept cost less than one for each connection.
        self.pool = ThreadPoolExecutor(64)
        super().__init__(str(socket_path), handler)
        self.socket_path = socket_path

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in another thread."""
        self.pool.submit(self.process_request_thread, request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone, or of the container that its shell was in."""
        if not isinstance(sys.exception(), (ConnectionError, Refusal)):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        self.pool.shutdown(wait=False)
        self.socket_path.unlink(missing_ok=True)
