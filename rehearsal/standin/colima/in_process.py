# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins as functions: a call costs milliseconds, because no Python starts for it and no call waits for a machine.

The code is that of the programs, with another process.py. What other programs see is real: a running machine has
processes in its pid files, which can be killed. Not simulated: what happens with time (a host agent
that notices the death of its driver), engines behind the guest, and calls that interfere with each other.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from .commands import colima
from .console import Fatal
from .files.settings import Settings
from .lima import limactl
from .lima.host_agent import HostAgent
from .lima.instances import Instance
from .process import Done, Process, clear_logs

Program = Callable[[Process, list[str]], int]


class _Hangs(Exception):
    """The guest does not answer and never will."""


class _Agent(HostAgent):
    """A host agent that does nothing while its machine runs."""

    def __init__(self, settings: Settings, instance: Instance) -> None:
        super().__init__(settings, instance, 0.0)
        self.body = _bystander()
        self.pid = self.body.pid
        self.failed = False

    def begin(self) -> None:
        """Boot, as far as the guest can."""
        try:
            self.come_up()
        except _Hangs:
            pass
        except Fatal as error:
            self.give_up(error)
            self.failed = True
            self.leave()

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        code = self.body.poll()
        return 1 if self.failed else code

    def terminate(self) -> None:
        """End without waiting for the guest."""
        self.shut_down(gently=False)
        self.end()
        self.leave()

    def leave(self) -> None:
        """Close what stood for the machine."""
        for one in self.sockets:
            one.close()
        self.forwards.close()
        for process in filter(None, (self.driver, self.body)):
            process.kill()
            process.communicate()

    def _power(self) -> int:
        if self.instance.vm_type == "qemu":
            self.driver = _bystander()
        return 0

    def _hang(self) -> None:
        raise _Hangs


def _bystander() -> subprocess.Popen[bytes]:
    """Start a process that does nothing, for tests to see and kill. It ends with this process, which closes its input."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True)


class Laptop:
    """The programs of a laptop as functions, and the machines that run on it."""

    def __init__(self, others: Mapping[str, Program]) -> None:
        self.programs: dict[str, Program] = {
            "colima": lambda process, argv: colima.run(Settings(process), argv),
            "limactl": limactl.run,
            "lima": limactl.run_lima,
            **others,
        }
        self.agents: dict[int, _Agent] = {}

    def call(self, argv: Sequence[str], environ: Mapping[str, str]) -> Done:
        """Call a program and return what it left."""
        out, err = io.StringIO(), io.StringIO()
        code = self.run(argv, environ, out, err)
        return Done(code, out.getvalue(), err.getvalue())

    def run(self, argv: Sequence[str], environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
        """Call a program with these channels and return its exit code."""
        name = argv[0].rpartition("/")[2]
        process = _Call(self, argv[0], environ, out, err)
        if name not in self.programs or process.which(argv[0]) is None:
            raise FileNotFoundError(argv[0])
        try:
            return self.programs[name](process, list(argv[1:]))
        except SystemExit as end:
            return int(end.code or 0)

    def close(self) -> None:
        """End all machines."""
        for agent in self.agents.values():
            agent.leave()
        self.agents.clear()


class _Call(Process):
    """The process of one call: none."""

    def __init__(self, laptop: Laptop, name: str, environ: Mapping[str, str], out: TextIO, err: TextIO) -> None:
        self.laptop = laptop
        self.name = name
        self.environ = environ
        self.stdin, self.stdout, self.stderr = io.StringIO(), out, err

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> int:
        return self.laptop.run(argv, environ, self.stdout, self.stdout)

    def output(self, argv: Sequence[str], environ: Mapping[str, str]) -> Done:
        return self.laptop.call(argv, environ)

    def launch(self, instance: Path, seconds: float) -> _Agent:  # noqa: ARG002 - nothing waits
        clear_logs(instance)
        agent = _Agent(Settings(self), Instance(instance))
        self.laptop.agents[agent.pid] = agent
        agent.begin()
        return agent

    def interrupt(self, pid: int) -> None:
        agent = self.laptop.agents[pid]
        agent.shut_down(gently=True)
        agent.end()
        agent.leave()
