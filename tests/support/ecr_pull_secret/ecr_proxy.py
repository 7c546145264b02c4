# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR's own host names for the lab's registries: a proxy on the loopback, and TLS with a certificate of the lab.

Programs reach it as they reach AWS from a company's network: through HTTPS_PROXY, trusting what SSL_CERT_FILE holds.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

from rehearsal.services.certificates import Authority


class Front:
    """.environment for programs; .seen lists the hosts that were asked for.

    All lead to the registry of one address, but those of elsewhere (host: address).
    """

    def __init__(self, directory: Path, address: str, *hosts: str, elsewhere: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        authority = Authority(directory)
        self.elsewhere = dict(elsewhere or {})
        pair = authority.issue("registry", server=True, hosts=(*hosts, *self.elsewhere))
        (directory / "pair.pem").write_bytes(pair.certificate + pair.key)
        self.certificate = authority.certificate_file
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(directory / "pair.pem")
        self.address = address
        self.seen: list[str] = []
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.front = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """The environment that leads docker and nerdctl to the proxy."""
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self.server.server_address[1]}", "SSL_CERT_FILE": str(self.certificate)}

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    front: Front


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer CONNECT, then speak TLS with the client and plain HTTP with the registry."""
        front = self.server.front
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        name = target.rpartition(":")[0]
        front.seen.append(name)
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError), front.tls.wrap_socket(self.connection, server_side=True) as client:
            host, _, port = front.elsewhere.get(name, front.address).partition(":")
            with socket.create_connection((host, int(port))) as registry:
                _join(client, registry)


def _join(client: ssl.SSLSocket, registry: socket.socket) -> None:
    """Forward bytes in both directions until one side closes."""
    while True:
        ready = [client] if client.pending() else select.select([client, registry], [], [], 30.0)[0]
        for source in ready:
            block = source.recv(65536)
            if not block:
                return
            (registry if source is client else client).sendall(block)
        if not ready:
            return
