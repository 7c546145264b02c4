# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of a container: what its frames hold, however the bytes are cut on their way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import EngineSilent
from ansible_collections.laptop.containers.plugins.module_utils.docker.frames import frames
from ansible_collections.laptop.containers.plugins.module_utils.docker.stream import EngineApi, Exchange

FRAMES = [(False, b"one"), (True, b"wrong"), (False, b""), (False, b"x" * 700), (True, b".")]
SENT = b"".join(bytes([1 + wrong, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for wrong, data in FRAMES)


@pytest.fixture
def ends(short_path: Path) -> Iterator[tuple[Exchange, socket.socket]]:
    """An exchange, and the engine's end of it."""
    path = short_path / "frames.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        with Exchange(EngineApi(str(path), 0.2)) as exchange, listener.accept()[0] as engine:
            yield exchange, engine
    path.unlink()


def outputs(exchange: Exchange) -> tuple[bytes, bytes]:
    """Return the whole output, and the whole error output."""
    found = {False: bytearray(), True: bytearray()}
    for wrong, piece in frames(exchange, forever=True):
        found[wrong] += piece
    return bytes(found[False]), bytes(found[True])


@pytest.mark.parametrize("size", [1, 3, 8, 11, 100, len(SENT)])
def test_outputs_are_written_apart_however_they_are_cut(ends: tuple[Exchange, socket.socket], size: int) -> None:
    exchange, engine = ends

    def send() -> None:
        for at in range(0, len(SENT), size):
            engine.sendall(SENT[at : at + size])
        engine.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    written = outputs(exchange)
    sender.join()
    assert written == tuple(b"".join(data for wrong, data in FRAMES if wrong == which) for which in (False, True))


def test_silence_ends_only_who_does_not_wait_for_ever(ends: tuple[Exchange, socket.socket]) -> None:
    exchange, engine = ends
    engine.sendall(SENT[:11])
    some = frames(exchange)
    assert bytes(next(some)[1]) == b"one"
    with pytest.raises(EngineSilent, match=r"nothing came for 0\.2 s"):
        next(some)
    found = list[bytes]()
    listener = threading.Thread(target=lambda: found.extend(bytes(piece) for _wrong, piece in frames(exchange, forever=True)))
    listener.start()
    # Longer than the exchange's own patience.
    listener.join(1.0)
    assert listener.is_alive()
    exchange.hang_up()
    listener.join(60)
    assert not listener.is_alive() and found == []
