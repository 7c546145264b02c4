# SPDX-License-Identifier: GPL-3.0-or-later
"""Start several VMs as far side by side as colima's races allow.

Until Lima counts a VM as running, the start of another one may delete the network under it, and two first downloads of one
image spoil each other: so each start waits until the one before it is past that. Setting Kubernetes up is another such phase:
k3s is downloaded, and at the very end the kubeconfig is written under a lock of kubectl's that does not wait. So of the profiles
that do this, each waits for the end of the one before; a VM that only starts its k3s again does neither, and waits for nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence

from ...colima_paths import Name
from ...core.errors import CommandFailed, WorkstationError

# (past_race, on_start) -> None; calls past_race when the next one may begin, on_start with each process id.
Job = Callable[[Callable[[], None], Callable[[int], None]], None]


def run_staggered(jobs: Sequence[tuple[Name, bool, Job]]) -> None:
    """Run (name, sets Kubernetes up, job) in this order, overlapped. When all have ended, raises their failures as one."""
    failures: dict[str, BaseException] = {}
    processes: set[int] = set()
    stopping = threading.Event()
    gate, kubernetes = _passed(), _passed()
    threads: list[tuple[threading.Thread, threading.Event]] = []
    for name, sets_up, job in jobs:
        past, ended = threading.Event(), threading.Event()

        def run(
            name: Name = name,
            job: Job = job,
            waits: tuple[threading.Event, ...] = (gate, kubernetes) if sets_up else (gate,),
            past: threading.Event = past,
            ended: threading.Event = ended,
        ) -> None:
            try:
                for event in waits:
                    event.wait()
                if not stopping.is_set():
                    job(past.set, processes.add)
            except BaseException as error:
                failures[str(name)] = error
            finally:
                past.set()
                ended.set()

        gate = past
        kubernetes = ended if sets_up else kubernetes
        threads.append((threading.Thread(target=run, daemon=True), ended))
    _watch(threads, processes, stopping)
    if failures:
        raise _as_one(failures)


def _as_one(failures: Mapping[str, BaseException]) -> BaseException:
    """Return one failure that tells of all; what is no failure of a start goes first."""
    known = {name: error for name, error in failures.items() if isinstance(error, WorkstationError)}
    first = next((error for name, error in failures.items() if name not in known), next(iter(failures.values())))
    if len(known) < 2 or not isinstance(first, WorkstationError):
        return first
    logs = {name: error.context.get("ha_log") for name, error in known.items()}
    told = "\n".join(f"{name}:\n{log}" for name, log in logs.items() if log)
    context = {**first.context, **({"ha_log": told} if told else {})}
    return CommandFailed(" ".join(dict.fromkeys(error.message for error in known.values())), **context)


def _passed() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def _watch(threads: Sequence[tuple[threading.Thread, threading.Event]], processes: set[int], stopping: threading.Event) -> None:
    """Wait for the threads; when this process is told to end, end their processes gently first."""
    for thread, _ended in threads:
        thread.start()
    try:
        for _thread, ended in threads:
            # Not a join: one that a signal interrupts takes its thread for dead.
            while not ended.wait(0.2):
                pass
    except BaseException:
        stopping.set()
        for pid in list(processes):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGTERM)
        for _thread, ended in threads:
            ended.wait(12.0)
        raise
