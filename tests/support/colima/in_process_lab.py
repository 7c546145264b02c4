# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop whose programs are functions of the test's own process: thousands of histories of a profile in minutes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.core.system.command import Cli, Output

from rehearsal.standin.colima.in_process import Laptop
from rehearsal.standin.colima.process import Done
from tests.support.colima.docker_and_kubectl import docker, kubectl, script
from tests.support.colima.standin_laptop import ColimaLab, lab_of

# In memory where possible: half of a call's time would go into waiting for a disk.
ROOM = "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"


class Killed(BaseException):
    """The run is killed at this point."""


class MortalCli(Cli):
    """The seam of the modules, at which a run can be killed."""

    def __init__(self, lab: ProcessLab, *args: Any) -> None:
        super().__init__(*args)
        self.lab = lab

    def _finished(self, argv: tuple[str, ...], *args: Any, **more: Any) -> tuple[Output, str | None]:
        changes = argv[1] in ("start", "stop", "delete") or (argv[1] == "disk" and argv[2] != "list")
        if changes:
            self.lab.pass_moment()
        answer = self._answer(argv, *args, **more)
        if changes:
            self.lab.pass_moment()
        return answer

    def _answer(self, *args: Any, **more: Any) -> tuple[Output, str | None]:
        return super()._finished(*args, **more)


class CalledCli(MortalCli):
    """The same with a laptop's functions. It never waits, so nothing can take too long."""

    lab: CalledLab

    def _answer(
        self,
        argv: tuple[str, ...],
        stdin: str,
        environment: Mapping[str, str],
        *,
        on_line: Callable[[str, str], None] | None,
        **_: object,
    ) -> tuple[Output, None]:
        assert not stdin, "no program here reads anything"
        done = self.lab.called(argv, environment)
        for channel, text in (("stdout", done.out), ("stderr", done.err)):
            for line in text.splitlines():
                if on_line is not None:
                    on_line(channel, line)
        return Output(argv, done.code, done.out, done.err), None


class ProcessLab(ColimaLab):
    """The laptop with real processes, and a docker that keeps contexts."""

    docker = script("docker")
    cli: type[MortalCli] = MortalCli
    gives_up_after = "1"

    def __init__(self, root: Path, **settings: str) -> None:
        super().__init__(root, **{"BOOT_SECONDS": "0.02", **settings})
        # colima only checks that it exists.
        (self.bin / "incus").write_text("#!/bin/sh\n")
        (self.bin / "incus").chmod(0o755)
        self.moments_left = 0

    @property
    def colima(self) -> Colima:
        return Colima(self.paths, self.environment, partial(self.cli, self))

    @contextlib.contextmanager
    def failing(self, failures: str) -> Iterator[None]:
        # A guest that hangs is given up soon, and one that only boots slowly is not.
        if failures == "hang":
            self.settings["BOOT_LIMIT"] = self.gives_up_after
        try:
            with super().failing(failures):
                yield
        finally:
            self.settings.pop("BOOT_LIMIT", None)

    def pass_moment(self) -> None:
        """Before and after each call that changes something, a run may be killed."""
        self.moments_left -= 1
        if self.moments_left == 0:
            raise Killed


class CalledLab(ProcessLab):
    """The laptop with functions. A program that a test replaces is not a function: such a test takes a laptop with processes."""

    cli = CalledCli
    gives_up_after = "0"

    def __init__(self, root: Path, **settings: str) -> None:
        super().__init__(root, **{"BOOT_SECONDS": "0", **settings})
        self.laptop = Laptop({"docker": docker, "kubectl": kubectl})
        self.installed = {name: _mark(self.bin / name) for name in self.laptop.programs}

    @property
    def colima(self) -> Colima:
        client = super().colima
        # Nothing here recovers while a run waits for it.
        client.pauses = ()
        return client

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        done = self.called(argv, self.environment)
        return subprocess.CompletedProcess(argv, done.code, done.out, done.err)

    def called(self, argv: Sequence[str], environment: Mapping[str, str]) -> Done:
        """Call a program's function and return what it left. Raises RuntimeError where the program was replaced."""
        program = shutil.which(argv[0], path=environment["PATH"])
        if program is not None and _mark(Path(program)) != self.installed.get(Path(program).name):
            raise RuntimeError(f"{program} was replaced: take a laptop with processes")
        return self.laptop.call(argv, environment)

    def close(self) -> None:
        self.laptop.close()
        shutil.rmtree(self.root, ignore_errors=True)


def _mark(program: Path) -> tuple[int, int]:
    """Return what changes when a program is written or replaced."""
    stat = program.stat()
    return stat.st_ino, stat.st_mtime_ns


def called_lab(**settings: str) -> contextlib.AbstractContextManager[CalledLab]:
    """A laptop of this kind for one test."""
    return lab_of(CalledLab, ROOM, **settings)
