# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for QEMU's monitor (QMP): one client at a time, a greeting, and the few commands that a run uses.

tests/contract/machine/test_monitor.py holds it beside a real QEMU.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}


class Monitor:
    """The monitor of a machine with this status. full: its writes fail again as soon as it continues."""

    def __init__(self, path: Path, status: str, *, full: bool = False) -> None:
        self.path, self.status, self.full = path, status, full
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(5)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", encoding="utf-8") as talk, contextlib.suppress(OSError, ValueError):
                self._say(talk, _GREETING)
                for line in talk:
                    for answer in self._answers(json.loads(line)["execute"]):
                        self._say(talk, answer)

    def _answers(self, command: str) -> list[dict[str, Any]]:
        if command == "query-status":
            return [{"return": {"status": self.status, "running": self.status == "running"}}]
        if command == "cont":
            self.status = self.status if self.full else "running"
            return [{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESUME"}, {"return": {}}]
        if command == "stop":
            self.status = "paused"
            return [{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}, {"return": {}}]
        if command == "qmp_capabilities":
            return [{"return": {}}]
        return [{"error": {"class": "CommandNotFound", "desc": f"The command {command} has not been found"}}]

    @staticmethod
    def _say(talk: Any, message: dict[str, Any]) -> None:
        talk.write(json.dumps(message) + "\r\n")
        talk.flush()

    def close(self) -> None:
        """End it."""
        # A close alone does not end an accept that waits.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def monitor(path: Path, status: str, *, full: bool = False) -> Iterator[Monitor]:
    """A monitor inside the block."""
    served = Monitor(path, status, full=full)
    try:
        yield served
    finally:
        served.close()
