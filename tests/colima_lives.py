# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop whose programs are functions of the test's own process: thousands of lives of a profile in minutes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.cli import Cli, Output
from ansible_collections.laptop.containers.plugins.module_utils.colima import Colima

from rehearsal.standin.vm.in_process import Laptop
from tests.colima_lab import ColimaLab
from tests.colima_programs import docker, kubectl, script

# In memory where there is such a place: half of a call's time would be spent in waiting for a disk.
ROOM = next((place for place in ("/dev/shm",) if Path(place).is_dir()), "/tmp")


class CalledCli(Cli):
    """The seam of the modules, with a laptop's functions behind it. Nothing is waited for, so nothing can take too long."""

    def __init__(self, laptop: Laptop, *args: Any) -> None:
        super().__init__(*args)
        self.laptop = laptop

    def _finished(
        self,
        argv: tuple[str, ...],
        stdin: str,
        environment: Mapping[str, str],
        *,
        on_line: Callable[[str, str], None] | None,
        **_: object,
    ) -> tuple[Output, None]:
        assert not stdin, "no program here reads anything"
        done = self.laptop.call(argv, environment)
        for channel, text in (("stdout", done.out), ("stderr", done.err)):
            for line in text.splitlines() if on_line is not None else ():
                on_line(channel, line)
        return Output(argv, done.code, done.out, done.err), None


class ProcessLab(ColimaLab):
    """The laptop with real processes, and a docker that keeps contexts."""

    docker = script("docker")


class CalledLab(ProcessLab):
    """The laptop with functions."""

    def __init__(self, root: Path, **settings: str) -> None:
        super().__init__(root, **{"BOOT_SECONDS": "0", "BOOT_LIMIT": "0", **settings})
        self.laptop = Laptop({"docker": docker, "kubectl": kubectl})

    @property
    def colima(self) -> Colima:
        return Colima(self.paths, self.environment, partial(CalledCli, self.laptop))

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        done = self.laptop.call(argv, self.environment)
        return subprocess.CompletedProcess(argv, done.code, done.out, done.err)

    def close(self) -> None:
        self.laptop.close()
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def lab_of(kind: type[ColimaLab], **settings: str) -> Iterator[ColimaLab]:
    """A laptop of either kind for one life."""
    root = Path(tempfile.mkdtemp(prefix="cl-", dir=ROOM))
    lab = kind(root / "l", **settings)
    try:
        yield lab
    finally:
        lab.close()
        shutil.rmtree(root, ignore_errors=True)
