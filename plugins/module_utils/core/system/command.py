# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that starts processes.

A Cli knows one tool: where it is, the environment that it gets, how long it may take. It knows nothing of what the tool
means. Arguments are lists, never a shell line, and never hold a secret: secrets go through stdin.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from ..errors import CommandFailed, TimedOut, ToolMissing

# Where Homebrew and system packages put programs. Ansible's non-login shells often lack the first two, and colima forgets
# kubeconfig entries and docker contexts when it can't find kubectl or docker.
USUAL_DIRECTORIES = (
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
)
GRACE_SECONDS = 10.0
_FOLLOW_SECONDS = 0.05
_WATCH_SECONDS = 1.0
_MOST_SAID = 1 << 20
# Bytes that a tool may print; far beyond what any answer has.
MOST_PRINTED = 64 << 20
# Ends a group of processes when the process that asks for it is gone, however it ended: then its side of the pipe is closed.
_WATCHER = """\
read -r group || exit
read -r word && [ "$word" = over ] && exit
kill -TERM "-$group" 2>/dev/null || exit
sleep "$1"
kill -KILL "-$group" 2>/dev/null
"""
# What ends with this run, also where another thread waits for it.
_guarded: set[subprocess.Popen[Any]] = set()


@dataclass(frozen=True)
class Output:
    """What a finished process left: its arguments, exit code and both channels as text."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


def complete_path(path: str) -> str:
    """Return PATH with the usual directories appended."""
    have = [part for part in path.split(os.pathsep) if part]
    return os.pathsep.join([*have, *(part for part in USUAL_DIRECTORIES if part not in have)])


@dataclass(frozen=True)
class _Limits:
    """What a process may take; None = no bound. timeout, stall: seconds for all of it, and between two lines. most: characters.

    probe: what changes as long as a silent one lives.
    """

    timeout: float | None
    stall: float | None
    most: int
    probe: Callable[[], object] | None

    def seconds_left(self, began: float, last_line: float) -> float:
        """Return how long to wait before its limits, or its output, are looked at."""
        now = time.monotonic()
        ends = (since + limit for since, limit in ((began, self.timeout), (last_line, self.stall)) if limit)
        return max(min((now + _WATCH_SECONDS, *ends)) - now, 0.0)


class Cli:
    """Run one tool.

    how_to_install is what to do where it is missing, by default as the system offers it. environment replaces the caller's
    variables key by key; a value of None takes the variable away.
    """

    def __init__(self, tool: str, how_to_install: str = "", environment: Mapping[str, str | None] | None = None) -> None:
        self.tool = tool
        self.how_to_install = how_to_install
        merged: dict[str, str | None] = {**os.environ, "LC_ALL": "C", **(environment or {})}
        self.environment = {key: value for key, value in merged.items() if value is not None}
        self.environment["PATH"] = complete_path(self.environment.get("PATH", ""))

    @property
    def path(self) -> str:
        """The absolute path of the tool. Raises ToolMissing."""
        found = shutil.which(self.tool, path=self.environment["PATH"])
        if found is None:
            raise ToolMissing(self.tool, remedy=self.how_to_install)
        return found

    @property
    def installed(self) -> bool:
        """Whether the tool is there."""
        return shutil.which(self.tool, path=self.environment["PATH"]) is not None

    def run(
        self,
        *args: str,
        stdin: str = "",
        check: bool = True,
        timeout: float | None = None,
        stall: float | None = None,
        on_line: Callable[[str, str], None] | None = None,
        environment: Mapping[str, str] | None = None,
        on_start: Callable[[int], None] | None = None,
        probe: Callable[[], object] | None = None,
        into: Path | None = None,
        most: int = MOST_PRINTED,
        guarded: bool = False,
        secret: bool = False,
    ) -> Output:
        """Run the tool to its end and return what it printed.

        timeout bounds the whole run, stall the silence between two lines (both in seconds, None = no bound). On either the
        process group gets SIGTERM, then SIGKILL after ten seconds, and TimedOut is raised. A tool that is silent is left alone
        while probe() keeps changing. on_line receives ("stdout" or "stderr", line) from reader threads as lines arrive, on_start
        the process id. With check, an exit code other than 0 raises CommandFailed. With into, the tool prints to into.out and
        into.err, so that it works on when this process is killed; else it would die of a broken pipe.
        most bounds what it prints, in characters. guarded: it ends when this process does, also by SIGKILL. secret: what it
        prints is one, and no failure repeats it.
        """
        argv = (self.path, *args)
        surroundings = {**self.environment, **(environment or {})}
        limits = _Limits(timeout, stall, most, probe)
        output, reason = self._finished(
            argv, stdin, surroundings, limits=limits, on_line=on_line, on_start=on_start, into=into, guarded=guarded
        )
        shown = " ".join((self.tool, *args))
        context: dict[str, Any] = {"cmd": shown, "rc": output.rc}
        if secret and (reason is not None or output.rc != 0):
            # Also not its stderr: a tool may repeat there what it was to keep.
            output = replace(output, stdout="", stderr="")
        context |= {"stdout": output.stdout, "stderr": output.stderr}
        if reason is not None:
            raise TimedOut(f"finish '{shown}'", reason, **context)
        if check and output.rc != 0:
            last = "what it printed is not shown" if secret else _last_line(output)
            raise CommandFailed(f"run '{shown}'", f"{last} (exit code {output.rc})", **context)
        return output

    def _finished(
        self,
        argv: tuple[str, ...],
        stdin: str,
        environment: Mapping[str, str],
        *,
        limits: _Limits,
        on_line: Callable[[str, str], None] | None,
        on_start: Callable[[int], None] | None,
        into: Path | None,
        guarded: bool,
    ) -> tuple[Output, str | None]:
        """Run a process to its end. Returns what it left, and why it had to be ended, if it had to."""
        watcher = _watch() if guarded else None
        with contextlib.ExitStack() as opened:
            out, err = (opened.enter_context(new_file(file)) for file in printed_to(into)) if into else (subprocess.PIPE,) * 2
            with _starting(argv[0]):
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=out,
                    stderr=err,
                    text=True,
                    errors="replace",
                    env=environment,
                    # A group of its own, so that a time-out also ends the tool's children.
                    start_new_session=True,
                )
        if watcher and watcher.stdin:
            watcher.stdin.write(b"%d\n" % process.pid)
            watcher.stdin.flush()
        if on_start is not None:
            on_start(process.pid)
        began = time.monotonic()
        last_line = [began]
        lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        # Characters that may still come.
        left = [limits.most]

        def read(channel: str, stream: Any) -> None:
            for line in _bounded(stream):
                last_line[0] = time.monotonic()
                left[0] -= len(line)
                if left[0] < 0:
                    break
                lines[channel].append(line)
                if on_line is not None:
                    on_line(channel, line.rstrip("\n"))

        streams: Iterable[Any] = (process.stdout, process.stderr)
        if into:
            streams = [Tail(file).follow(lambda: process.poll() is None) for file in printed_to(into)]
        readers = [
            threading.Thread(target=read, args=(name, stream), daemon=True)
            for name, stream in zip(("stdout", "stderr"), streams, strict=True)
        ]
        for reader in readers:
            reader.start()
        # A thread of its own: a tool that never reads its input must not outlive its time limit.
        threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
        try:
            with _guard(process, watcher) if watcher else contextlib.nullcontext():
                reason = self._wait(process, began, last_line, left, limits)
        except BaseException:
            # Ctrl-C or SIGTERM of our own: pass it on, and leave no tool running unwatched.
            _end(process)
            raise
        for reader in readers:
            # A daemon that the tool left behind may keep the pipe open; what it prints is not the tool's answer.
            reader.join(timeout=1.0)
        return Output(argv, process.returncode, "".join(lines["stdout"]), "".join(lines["stderr"])), reason

    def transfer(
        self,
        *args: str,
        source: Path | IO[bytes] | None = None,
        target: Path | IO[bytes] | None = None,
        watch: Callable[[], object] = lambda: None,
    ) -> Output:
        """Run the tool with a file as its input, or as its output, whatever is in it. watch is called about once a second.

        A file that is open already stays so; of a path, a new file is made for the output.
        """
        argv, shown = (self.path, *args), " ".join((self.tool, *args))
        with contextlib.ExitStack() as opened:
            stdin = opened.enter_context(source.open("rb")) if isinstance(source, Path) else source or subprocess.DEVNULL
            out, err = (opened.enter_context(tempfile.TemporaryFile()) for _channel in "oe")
            stdout = opened.enter_context(new_file(target)) if isinstance(target, Path) else target or out
            with _starting(argv[0]):
                process = subprocess.Popen(
                    argv, stdin=stdin, stdout=stdout, stderr=err, env=self.environment, start_new_session=True
                )
            try:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_WATCH_SECONDS)
                    watch()
            except BaseException:
                _end(process)
                raise
            output = Output(argv, process.returncode, *(_text_in(file) for file in (out, err)))
        if output.rc != 0:
            context: dict[str, Any] = {"cmd": shown, "rc": output.rc, "stdout": output.stdout, "stderr": output.stderr}
            raise CommandFailed(f"run '{shown}'", f"{_last_line(output)} (exit code {output.rc})", **context)
        return output

    def json(self, *args: str, **options: Any) -> Any:
        """Run the tool and return its stdout decoded from JSON."""
        output = self.run(*args, **options)
        try:
            return json.loads(output.stdout)
        except ValueError as error:
            shown = " ".join((self.tool, *args))
            raise CommandFailed(
                f"read the answer of '{shown}'",
                "it is not JSON",
                cmd=shown,
                rc=output.rc,
                stdout=output.stdout,
                stderr=output.stderr,
            ) from error

    @staticmethod
    def _wait(
        process: subprocess.Popen[str], began: float, last_line: list[float], left: list[int], limits: _Limits
    ) -> str | None:
        """Wait for the end. Returns None, or why the process had to be ended."""
        probe = limits.probe
        seen = probe() if probe is not None else None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(limits.seconds_left(began, last_line[0]))
                return None if left[0] >= 0 else _too_much(limits.most)
            now = time.monotonic()
            if left[0] < 0:
                reason = _too_much(limits.most)
            elif _is_over(now, began, limits.timeout):
                reason = f"it ran longer than {limits.timeout:g} s"
            elif not _is_over(now, last_line[0], limits.stall):
                continue
            elif probe is not None and seen != (seen := probe()):
                last_line[0] = now
                continue
            else:
                reason = f"it printed nothing for {limits.stall:g} s" + (" and showed no other sign of life" if probe else "")
            _end(process)
            return reason


def _too_much(most: int) -> str:
    return f"it printed more than {most >> 10} KiB"


def _is_over(now: float, began: float, limit: float | None) -> bool:
    return bool(limit) and now >= began + (limit or 0.0)


def end_guarded() -> None:
    """End the guarded tools that other threads wait for: this run was asked to end."""
    for process in list(_guarded):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def _watch() -> subprocess.Popen[bytes]:
    """Start what outlives this process, before the tool that it will end: else a moment would be left between the two."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHER, "sh", f"{GRACE_SECONDS:g}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def _guard(process: subprocess.Popen[Any], watcher: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have the process's group end when this process does."""
    _guarded.add(process)
    try:
        yield
    finally:
        _guarded.discard(process)
        if process.poll() is None:
            _end(process)
        watcher.communicate(b"over\n")


def _bounded(stream: Any) -> Iterator[str]:
    """Yield the lines of a stream; one without an end in parts."""
    return iter(partial(stream.readline, _MOST_SAID), "") if hasattr(stream, "readline") else stream


def printed_to(into: Path) -> tuple[Path, Path]:
    """Return where a tool prints that got files instead of pipes: stdout and stderr."""
    return into.with_name(f"{into.name}.out"), into.with_name(f"{into.name}.err")


def _text_in(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_SAID).decode(errors="replace")


def new_file(path: Path) -> IO[bytes]:
    """Open a new file for its owner alone, in place of one of that name."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), "wb")


class Tail:
    """What is written to a file, line by line as it grows. A missing file has no lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None
        self._rest = ""

    def lines(self, *, last: bool = False) -> list[str]:
        """Return the lines that are new and complete; with last also what is left."""
        if self._file is None and self.path.is_file():
            self._file = self.path.open(encoding="utf-8", errors="replace")
        found = (self._rest + self._file.read() if self._file else "").splitlines(keepends=True)
        self._rest = "" if last or not found or found[-1].endswith("\n") else found.pop()
        return found

    def follow(self, goes_on: Callable[[], bool]) -> Iterator[str]:
        """Yield lines until the program that writes them has ended."""
        while goes_on():
            yield from self.lines()
            time.sleep(_FOLLOW_SECONDS)
        yield from self.lines(last=True)
        if self._file:
            self._file.close()


def _feed(pipe: IO[str] | None, text: str) -> None:
    """Write a tool's input. A tool that ended without reading it is not a failure of the write."""
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(text)


@contextlib.contextmanager
def _starting(program: str) -> Iterator[None]:
    """Turn what keeps the system from starting a program, made for another machine for example, into a failure."""
    try:
        yield
    except OSError as error:
        remedy = "Look whether it is made for this machine, and install it again."
        raise CommandFailed(f"start '{program}'", str(error.strerror or error), remedy) from error


def _end(process: subprocess.Popen[Any]) -> None:
    """End the process and its children, gently first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        # A Mac says PermissionError where only ended processes are left, until their exit status is read.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
            return


def _last_line(output: Output) -> str:
    """Return the last line that says something, for the short form of a failure."""
    for text in (output.stderr, output.stdout):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1]
    return "it printed nothing"
