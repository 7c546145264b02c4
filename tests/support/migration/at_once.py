# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's connections to stand-in engines of this process, answered in the client's own thread.

Behind a socket each side waits for the other's thread, which takes most of the time of a small answer.
"""

from __future__ import annotations

import io
import os
import re
import socket
import threading
from collections.abc import Mapping
from typing import Any

from rehearsal.standin.docker_engine.server import UPGRADED, Server, ran
from rehearsal.standin.docker_engine.state import Refusal

_SHELL = re.compile(rb"POST \S+/exec/([^/]+)/start HTTP")


class Sockets:
    """What a module has as "socket". servers: the engines, by the paths of their sockets."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self.servers = servers

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)

    def socket(self, *_kind: object) -> Connection:
        """Return a connection that is not open yet."""
        return Connection(self.servers)


class Connection:
    """The client's end of one connection. It becomes a shell's once that is asked for."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self.servers, self.asked, self.answered = servers, bytearray(), bytearray()
        self.shell: _Shell | None = None
        self.ended = False

    def settimeout(self, seconds: float | None) -> None:
        """Nothing is waited for but a shell that someone else ends."""

    def connect(self, path: str) -> None:
        self.server = self.servers[path]

    def send(self, data: memoryview) -> int:
        """Take a part of a request, or of what a shell gets."""
        if self.ended:
            raise BrokenPipeError(32, "Broken pipe")
        if self.shell:
            self.shell.take(data)
        else:
            self.asked += data
        return len(data)

    def recv(self, most: int) -> bytes:
        """Return what comes next. A request is complete once someone waits for its answer."""
        if self.shell:
            return self.shell.give(most)
        if self.asked and not self.ended:
            asked = bytes(self.asked)
            self.asked.clear()
            if begun := _SHELL.match(asked):
                self.shell = _Shell(self.server, begun[1].decode())
                return UPGRADED
            self.server.RequestHandlerClass(_Request(asked, self.answered), "", self.server)
        piece = bytes(self.answered[:most])
        del self.answered[:most]
        return piece

    def fileno(self) -> int:
        """Return what the output of a shell is waited for with."""
        assert self.shell
        return self.shell.ready[0]

    def shutdown(self, how: int) -> None:
        if self.shell:
            self.shell.end(wholly=how != socket.SHUT_WR)
        self.ended = self.ended or how != socket.SHUT_WR

    def close(self) -> None:
        self.shutdown(socket.SHUT_RDWR)
        if self.shell:
            self.shell.close()


class _Request:
    """The engine's end: a whole request, and where its answer goes."""

    def __init__(self, asked: bytes, answered: bytearray) -> None:
        self.asked, self.answered = asked, answered

    def makefile(self, _mode: str, _size: int) -> io.BytesIO:
        return io.BytesIO(self.asked)

    def sendall(self, data: bytes) -> None:
        self.answered += data


class _Shell:
    """A shell in a container: each command is run as soon as all of its input is there. ready: a pipe with a byte in it while
    there is something to read.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.container = server, server.shells.containers[name]
        self.input, self.output = bytearray(), bytearray()
        self.whole = self.ended = self.closed = False
        self.changed, self.ready = threading.Condition(), os.pipe()

    def take(self, data: memoryview) -> None:
        """Take a part of commands and their input."""
        self.input += data
        self._run()

    def _run(self) -> None:
        while not self.ended and (end := self.input.find(b"\n")) >= 0:
            mark, size, command = bytes(self.input[: end + 1]).split(None, 2)
            last = len(self.input) if size == b"-" else end + 1 + int(size)
            if (size == b"-" and not self.whole) or len(self.input) < last:
                return
            stdin = bytes(self.input[end + 1 : last])
            del self.input[:last]
            try:
                answer = ran(self.server.state, self.container, mark, command, stdin)
            except Refusal:
                # The container is gone, and its shell with it.
                self._say(b"", last=True)
                return
            passes, self.server.shells.passes = self.server.shells.passes, None
            self._say(answer[:passes], last=passes is not None and passes < len(answer))

    def _say(self, data: bytes, *, last: bool) -> None:
        with self.changed:
            if not (self.output or self.ended or self.closed):
                os.write(self.ready[1], b".")
            self.output += data
            self.ended = self.ended or last
            self.changed.notify_all()

    def give(self, most: int) -> bytes:
        """Return what comes next; nothing at the end."""
        with self.changed:
            self.changed.wait_for(lambda: self.output or self.ended)
            piece = bytes(self.output[:most])
            del self.output[:most]
            if not self.output and not self.ended:
                os.read(self.ready[0], 1)
            return piece

    def end(self, *, wholly: bool) -> None:
        """End its input, or, wholly, itself."""
        self.whole = True
        if wholly:
            self._say(b"", last=True)
        else:
            self._run()
            self._say(b"", last=True)

    def close(self) -> None:
        with self.changed:
            if not self.closed:
                self.closed = True
                for one in self.ready:
                    os.close(one)

    # A run that is killed closes nothing; the system closes what no one holds any more.
    __del__ = close
