# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running VM says of itself: what colima finds in it, whether it answers, and whether its engine does.

Only a clear sign counts against it. An engine that is slow, or a socket that is not there, proves nothing; a socket on which
no process listens, or that closes without a word, does when it stays so.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...colima_paths import Name
from ..client.programs import Colima

# The engine's own socket on the laptop, as `colima status` names it, and what makes an engine say something.
_HTTP = b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"
_GRPC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_GREETINGS = {"docker": _HTTP, "containerd": _GRPC, "incus": _HTTP}
_INSIDE = {"containerd": ("sudo", "nerdctl", "info"), "incus": ("sudo", "incus", "list", "--format", "json")}
_SECONDS = 2.0


@dataclass(frozen=True)
class Said:
    """live: what colima found in the VM, nothing if its set-up never finished; reached: the VM answered at all."""

    live: Mapping[str, Any] = field(default_factory=dict)
    reached: bool = True
    dead_engine: str = ""


def ask(colima: Colima, name: Name) -> Said:
    """Ask a VM that runs, or seems to."""
    live = colima.status(name)
    if not live:
        if not colima.answers(name):
            return Said(reached=False)
        # It does answer: was that one question lost, or did its set-up never finish?
        live = colima.status(name)
    return Said(live, dead_engine=why_dead(live, partial(_denies, colima, name), colima.pauses))


def _denies(colima: Colima, name: Name, runtime: str) -> bool:
    """Whether the VM itself says that its engine is dead.

    docker is of no use without its socket on the laptop; the others' may be closed to the user by their own settings.
    """
    question = _INSIDE.get(runtime)
    return question is None or (not colima.answers(name, *question) and colima.answers(name))


def why_dead(live: Mapping[str, Any], denies: Callable[[str], bool] = lambda _: True, pauses: Sequence[float] = ()) -> str:
    """Return how the engine shows that it is dead; empty when it answers, or when that can't be told.

    denies: whether the VM says so too; asked after a sign only.
    """
    runtime = str(live.get("runtime") or "")
    path = str(live.get(f"{runtime}_socket") or "").removeprefix("unix://")
    greeting = _GREETINGS.get(runtime)
    if not path or greeting is None:
        return ""
    for pause in (*pauses, 0.0):
        sign = _sign_of_death(path, greeting)
        if not sign or not denies(runtime):
            return ""
        time.sleep(pause)
    return f"{runtime} does not answer in it: {sign}"


def _sign_of_death(path: str, greeting: bytes) -> str:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(path)
            connection.sendall(greeting)
            return "" if connection.recv(1) else "its socket closes at once"
    except ConnectionRefusedError:
        return "no process listens on its socket"
    except (BrokenPipeError, ConnectionResetError):
        return "its socket closes at once"
    except OSError:
        return ""
