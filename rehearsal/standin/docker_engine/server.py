# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over a unix socket, as the engine's router has it: an optional /v1.NN before every path."""

from __future__ import annotations

import json
import re
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .api import API_VERSION, Api, Refusal
from .state import VERSION, State

ARCHIVE = "application/x-tar"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    api: Api
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Stay quiet: the state shows the calls that matter."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+(?=/)", "", parts.path)
        # Only the names of images come more than once.
        query = {key: "\n".join(values) if key == "names" else values[-1] for key, values in parse_qs(parts.query).items()}
        payload = self._payload()
        if path == "/_ping":
            self._reply(200, b"OK", "text/plain; charset=utf-8")
            return
        try:
            archive = self.headers.get("Content-Type") == ARCHIVE
            status, answer = self.api.answer(self.command, path, query, payload if archive else json.loads(payload or b"{}"))
        except Refusal as refusal:
            status, answer = refusal.status, {"message": str(refusal)}
        if isinstance(answer, bytes):
            self._reply(status, answer, ARCHIVE)
        else:
            self._reply(status, b"" if answer is None else json.dumps(answer).encode() + b"\n", "application/json")

    def _payload(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _reply(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Ostype", "linux")
        self.send_header("Docker-Experimental", "false")
        self.send_header("Builder-Version", "2")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        return f"Docker/{VERSION} (linux)"

    do_GET = do_POST = do_DELETE = do_HEAD = _serve


class Server(socketserver.ThreadingUnixStreamServer):
    """The engine in this process: `with Server(socket, state): ...`."""

    daemon_threads = True
    allow_reuse_address = True
    # Of a unix socket, one more than these is refused at once; buildx asks for all its builders together.
    request_queue_size = 128

    def __init__(self, socket_path: Path, state_dir: Path) -> None:
        socket_path.parent.mkdir(parents=True, exist_ok=True)
        socket_path.unlink(missing_ok=True)
        handler = type("BoundHandler", (Handler,), {"api": Api(State(state_dir))})
        super().__init__(str(socket_path), handler)
        self.socket_path = socket_path

    def server_close(self) -> None:
        super().server_close()
        self.socket_path.unlink(missing_ok=True)
