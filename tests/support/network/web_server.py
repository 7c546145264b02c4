# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that a request comes to, or does not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextlib.contextmanager
def web_server() -> Iterator[tuple[str, list[str]]]:
    """Yield an address, and the paths that were asked for. It answers 204, 503 at /strange, and /log-in leads to another host."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response({"strange": 503, "log-in": 302}.get(self.path.rpartition("/")[2], 204))
            self.send_header("Location", "http://log-in.example/")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
