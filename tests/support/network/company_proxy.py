# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's way out, for tests: a proxy that intercepts TLS with an authority of its own, and a registry behind it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.services.certificates import Authority

# Only the proxy knows this name.
REGISTRY = "registry.corp.example"
_ANSWER = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
)
_UNKNOWN = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'


@dataclass
class CompanyProxy:
    """The proxy on a port of the loopback. asked: the hosts and paths that were asked for through it."""

    directory: Path
    listener: socket.socket
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = self.listener.getsockname()[1]
        self.authority = Authority(self.directory / "company")
        self.context = _context(self.authority)

    @property
    def certificate(self) -> str:
        """The file of the company's authority."""
        return str(self.authority.certificate_file)

    @property
    def url(self) -> str:
        """Its address on the laptop."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def another_authority(self, directory: Path) -> Iterator[None]:
        """Answer with certificates of an authority that no one trusts. directory: where its files may be."""
        before, self.context = self.context, _context(Authority(directory / "other"))
        try:
            yield
        finally:
            self.context = before

    def stop(self) -> None:
        """Take no more requests."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self) -> None:
        """Answer until it is stopped."""
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(20)
            host = _head(connection).split(" ", 2)[1]
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self.context.wrap_socket(connection, server_side=True) as inside:
                path = _head(inside).split(" ", 2)[1]
                self.asked.append(f"{host}{path}")
                inside.sendall(_ANSWER % (len(_UNKNOWN), _UNKNOWN))


def _context(authority: Authority) -> ssl.SSLContext:
    pair = authority.issue(REGISTRY, server=True, hosts=(REGISTRY, "registry-1.docker.io"))
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as whole:
        whole.write(pair.certificate + pair.key)
        whole.flush()
        found.load_cert_chain(whole.name)
    return found


def _head(connection: socket.socket) -> str:
    """Read a request's head; return its first line."""
    head = b""
    while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
        head += piece
    return head.partition(b"\r\n")[0].decode() or "GET / HTTP/1.1"


@contextlib.contextmanager
def company_proxy() -> Iterator[CompanyProxy]:
    """Run the proxy while tests need it."""
    with tempfile.TemporaryDirectory(prefix="company-") as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CompanyProxy(Path(folder), listener)
        threading.Thread(target=proxy.serve, daemon=True).start()
        yield proxy
        proxy.stop()
