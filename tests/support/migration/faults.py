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

from tests.support.test_runs import fault_rows

from .engines import Engines

_RUN = """
import sys
from pathlib import Path
from tests.support.migration.engines import Engines
from rehearsal.services.dockerd import Dockerd
engines = Engines(*(Dockerd(Path(place)) for place in sys.argv[1:3]))
engines.move(parallel=2)
"""


class Killed(BaseException):
    """What SIGKILL is to the code that it ends: nothing of it happens any more."""


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
        fault_rows.killed(signal.Signals(number).name)
        return True
    assert process.returncode == 0
    return False


@contextmanager
def relayed(path: Path, engine: Path, before: Callable[[bytes, bool], object]) -> Iterator[None]:
    """Listen at a path for an engine. before: gets each piece before it is passed on, and whether it goes to the engine."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)

    def pass_on(one: socket.socket, other: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                before(data, asks)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(str(engine))
                for one, other, asks in ((client, behind, True), (behind, client, False)):
                    threading.Thread(target=pass_on, args=(one, other, asks), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.close()
        path.unlink()


@contextmanager
def stalling(path: Path, engine: Path, after: int) -> Iterator[threading.Event]:
    """Listen at a path for an engine, and pass on so many bytes of its answers; then nothing, until the event is set."""
    goes_on, left = threading.Event(), [after]

    def stall(data: bytes, asks: bool) -> None:
        left[0] -= 0 if asks else len(data)
        while left[0] < 0 and not goes_on.wait(0.05):
            pass

    with relayed(path, engine, stall):
        try:
            yield goes_on
        finally:
            goes_on.set()


@contextmanager
def meanwhile(path: Path, engine: Path, word: bytes, act: Callable[[], object]) -> Iterator[None]:
    """Listen at a path for an engine, and act once, before the first request or command with a word in it is passed on."""
    acted = threading.Lock()

    def look(data: bytes, asks: bool) -> None:
        if asks and word in data and acted.acquire(blocking=False):
            act()

    with relayed(path, engine, look):
        yield
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
