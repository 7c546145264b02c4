# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong during a move: the run is killed, a socket stalls, an engine dies, the target's disk is full."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .engines import Engines

_RUN = """
import sys
from pathlib import Path
from tests.support.migration.engines import Engines
from rehearsal.services.dockerd import Dockerd
engines = Engines(*(Dockerd(Path(place)) for place in sys.argv[1:3]))
engines.move(parallel=2)
"""


def killed_after(engines: Engines, seconds: float, number: int = signal.SIGKILL) -> bool:
    """Run a move in a process of its own, and send it a signal. Returns False where it was faster."""
    places = [str(engine.directory) for engine in (engines.source, engines.target)]
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, *places], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, start_new_session=True
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, number)
        process.wait(30)
        return True
    assert process.returncode == 0
    return False


@contextmanager
def stalling(path: Path, engine: Path, after: int) -> Iterator[threading.Event]:
    """Listen at a path for an engine, and pass on so many bytes of its answers; then nothing, until the event is set."""
    goes_on = threading.Event()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    left = [after]

    def pass_on(one: socket.socket, other: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                left[0] -= len(data) if counted else 0
                while left[0] < 0 and not goes_on.wait(0.05):
                    pass
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(str(engine))
                for one, other, counted in ((client, behind, False), (behind, client, True)):
                    threading.Thread(target=pass_on, args=(one, other, counted), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield goes_on
    finally:
        goes_on.set()
        listener.close()
        path.unlink()


@contextmanager
def meanwhile(path: Path, engine: Path, word: bytes, act: Callable[[], object]) -> Iterator[None]:
    """Listen at a path for an engine, and act once, before the first request or command with a word in it is passed on."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    acted = threading.Lock()

    def pass_on(one: socket.socket, other: socket.socket, looks: bool) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 18):
                if looks and word in data and acted.acquire(blocking=False):
                    act()
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(str(engine))
                for one, other, looks in ((client, behind, True), (behind, client, False)):
                    threading.Thread(target=pass_on, args=(one, other, looks), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.close()
        path.unlink()
    assert acted.locked(), f"nothing with {word!r} in it has passed"


@contextmanager
def small_disk(place: Path, mib: int) -> Iterator[Path]:
    """Mount a file system of this size."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        for _attempt in range(50):
            if subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)


def enlarge(place: Path, mib: int) -> None:
    """Give a mounted file system more room."""
    subprocess.run(["mount", "-o", f"remount,size={mib}m", place], check=True)
