# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks with a docker engine about what has no bound: images and files as tar streams, and the input and output of a container.

Small questions are those of engine.py. Here nothing is decided, and nothing is held in memory but one piece.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any, Self

from .engine import Silent

# About what a socket holds. Room for more is reserved for nothing, which costs more than to receive it.
PIECE = 1 << 18
_LONGEST_HEAD = 1 << 16
_LONGEST_ANSWER = 64 << 20


class Refused(Exception):
    """The engine answered that it can't or won't do this; the text is its own reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Api:
    """One engine behind a unix socket. seconds: how long it may be silent, counted from the last piece."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path, self.seconds = path, seconds
        self.prefix = ""
        self.open: set[socket.socket] = set()
        self.ended = False

    def abort(self) -> None:
        """End every exchange, one that waits too; from then on only small requests are made, with which things are put right."""
        self.ended = True
        for connection in list(self.open):
            _shut(connection)

    def ask(self, method: str, target: str, body: object = None, *, seconds: float | None = None) -> Any:
        """Return the decoded answer to a small request. Raises Refused and Silent."""
        data = b"" if body is None else json.dumps(body).encode()
        with Exchange(self, seconds) as exchange:
            kind = "Content-Type: application/json\r\n" if body is not None else ""
            exchange.send(exchange.head(method, target, f"{kind}Content-Length: {len(data)}\r\n", version="1.0") + data)
            exchange.answer()
            text = exchange.rest()
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise Silent("what answers is not a docker engine") from None

    def download(self, target: str, *, first: float | None = None) -> Exchange:
        """Return an exchange from which the answer is read. first: seconds until its first byte."""
        # An engine closes an answer of HTTP/1.0 at its end; the archive itself tells whether that was the end.
        with self._begun(first) as exchange:
            exchange.send(exchange.head("GET", target, version="1.0"))
            exchange.answer()
            exchange.patience(self.seconds)
        return exchange

    def upload(self, method: str, target: str) -> Exchange:
        """Return an exchange to which an archive of unknown length is written; finish() ends it."""
        framing = "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
        with self._begun() as exchange:
            exchange.send(exchange.head(method, target, framing))
        return exchange

    def attach(self, container: str, *, stdin: bool) -> Exchange:
        """Return the input and output of a container that was not started yet."""
        target = f"/containers/{container}/attach?stream=1&stdout=1&stderr=1" + ("&stdin=1" if stdin else "")
        with self._begun() as exchange:
            exchange.send(exchange.head("POST", target, "Connection: Upgrade\r\nUpgrade: tcp\r\n"))
            exchange.answer()
        return exchange

    @contextlib.contextmanager
    def _begun(self, seconds: float | None = None) -> Iterator[Exchange]:
        """Open an exchange that goes on after the block, unless the block fails."""
        if self.ended:
            raise Silent("this run is being stopped")
        exchange = Exchange(self, seconds)
        try:
            yield exchange
        except BaseException:
            exchange.close()
            raise


class Exchange:
    """One connection with one request. Every wait is bounded: Silent says for how long nothing came."""

    def __init__(self, api: Api, seconds: float | None = None) -> None:
        self.api = api
        self.seconds = api.seconds if seconds is None else seconds
        self.buffer = bytearray()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(self.seconds)
        try:
            self.socket.connect(api.path)
        except OSError as error:
            self.socket.close()
            raise _silent(error, self.seconds) from error
        api.open.add(self.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the exchange, finished or not."""
        self.api.open.discard(self.socket)
        self.socket.close()

    def patience(self, seconds: float) -> None:
        """Let the engine be silent for so long from now on."""
        self.seconds = seconds
        self.socket.settimeout(seconds)

    def head(self, method: str, target: str, more: str = "", *, version: str = "1.1") -> bytes:
        """Return the head of a request."""
        return f"{method} {self.api.prefix}{target} HTTP/{version}\r\nHost: docker\r\n{more}\r\n".encode()

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it, however slowly it is taken, as long as it is taken at all."""
        view = memoryview(data).cast("B")
        try:
            while view:
                view = view[self.socket.send(view) :]
        except OSError as error:
            raise _silent(error, self.seconds) from error

    def write(self, data: bytes) -> None:
        """Send a piece of an uploaded archive. Raises Refused where the engine has answered instead of taking it."""
        try:
            if data:
                self.send(f"{len(data):x}\r\n".encode())
                self.send(data)
                self.send(b"\r\n")
        except Silent as silent:
            with contextlib.suppress(Silent):
                self.answer()
                raise Refused(0, self.rest().strip() or str(silent)) from silent
            raise

    def finish(self, heard: Callable[[bytes], object] = lambda _: None) -> str:
        """End an upload and return the answer to it. heard gets each piece of the answer. Raises Refused."""
        self.send(b"0\r\n\r\n")
        self.answer()
        return self.rest(heard)

    def no_more(self) -> None:
        """End the input of an attached container; its output goes on."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise _silent(error, self.seconds) from error

    def answer(self) -> None:
        """Read the head of the answer. Raises Refused for any but a success."""
        while b"\r\n\r\n" not in self.buffer:
            piece = self._receive()
            if not piece or len(self.buffer) > _LONGEST_HEAD:
                raise Silent("it hung up")
            self.buffer += piece
        head, _blank, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        words = head.split(b"\r\n", 1)[0].split()
        if len(words) < 2 or not words[1].isdigit():
            raise Silent("what answers is not a docker engine")
        self.chunked = b"transfer-encoding: chunked" in head.lower()
        if int(words[1]) >= 400:
            raise Refused(int(words[1]), _reason(self.rest(), words[1].decode()))

    def rest(self, heard: Callable[[bytes], object] = lambda _: None) -> str:
        """Return the whole answer as text: one of a few words, or a list of what there is."""
        found = bytearray()
        while piece := self.read(PIECE):
            heard(piece)
            found += piece
            if len(found) > _LONGEST_ANSWER:
                raise Silent("its answer never ends")
        return (b"".join(_chunks(bytes(found))) if self.chunked else bytes(found)).decode(errors="replace")

    def read(self, most: int) -> bytes:
        """Return the next bytes of the answer; none at its end."""
        if self.buffer:
            piece = bytes(self.buffer[:most])
            del self.buffer[:most]
            return piece
        return self._receive(most)

    def hang_up(self) -> None:
        """Wake those that wait in this exchange: nothing more will come."""
        _shut(self.socket)

    def _receive(self, most: int = PIECE) -> bytes:
        try:
            return self.socket.recv(most)
        except OSError as error:
            raise _silent(error, self.seconds) from error


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _silent(error: OSError, seconds: float) -> Silent:
    if isinstance(error, TimeoutError):
        return Silent(f"nothing came for {seconds:g} s")
    if isinstance(error, FileNotFoundError):
        return Silent("the socket does not exist", absent=True)
    return Silent((error.strerror or str(error)).lower())


def _reason(text: str, status: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or f"status {status}"


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the content of an answer in chunks."""
    while data:
        size, _line, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        yield data[:length]
        data = data[length + 2 :]
