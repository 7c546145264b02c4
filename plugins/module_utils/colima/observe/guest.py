# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running VM says of itself: what colima finds in it, whether it answers, and whether its engine does.

Only a clear sign counts against it. An engine that is slow, or a socket that is not there, proves nothing; a socket on which
no process listens, or that closes without a word, does when it stays so.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ...colima_paths import Name
from ...core.errors import WorkstationError
from ...core.system.together import together
from ..client.machine import stands_still
from ..client.programs import Colima
from ..model.state import Standstill
from .liveness import GREETINGS, greet, liveness_of

_INSIDE = {"containerd": ("sudo", "nerdctl", "info"), "incus": ("sudo", "incus", "list", "--format", "json")}


@dataclass(frozen=True)
class GuestState:
    """live: what colima found in the VM, nothing if its set-up never finished; reached: the VM answered at all.

    k3s: the kubeconfig of the k3s in it, if the user's entry had to be compared with it and it could be read.
    still, machine: why it stands still, and its process; lost_socket: the path of the engine's socket that is gone.
    """

    live: Mapping[str, Any] = field(default_factory=dict)
    reached: bool = True
    dead_engine: str = ""
    k3s: Mapping[str, Any] = field(default_factory=dict, repr=False)
    still: Standstill | None = None
    machine: int = 0
    lost_socket: str = ""


def read_guest(colima: Colima, name: Name, entry: Mapping[str, Any] | None) -> GuestState:
    """Look at a VM that runs, or seems to, and ask in it what that leaves open. entry: as in liveness_of()."""
    seen = liveness_of(colima.paths, name, entry)
    if seen.live:
        return GuestState(seen.live)
    # What stands still, or takes a word and never answers, is not asked more: each question would cost its whole time limit.
    still, machine = stands_still(colima.paths.instance(name))
    if still is not None or colima.hangs(name):
        return GuestState(reached=False, still=still, machine=machine)
    # An entry that was compared is compared again: the server that it names did not answer.
    k3s = partial(_k3s, colima, name) if entry is None or entry else dict
    answers = together({"guest": partial(_ask, colima, name, seen.slow), "k3s": k3s})
    guest: GuestState = answers["guest"]
    return replace(guest, k3s=answers["k3s"], machine=machine)


def _k3s(colima: Colima, name: Name) -> dict[str, Any]:
    """Return the kubeconfig of a VM's k3s; empty where it has none, or does not tell."""
    with contextlib.suppress(WorkstationError):
        return colima.kubeconfig(name)
    return {}


def _ask(colima: Colima, name: Name, slow: bool) -> GuestState:
    live = colima.status(name)
    if not live:
        if not colima.answers(name):
            return GuestState(reached=False)
        # It does answer: was that one question lost, or did its set-up never finish?
        live = colima.status(name)
    # A slow engine is not dead, and to greet it once more would only take as long again.
    dead = "" if slow else why_dead(live, partial(_denies, colima, name), colima.pauses)
    return GuestState(live, dead_engine=dead, lost_socket="" if dead else lost_socket(live))


def lost_socket(live: Mapping[str, Any]) -> str:
    """Return the path of the engine's socket on the laptop if nothing is there; empty where it is there, or there is none."""
    path = _socket_of(live)
    return path if path and not Path(path).exists() else ""


def _socket_of(live: Mapping[str, Any]) -> str:
    return str(live.get(f"{live.get('runtime') or ''}_socket") or "").removeprefix("unix://")


def _denies(colima: Colima, name: Name, runtime: str) -> bool:
    """Whether the VM itself says that its engine is dead.

    docker is of no use without its socket on the laptop; the others' may be closed to the user by their own settings.
    """
    question = _INSIDE.get(runtime)
    return question is None or (not colima.answers(name, *question) and colima.answers(name))


def why_dead(live: Mapping[str, Any], denies: Callable[[str], bool] = lambda _: True, pauses: Sequence[float] = ()) -> str:
    """Return how the engine shows that it is dead; empty when it answers, or when that can't be told.

    denies: whether the VM says so too; asked after a symptom only.
    """
    runtime = str(live.get("runtime") or "")
    path = _socket_of(live)
    greeting = GREETINGS.get(runtime)
    if not path or greeting is None:
        return ""
    for pause in (*pauses, 0.0):
        symptom = _symptom(path, greeting)
        if not symptom or not denies(runtime):
            return ""
        time.sleep(pause)
    return f"{runtime} does not answer in it: {symptom}"


def _symptom(path: str, greeting: bytes) -> str:
    try:
        return "" if greet(path, greeting) else "its socket closes at once"
    except ConnectionRefusedError:
        return "no process listens on its socket"
    except (BrokenPipeError, ConnectionResetError):
        return "its socket closes at once"
    except OSError:
        return ""
