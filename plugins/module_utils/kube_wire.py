# SPDX-License-Identifier: GPL-3.0-or-later
"""One kept connection to an API server: HTTP/1.1 over a socket, as little of it as an API server speaks.

Written out because it decides both speed goals. A small request costs 0.1 ms of a core here, 0.26 ms with http.client and
0.4 ms with urllib3 (the kubernetes package's), which also take 20 ms and 200 ms to import. Nothing is retried here.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import ssl
import tempfile
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from .errors import InputError
from .kube_access import Access

LONGEST_LINE = 65536
MOST_HEADERS = 256


class BrokenAnswer(OSError):
    """What came back is not HTTP, or ended too early."""


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection to the server of an Access. Not for several threads at once."""

    def __init__(self, access: Access, tls: ssl.SSLContext | None, timeout: float) -> None:
        parts = urlsplit(access.server)
        host, port = str(parts.hostname), parts.port or (443 if tls else 80)
        self.used = False
        self._host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._common = _lines(
            {
                "Host": self._host,
                "User-Agent": "laptop.containers",
                "Authorization": access.authorization,
                "Impersonate-User": access.impersonate,
            }
        )
        self._socket = self._connect(access, host, port, timeout)
        try:
            if tls:
                self._socket = tls.wrap_socket(self._socket, server_hostname=access.server_name or host)
            self._reader = self._socket.makefile("rb")
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, access: Access, host: str, port: int, timeout: float) -> socket.socket:
        proxy = urlsplit(access.proxy) if access.proxy else None
        target = (str(proxy.hostname), proxy.port or 80) if proxy else (host, port)
        connection = socket.create_connection(target, timeout=timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy:
            try:
                connection.sendall(f"CONNECT {self._host} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
                # Unbuffered, so that nothing of what follows the answer is read away.
                with connection.makefile("rb", buffering=0) as reader:
                    status, _ = _head(reader)
                if status != 200:
                    raise BrokenAnswer(f"the proxy {access.proxy} answered {status}")
            except BaseException:
                connection.close()
                raise
        return connection

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Send one request and return its answer. Raises OSError when the connection fails."""
        length = {"Content-Length": str(len(body))} if body is not None else {}
        head = f"{method} {path} HTTP/1.1\r\n{self._common}{_lines({**headers, **length})}\r\n"
        # One packet for both: a second one would wait for the server to acknowledge the first.
        self._socket.sendall(head.encode("ascii") + (body or b""))
        status, said = _head(self._reader)
        while 100 <= status < 200:
            status, said = _head(self._reader)
        self.used = True
        return Answer(status, said, b"" if status in (204, 304) else self._body(said))

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            parts = []
            while size := _number(self._reader.readline(LONGEST_LINE).split(b";")[0], 16):
                parts.append(self._exactly(size))
                self._reader.readline(LONGEST_LINE)
            while self._reader.readline(LONGEST_LINE).strip():
                pass
            return b"".join(parts)
        if "content-length" in headers:
            return self._exactly(_number(headers["content-length"].encode(), 10))
        # Without either, the end of the connection is the end of the body.
        headers["connection"] = "close"
        return self._reader.read()

    def _exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) != size:
            raise BrokenAnswer("the connection ended within an answer")
        return data

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._reader.close()
        with contextlib.suppress(OSError):
            self._socket.close()


def _lines(headers: dict[str, str]) -> str:
    for name, value in headers.items():
        if "\r" in value or "\n" in value:
            raise InputError(f"Could not use the kubeconfig: its value for {name} holds a line break. Repair it.")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)


def _head(reader: IO[bytes] | io.RawIOBase) -> tuple[int, dict[str, str]]:
    first = reader.readline(LONGEST_LINE)
    if not first:
        raise ConnectionResetError("the server closed the connection")
    if not first.startswith(b"HTTP/1."):
        raise BrokenAnswer("the answer is not HTTP")
    status = _number(first[9:12], 10)
    headers: dict[str, str] = {}
    for _ in range(MOST_HEADERS):
        line = reader.readline(LONGEST_LINE)
        if line in (b"\r\n", b"\n"):
            return status, headers
        if not line:
            break
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raise BrokenAnswer("the connection ended within an answer")


def _number(text: bytes, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise BrokenAnswer("the answer is not HTTP")
    return number


def tls_context(access: Access) -> ssl.SSLContext | None:
    """Return how to trust the server and prove who we are. Returns None for plain http."""
    if urlsplit(access.server).scheme != "https":
        return None
    try:
        tls = ssl.create_default_context(cadata=access.ca or None)
        # Python 3.13 checks form strictly and would refuse clusters that kubectl accepts, for a CA without a key identifier.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not access.verify:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if access.certificate:
            _load_pair(tls, access.certificate + b"\n" + access.key)
    except ssl.SSLError as error:
        raise InputError(
            f"Could not use kube context '{access.context}': its certificates can't be read. Repair the kubeconfig."
        ) from error
    return tls


def _load_pair(tls: ssl.SSLContext, pem: bytes) -> None:
    """Load a certificate with its key. OpenSSL only reads files: one in memory where the system has that, else a private one."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("laptop.containers")
        with open(number, "wb") as file:  # noqa: PTH123
            file.write(pem)
            file.flush()
            tls.load_cert_chain(f"/proc/self/fd/{number}")
        return
    with tempfile.NamedTemporaryFile() as file:  # readable by the owner only, gone with this block
        file.write(pem)
        file.flush()
        tls.load_cert_chain(file.name)
