# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy between the module and an API server: records every request, answers some itself, and forwards the rest."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer


class Front(http.server.ThreadingHTTPServer):
    """Stands before the API server; trouble(method, path) -> an answer to give instead, or None. seen lists the requests.

    headers are added to every answer.
    """

    # Many clients connect at once, and one that finds a full queue tries again only a second later.
    request_queue_size = 64

    def __init__(self, apiserver: ApiServer, trouble: Any) -> None:
        self.apiserver, self.trouble = apiserver, trouble
        self.seen: list[tuple[str, str, str]] = []
        self.headers: dict[str, str] = {}
        # What becomes of the API server's own answers.
        self.change: Callable[[bytes], bytes] = bytes
        self.tls = apiserver.tls()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def kubeconfig(self, path: Path) -> Path:
        cluster = {"server": f"http://127.0.0.1:{self.server_address[1]}"}
        path.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "colima-k8s", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )
        return path


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, self.headers.get("Accept", "")))
        trouble = self.server.trouble(self.command, self.path)
        if trouble is not None:
            status, headers, answer = trouble
        else:
            url = urlsplit(self.server.apiserver.url)
            connection = http.client.HTTPSConnection(str(url.hostname), url.port, context=self.server.tls)
            kept = {name: self.headers[name] for name in ("Accept", "Content-Type") if name in self.headers}
            connection.request(self.command, self.path, body, kept)
            response = connection.getresponse()
            status, headers, answer = response.status, {}, self.server.change(response.read())
            connection.close()
        self.send_response(status)
        for name, value in {**self.server.headers, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PATCH = do_POST = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def refuse(status: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, b'{"kind":"Status","message":"busy"}'
