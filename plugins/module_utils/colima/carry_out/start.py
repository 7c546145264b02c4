# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts: one with the repairs that a failure may call for, and several as far side by side as colima's races allow.

Each repair is tried at most once, and none of them deletes anything. Until Lima counts a VM as running, the start of another one
may delete the network under it, and two first downloads of one image spoil each other: so each start waits until the one before
it is past that. Setting Kubernetes up is another such phase: k3s is downloaded, and at the very end the kubeconfig is written
under a lock of kubectl that does not wait. So of the profiles that do this, each waits for the end of the one before; a VM that
only starts its k3s again does neither, and waits for none.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from ...colima_paths import Name
from ...core.errors import CommandFailed, TimedOut, WorkstationError
from ..client.failures import REPAIR_TEXTS, StartRepair, explained, hint_for, repair_for
from ..client.programs import Colima
from ..model.spec import TimeLimits
from .progress import Progress, is_past_race

# (past_race, on_start) -> None; calls past_race when the next one may begin, on_start with each process id.
Job = Callable[[Callable[[], None], Callable[[int], None]], None]


def start(
    colima: Colima,
    name: Name,
    limits: TimeLimits,
    progress: Progress,
    *,
    past_race: Callable[[], None],
    on_start: Callable[[int], None],
) -> list[str]:
    """Start a profile. Returns the repairs that were needed; raises what could not be repaired, with Lima's own log."""

    def on_line(_channel: str, line: str) -> None:
        progress.line(str(name), line)
        if is_past_race(line):
            past_race()

    tried: list[StartRepair] = []
    while True:
        progress.say(str(name), "starting")
        began = time.time()
        try:
            with progress.downloads(str(name), colima.paths.downloads):
                colima.start(name, limits.timeout, limits.stall, on_line, on_start=on_start)
            return [f"{REPAIR_TEXTS[repair]} of profile '{name}'" for repair in tried]
        except TimedOut as error:
            progress.say(str(name), "timed out", done=True)
            raise _timed_out(colima, name, error) from error
        except CommandFailed as error:
            repair = repair_for(_printed_by(error), colima.host_agent_tail(name, since=began))
            if repair is StartRepair.FORCE_STOP and _status(colima, name) == "Running":
                # Another program may have started it at the same moment.
                repair = None
            if repair is None or repair in tried:
                progress.say(str(name), "failed", done=True)
                raise _failed(colima, name, error) from error
            tried.append(repair)
            progress.say(str(name), REPAIR_TEXTS[repair])
            _repair(colima, name, repair, limits)


def _printed_by(error: CommandFailed) -> str:
    return f"{error.context.get('stdout', '')}\n{error.context.get('stderr', '')}"


def _repair(colima: Colima, name: Name, repair: StartRepair, limits: TimeLimits) -> None:
    try:
        if repair is StartRepair.UNLOCK_DISK:
            colima.unlock_disk(name)
        else:
            colima.stop(name, limits.stop, force=repair is StartRepair.FORCE_STOP)
    except CommandFailed as error:
        raise explained(error, f"repair profile '{name}'") from error


def _status(colima: Colima, name: Name) -> str:
    """Return what Lima calls the VM."""
    try:
        return next((row.status for row in colima.rows() if row.name == name.name), "") or "not there"
    except CommandFailed:
        return "unknown"


def _failed(colima: Colima, name: Name, error: CommandFailed) -> CommandFailed:
    log = colima.host_agent_tail(name)
    return CommandFailed(
        error.what, error.reason, f"{hint_for(_printed_by(error), name, log)}.", **{**error.context, "ha_log": log}
    )


def _timed_out(colima: Colima, name: Name, error: TimedOut) -> TimedOut:
    """A time-out means that the state is unknown: say what Lima sees, and leave everything in place."""
    status = _status(colima, name)
    context = {**error.context, "ha_log": colima.host_agent_tail(name)}
    reason = f"{error.reason.rstrip('.')}; Lima now calls the VM {status.lower()}"
    return TimedOut(error.what, reason, "Nothing was deleted, and the next run repairs it.", **context)


class _StaggeredJob:
    """A job in a thread of its own, which begins when other jobs are past their races."""

    def __init__(self, name: Name, job: Job, waits: Sequence[threading.Event]) -> None:
        self.name, self.job, self.waits = str(name), job, waits
        self.past_race, self.ended = threading.Event(), threading.Event()
        self.failure: BaseException | None = None

    def begin(self, processes: set[int], stopping: threading.Event) -> None:
        """Begin, and return at once."""
        threading.Thread(target=self._run, args=(processes, stopping), daemon=True).start()

    def _run(self, processes: set[int], stopping: threading.Event) -> None:
        try:
            for event in self.waits:
                event.wait()
            if not stopping.is_set():
                self.job(self.past_race.set, processes.add)
        except BaseException as error:
            self.failure = error
        finally:
            self.past_race.set()
            self.ended.set()


def run_staggered(jobs: Sequence[tuple[Name, bool, Job]]) -> None:
    """Run (name, sets Kubernetes up, job) in this order, overlapped. When all have ended, raises their failures as one."""
    gate, kubernetes = _passed(), _passed()
    staggered: list[_StaggeredJob] = []
    for name, sets_up, job in jobs:
        entry = _StaggeredJob(name, job, (gate, kubernetes) if sets_up else (gate,))
        gate = entry.past_race
        kubernetes = entry.ended if sets_up else kubernetes
        staggered.append(entry)
    _watch(staggered)
    failures = {job.name: job.failure for job in staggered if job.failure is not None}
    if failures:
        raise _as_one(failures)


def _as_one(failures: Mapping[str, BaseException]) -> BaseException:
    """Return one failure that names all; any other failure than that of a start goes first."""
    known = {name: error for name, error in failures.items() if isinstance(error, WorkstationError)}
    first = next((error for name, error in failures.items() if name not in known), next(iter(failures.values())))
    if len(known) < 2 or not isinstance(first, WorkstationError):
        return first
    logs = {name: error.context.get("ha_log") for name, error in known.items()}
    shown = "\n".join(f"{name}:\n{log}" for name, log in logs.items() if log)
    context = {**first.context, **({"ha_log": shown} if shown else {})}
    return CommandFailed(" ".join(dict.fromkeys(error.message for error in known.values())), **context)


def _passed() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def _watch(jobs: Sequence[_StaggeredJob]) -> None:
    """Begin the jobs and wait for them; when this process has to end, end their processes gently first."""
    processes, stopping = set[int](), threading.Event()
    for job in jobs:
        job.begin(processes, stopping)
    try:
        for job in jobs:
            # Not a join: a signal that interrupts it makes Python take the thread for dead.
            while not job.ended.wait(0.2):
                pass
    except BaseException:
        stopping.set()
        for pid in list(processes):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGTERM)
        for job in jobs:
            job.ended.wait(12.0)
        raise
