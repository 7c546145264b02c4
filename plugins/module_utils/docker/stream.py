# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks with a docker engine about what has no bound: images and files as tar streams, and what commands get and print.

Small questions are those of engine.py. Here nothing is decided, and nothing is held in memory but one piece. An answer that is
cut anywhere, its head too, is none; http.client takes half of a head for all of it.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

from .engine import EngineSilent

# About what a socket holds. Room for more is reserved for nothing, which costs more than to receive it.
PIECE = 1 << 18
_LONGEST_HEAD = 1 << 16
_LONGEST_ANSWER = 64 << 20
_WITHOUT_CONTENT = (204, 304)
_REFUSALS = 400
_NO_ENGINE, _CUT = "what answers is not a docker engine", "it hung up in the middle of its answer"


class EngineRefused(Exception):
    """The engine answered that it can't or won't do this; the text is its own reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class EngineApi:
    """One engine behind a unix socket. seconds: how long it may be silent, counted from the last piece."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path, self.seconds = path, seconds
        self.prefix = ""
        self.open: set[socket.socket] = set()
        self.ended = False

    def abort(self) -> None:
        """End every exchange, also a waiting one; from then on only the small requests of a clean-up are made."""
        self.ended = True
        for connection in list(self.open):
            _shut(connection)

    def ask(self, method: str, target: str, body: object = None, *, seconds: float | None = None) -> Any:
        """Return the decoded answer to a request; None for an empty one but to a GET. Raises EngineRefused, EngineSilent."""
        data = b"" if body is None else json.dumps(body).encode()
        with Exchange(self, seconds) as exchange:
            kind = "Content-Type: application/json\r\n" if body is not None else ""
            exchange.send(exchange.head(method, target, f"{kind}Content-Length: {len(data)}\r\nConnection: close\r\n") + data)
            exchange.answer()
            text = exchange.rest()
        if method != "GET" and not text.strip():
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise EngineSilent(_NO_ENGINE) from None

    def object(
        self, target: str, *needed: str, method: str = "GET", body: object = None, seconds: float | None = None
    ) -> dict[str, Any]:
        """Return the object that is the answer. needed: keys that it must have. Raises EngineRefused or EngineSilent."""
        return _object(self.ask(method, target, body, seconds=seconds), needed)

    def objects(self, target: str, *needed: str, under: str = "") -> list[dict[str, Any]]:
        """Return the list of objects that is the answer. needed: keys that each must have. under: the key that has the list.

        Raises EngineRefused, and EngineSilent for anything else: no answer and no list are not an empty list.
        """
        found = self.object(target, under)[under] if under else self.ask("GET", target)
        if not isinstance(found, list):
            raise EngineSilent(_NO_ENGINE)
        return [_object(item, needed) for item in found]

    def download(self, target: str, *, first: float | None = None) -> Exchange:
        """Return an exchange from which the answer is read. first: seconds until its first byte."""
        # To HTTP/1.0 an engine answers without chunks; the archive itself tells whether that was the end.
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

    def run(self, container: str, command: Sequence[str]) -> Exchange:
        """Begin a command in a running container, and return its input and output."""
        body = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
        made = self.object(f"/containers/{container}/exec", "Id", method="POST", body=body)
        data = json.dumps({"Detach": False, "Tty": False})
        more = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        with self._begun() as exchange:
            exchange.send(exchange.head("POST", f"/exec/{made['Id']}/start", more) + data.encode())
            exchange.answer()
        return exchange

    @contextlib.contextmanager
    def _begun(self, seconds: float | None = None) -> Iterator[Exchange]:
        """Open an exchange that outlives the block, unless the block fails."""
        if self.ended:
            raise EngineSilent("this run is being stopped")
        exchange = Exchange(self, seconds)
        try:
            yield exchange
        except BaseException:
            exchange.close()
            raise


