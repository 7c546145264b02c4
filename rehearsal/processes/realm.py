# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines in namespaces of their own, so that ending one leaves nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, children, comes_true

CGROUP_NOTE = "engine.cgroup"


@dataclass(frozen=True)
class Program:
    """A program inside a realm; the next one starts when its socket is there."""

    argv: tuple[str, ...]
    log: Path
    socket: Path


class Realm:
    """Programs in their own namespaces (processes, mounts), which replace a virtual machine in the lab.

    When its first process ends, the kernel ends all others and drops every mount, so nothing is left behind.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.daemon = Daemon(name, directory)
        self.directory = directory

    def start(self, programs: Sequence[Program], environment: Mapping[str, str] | None = None) -> None:
        """Start the programs one after the other."""
        self.directory.mkdir(parents=True, exist_ok=True)
        script = self.directory / f"{self.daemon.name}.sh"
        script.write_text(_realm_script(programs))
        unshare = shutil.which("unshare", path=SYSTEM_PATH) or "unshare"
        isolated = [unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "/bin/sh", str(script)]
        self.daemon.spawn(isolated, environment)

    @property
    def first(self) -> int | None:
        """The first process inside, as seen from outside."""
        pid = self.daemon.pid
        inside = children(pid) if pid is not None else []
        return inside[0] if inside else None

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return the command line that runs argv inside. Raises LabError when the realm is not up."""
        first = self.first
        if first is None:
            raise LabError(f"Could not enter {self.daemon.name}: it does not run.")
        nsenter = shutil.which("nsenter", path=SYSTEM_PATH) or "nsenter"
        return [nsenter, "--target", str(first), "--mount", "--pid", "--wd=" + str(self.directory), "--", *argv]

    def stop(self, grace: float = 15.0) -> None:
        """End the programs with SIGTERM, then the rest with SIGKILL."""
        first = self.first
        if first is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGTERM)
            if not comes_true(lambda: self.daemon.pid is None, grace):
                self.kill()
        self.daemon.kill()

    def kill(self) -> None:
        """End everything inside at once, as if the machine had died."""
        first = self.first
        if first is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
        self.daemon.kill()


def _realm_script(programs: Sequence[Program]) -> str:
    """Return a script for the first process. It runs the programs, forwards SIGTERM to them and reaps orphans."""
    lines = [
        "#!/bin/sh",
        # Engines keep a few fixed paths below /run (shim sockets, plugins): not the host's business.
        "mount -t tmpfs tmpfs /run || exit 1",
        "mkdir -p /run/lock",
        "pids=",
        "trap 'kill -TERM $pids 2>/dev/null' TERM INT",
    ]
    for program in programs:
        log, sock = shlex.quote(str(program.log)), shlex.quote(str(program.socket))
        lines += [
            f"rm -f {sock}",
            f"{shlex.join(program.argv)} >>{log} 2>&1 &",
            'last=$!; pids="$last $pids"',
            # A dead child stays visible until it is waited for: look at its state.
            f"while [ ! -S {sock} ]; do case $(cat /proc/$last/stat 2>&1) in *') '[RSD]' '*) sleep 0.05;; *) exit 1;; esac; done",
        ]
    lines.append("for pid in $pids; do while kill -0 $pid 2>/dev/null; do wait $pid; done; done")
    return "\n".join(lines) + "\n"


def cgroup_for(directory: Path) -> str:
    """Return the control group for the containers of an engine; a file in its directory records it."""
    name = "rehearsal-" + hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CGROUP_NOTE).write_text(name)
    return name


def remove_cgroups(name: str) -> None:
    """Remove the empty control groups that killed containers left; the kernel keeps those in use."""
    top = Path("/sys/fs/cgroup")
    for place in [top / name, *(controller / name for controller in top.glob("*"))]:
        if place.is_dir():
            for inner, _, _ in os.walk(place, topdown=False):
                with contextlib.suppress(OSError):
                    Path(inner).rmdir()
