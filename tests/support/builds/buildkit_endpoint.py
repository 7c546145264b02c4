# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket that answers as buildkitd does as far as a builder of the driver remote is asked whether it is alive."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def answering(path: Path) -> Iterator[None]:
    """Answer at a socket, whose path must be short enough for its address, inside the block."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(50)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=_answer, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            path.unlink()


def _answer(client: socket.socket) -> None:
    with client, contextlib.suppress(OSError):
        client.recv(1024)
        client.sendall(b"\0" * 9)