class Exchange:
    """One connection with one request. Every wait is bounded: Silent says for how long nothing came."""

    def __init__(self, api: EngineApi, seconds: float | None = None) -> None:
        self.api = api
        self.seconds = api.seconds if seconds is None else seconds
        self.buffer = bytearray()
        # How much of the answer, or of its chunk, has not come; None: it ends where the engine hangs up.
        self.left: int | None = None
        self.chunked = self.heard = False
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

    def write(self, data: bytes | memoryview) -> None:
        """Send a piece of an uploaded archive. Raises EngineRefused where the engine has answered instead of taking it."""
        try:
            if data:
                self.send(f"{len(data):x}\r\n".encode())
                self.send(data)
                self.send(b"\r\n")
        except EngineSilent as silent:
            with contextlib.suppress(EngineSilent):
                self.answer()
                raise EngineRefused(0, self.rest().strip() or str(silent)) from silent
            raise

    def finish(self) -> str:
        """End an upload and return the answer to it. Raises EngineRefused."""
        self.send(b"0\r\n\r\n")
        self.answer()
        return self.rest()

    def no_more(self) -> None:
        """End the input of a command; its output continues."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise _silent(error, self.seconds) from error

    def answer(self) -> None:
        """Read the head of the answer. Raises EngineRefused for any but a success."""
        first, *lines = self._until(b"\r\n\r\n").split(b"\r\n")
        fields = {name.strip().lower(): value.strip().lower() for name, _colon, value in (line.partition(b":") for line in lines)}
        try:
            status = int(first.split()[1])
        except (ValueError, IndexError):
            raise EngineSilent(_NO_ENGINE) from None
        length = fields.get(b"content-length")
        self.left = 0 if status in _WITHOUT_CONTENT else None if length is None else _size(length, 10)
        self.chunked = self.left is None and fields.get(b"transfer-encoding") == b"chunked"
        if status >= _REFUSALS:
            raise EngineRefused(status, _reason(self.rest(), str(status)))

    def rest(self) -> str:
        """Return the whole answer as text: a few words, or a list. Raises EngineSilent for a part of it."""
        found = bytearray()
        while piece := self.read(PIECE):
            found += piece
            if len(found) > _LONGEST_ANSWER:
                raise EngineSilent("its answer never ends")
        return found.decode(errors="replace")

    def read(self, most: int) -> bytes:
        """Return the next bytes of the answer; none at its end. Raises EngineSilent where it ends before its end."""
        if self.chunked and not self.left:
            self._next_chunk()
        if self.left is None:
            return self._receive(most)
        piece = self._receive(min(most, self.left)) if self.left else b""
        if self.left and not piece:
            raise EngineSilent(_CUT)
        self.left -= len(piece)
        if self.chunked and not self.left:
            self._until(b"\r\n")
        return piece

    def _next_chunk(self) -> None:
        self.left = _size(self._until(b"\r\n").partition(b";")[0], 16)
        if not self.left:
            self._until(b"\r\n")
            self.chunked = False

    def hang_up(self) -> None:
        """Wake the threads that wait in this exchange: nothing more will come."""
        _shut(self.socket)

    def _until(self, end: bytes) -> bytes:
        """Return what comes before an end, which is passed over."""
        while (at := self.buffer.find(end)) < 0:
            piece = self._arrive(PIECE)
            if not piece:
                raise EngineSilent(_CUT if self.heard else "it hung up")
            if len(self.buffer) > _LONGEST_HEAD:
                raise EngineSilent(_NO_ENGINE)
            self.buffer += piece
        found = bytes(self.buffer[:at])
        del self.buffer[: at + len(end)]
        return found

    def _receive(self, most: int) -> bytes:
        if not self.buffer:
            return self._arrive(most)
        piece = bytes(self.buffer[:most])
        del self.buffer[:most]
        return piece

    def _arrive(self, most: int) -> bytes:
        try:
            piece = self.socket.recv(most)
        except OSError as error:
            raise _silent(error, self.seconds) from error
        self.heard = self.heard or bool(piece)
        return piece


def _size(text: bytes, base: int) -> int:
    try:
        size = int(text, base)
    except ValueError:
        size = -1
    if size < 0:
        raise EngineSilent(_NO_ENGINE)
    return size


def _object(found: Any, needed: Iterable[str]) -> dict[str, Any]:
    if not isinstance(found, dict) or any(key not in found for key in needed):
        raise EngineSilent(_NO_ENGINE)
    return found


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _silent(error: OSError, seconds: float) -> EngineSilent:
    if isinstance(error, TimeoutError):
        return EngineSilent(f"nothing came for {seconds:g} s")
    if isinstance(error, FileNotFoundError):
        return EngineSilent("the socket does not exist", absent=True)
    return EngineSilent((error.strerror or str(error)).lower())


def _reason(text: str, status: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or f"status {status}"
