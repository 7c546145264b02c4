# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and ports of this machine, on Linux and macOS."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class LabError(Exception):
    """A failure of the rehearsal; the text is for the user."""


def free_port() -> int:
    """Return a TCP port of the loopback that was free a moment ago and stays reserved for at least half a minute.

    It is below those for outgoing connections, so that none of them takes the port while a server restarts.
    """
    while True:
        port = 20000 + secrets.randbelow(12000)
        with socket.socket() as door, contextlib.suppress(OSError):
            door.bind(("127.0.0.1", port))
            _reserve(door)
            return port


def _reserve(door: socket.socket) -> None:
    """Leave a port as after a connection that its server closed: a server may listen there, but bind() without options fails.

    Other labs look for ports at the same time, and the server that gets this one needs seconds to start.
    """
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.listen()
    with socket.create_connection(door.getsockname()) as guest:
        door.accept()[0].close()
        guest.recv(1)


def birth(pid: int) -> str | None:
    """Return when the process started, in the system's own unit. Returns None when it has ended, also as a zombie."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        # After a kill the first thread can end before the others, which still hold the sockets.
        threads = int(fields[17])
        return None if fields[0] == "X" or (fields[0] == "Z" and threads <= 1) else fields[19]
    done = subprocess.run(["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-ax", "-o", "pid=", "-o", "ppid="], capture_output=True, text=True, check=False).stdout
        return [int(child) for child, parent in map(str.split, listed.splitlines()) if int(parent) == pid]
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process, empty when it has ended."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def processes() -> dict[int, str]:
    """Return every process of this machine: id -> command line."""
    if sys.platform == "linux":
        pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
        return {pid: command for pid in pids if (command := command_of(pid))}
    listed = subprocess.run(["ps", "-ax", "-o", "pid=", "-o", "command="], capture_output=True, text=True, check=False).stdout
    rows = [line.strip().partition(" ") for line in listed.splitlines()]
    return {int(pid): command for pid, _, command in rows}


def comes_true(what: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds. Returns False when it did not in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def end_tree(process: subprocess.Popen[str], seconds: float) -> None:
    """End a process and all below it, which would otherwise continue, with SIGTERM and then SIGKILL."""
    tree = [process.pid]
    for pid in tree:
        tree.extend(children(pid))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        comes_true(lambda: not any(birth(pid) for pid in tree), seconds)
