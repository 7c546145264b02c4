# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipe between a program and a thread: what one writes, the other reads, without a file in between."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import IO, Generic, Self, TypeVar

from ...core.errors import CommandFailed
from ...docker.engine import EngineSilent

Result = TypeVar("Result")
_MOMENT_SECONDS = 5.0


class Piped(Generic[Result]):
    """Work beside a program, at the other end of its pipe. reads: the program writes, and the work reads.

    stop: wakes work that waits for something else than the pipe; called where the program, or the run, has failed.
    """

    def __init__(self, work: Callable[[IO[bytes]], Result], *, reads: bool, stop: Callable[[], object] = lambda: None) -> None:
        self._stop = stop
        out, into = os.pipe()
        reader: IO[bytes] = os.fdopen(out, "rb")
        writer: IO[bytes] = os.fdopen(into, "wb")
        self._mine, self._programs = (reader, writer) if reads else (writer, reader)
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(self._run, work)

    def _run(self, work: Callable[[IO[bytes]], Result]) -> Result:
        with self._mine:
            return work(self._mine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None) -> None:
        self._programs.close()
        if error is not None:
            self._stop()
        self._pool.shutdown()

    @contextlib.contextmanager
    def program(self) -> Iterator[IO[bytes]]:
        """Yield the program's end. Where the program fails because the work did, the failure is the work's."""
        try:
            yield self._programs
        except CommandFailed:
            self._programs.close()
            # What made the program fail is over by now; work that still waits for something did not.
            over, _going_on = wait([self._future], _MOMENT_SECONDS)
            failure = self._future.exception() if over else None
            # The work only notices that the program has ended.
            if failure is None or isinstance(failure, (BrokenPipeError, EngineSilent)):
                raise
            raise failure from None

    def result(self) -> Result:
        """Return what the work has found, once the program has ended."""
        self._programs.close()
        return self._future.result()
