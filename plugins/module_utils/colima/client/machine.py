# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that stands for a VM's machine: whether it works, by the system's word and by QEMU's own (QMP). Asks no guest.

A VM that stands still takes connections and never answers: asked in it, each question costs its whole time limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...core.errors import CommandFailed
from ...core.system.files import text_of
from ...core.system.processes import command_of, is_stopped
from ..model.answers import parse_pid
from ..model.state import Standstill

# QEMU answers in milliseconds, or not at all.
SECONDS = 1.0
# Its words for a machine that stands still, and waits for "cont".
_STILL = {"paused": Standstill.PAUSED, "suspended": Standstill.PAUSED, "io-error": Standstill.FAILED_WRITE}
_WAIT_SECONDS = 3.0
_LONGEST = 64 * 1024


def process_of(directory: Path) -> int:
    """Return the process of a VM's machine, whatever became of its host agent; 0 if there is none. A number proves nothing."""
    # Lima follows links in its own paths: a Mac's /tmp, for example, is one.
    directory = directory.resolve()
    numbers = (parse_pid(text_of(file) or "") for file in sorted(directory.glob("*.pid")) if file.name != "ha.pid")
    return next((pid for pid in numbers if pid and f"{directory}/" in " ".join(command_of(pid))), 0)


def stands_still(directory: Path) -> tuple[Standstill | None, int]:
    """Return why the VM of an instance directory stands still, and the process to continue; None where no sign of it is clear."""
    agent = parse_pid(text_of(directory / "ha.pid") or "") or 0
    pids = [pid for pid in (process_of(directory), agent) if pid]
    stopped = next((pid for pid in pids if is_stopped(pid)), 0)
    if stopped:
        return Standstill.FROZEN, stopped
    with contextlib.suppress(OSError, ValueError):
        answer = _qmp(directory / "qmp.sock", "query-status")
        return _STILL.get(str(answer.get("status"))), next(iter(pids), 0)
    return None, next(iter(pids), 0)


def go_on(directory: Path, name: str) -> None:
    """Let a VM that stands still go on. Raises CommandFailed where it stands still again at once."""
    what = f"continue the VM of profile '{name}'"
    still, _pid = stands_still(directory)
    for _part in range(2):
        # The machine and the host agent may both be stopped.
        if still is Standstill.FROZEN:
            os.kill(_pid, signal.SIGCONT)
            time.sleep(0.1)
            still, _pid = stands_still(directory)
    if still is not None:
        try:
            _qmp(directory / "qmp.sock", "cont")
        except (OSError, ValueError) as error:
            raise CommandFailed(
                what,
                f"QEMU did not take the command: {error}",
                "Run playbooks/stop.yml -e colima_stop=always, then playbooks/start.yml.",
            ) from error
    end = time.monotonic() + _WAIT_SECONDS
    while (still := stands_still(directory)[0]) is not None and time.monotonic() < end:
        time.sleep(0.2)
    if still is Standstill.FAILED_WRITE:
        raise CommandFailed(what, f"{still} again", "Free some disk space on the laptop, and run again.")
    if still is not None:
        raise CommandFailed(what, f"{still} again", "Find out which program stops it, and run again.")


def _qmp(path: Path, command: str) -> dict[str, Any]:
    """Return QEMU's answer to a command. Raises OSError where it says nothing in time, ValueError for what is not QMP."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(str(path))
        messages = _messages(connection)
        if "QMP" not in next(messages):
            raise ValueError("it is not QEMU that answers")
        found: dict[str, Any] = {}
        for asked in ("qmp_capabilities", command):
            connection.sendall(json.dumps({"execute": asked}).encode() + b"\n")
            # Events may come before the answer.
            answer = next(message for message in messages if "return" in message or "error" in message)
            if "error" in answer:
                raise ValueError(str((answer["error"] or {}).get("desc") or "it refused"))
            found = answer["return"] if isinstance(answer["return"], dict) else {}
        return found


def _messages(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield each line as a message; an end of the connection, or too long a line, is an error."""
    buffer = b""
    while len(buffer) < _LONGEST:
        line, end, rest = buffer.partition(b"\n")
        if end:
            buffer = rest
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("it is not QEMU that answers")
            yield message
        elif piece := connection.recv(4096):
            buffer += piece
        else:
            raise ConnectionResetError("it closed the connection")
    raise ValueError("it is not QEMU that answers")
