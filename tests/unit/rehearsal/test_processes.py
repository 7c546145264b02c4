# SPDX-License-Identifier: GPL-3.0-or-later
"""When a process of the lab counts as gone, and who gets which port."""

from __future__ import annotations

import itertools
import platform
import secrets
import socket
import sys
import time
from pathlib import Path

import pytest

from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import free_port

# The system's own exit, which ends one thread and not the process.
EXIT = {"x86_64": 60, "aarch64": 93}
LINGERS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall({number}, 0)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in EXIT, reason="threads are ended by a call of Linux")
def test_a_process_runs_while_any_of_its_threads_does(tmp_path: Path) -> None:
    daemon = Daemon("lingers", tmp_path)
    daemon.spawn([sys.executable, "-c", LINGERS.format(number=EXIT[platform.machine()])])
    pid = daemon.pid
    stat = Path(f"/proc/{pid}/stat")
    end = time.monotonic() + 20
    while stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)
    assert daemon.pid == pid
    daemon.kill()
    assert daemon.pid is None and not stat.exists()


def test_a_port_is_given_once_and_its_server_may_listen_there(monkeypatch: pytest.MonkeyPatch) -> None:
    given = free_port()
    numbers = itertools.chain([given - 20000], map(secrets.randbelow, itertools.repeat(12000)))
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(numbers))
    assert free_port() != given
    socket.create_server(("127.0.0.1", given)).close()
