# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons that outlive the command which started them: remembered in a file, ended by id, never by name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engines import ROOT, SYSTEM_PATH

CGROUP_NOTE = "engine.cgroup"


class LabError(Exception):
    """Something of the rehearsal did not work; the text is for the user."""


def free_port() -> int:
    """A TCP port of the loopback that was free a moment ago, and that is given to nobody else for half a minute and more.

    Below those that systems give to outgoing connections: a server that restarts on its port must not find it taken by one.
    """
    while True:
        port = 20000 + secrets.randbelow(12000)
        with socket.socket() as door, contextlib.suppress(OSError):
            door.bind(("127.0.0.1", port))
            _reserve(door)
            return port


def _reserve(door: socket.socket) -> None:
    """Leave a port as after a connection that its server has ended: servers may listen there, and who looks finds it taken.

    Other labs look at the same time, and the server that the port is for needs seconds to begin.
    """
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.listen()
    with socket.create_connection(door.getsockname()) as guest:
        door.accept()[0].close()
        guest.recv(1)


def _birth(pid: int) -> str | None:
    """When the process started, in the system's own terms; None when it is gone (or only waits to be buried)."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        # Killed, its first thread is dead before the others, which still hold its sockets.
        threads = int(fields[17])
        return None if fields[0] == "X" or (fields[0] == "Z" and threads <= 1) else fields[19]
    done = subprocess.run(["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-ax", "-o", "pid=", "-o", "ppid="], capture_output=True, text=True, check=False).stdout
        return [int(child) for child, parent in map(str.split, listed.splitlines()) if int(parent) == pid]
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
    return found


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def processes() -> dict[int, str]:
    """Every process of this machine: id -> command line."""
    if sys.platform == "linux":
        pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
        return {pid: command for pid in pids if (command := command_of(pid))}
    listed = subprocess.run(["ps", "-ax", "-o", "pid=", "-o", "command="], capture_output=True, text=True, check=False).stdout
    rows = [line.strip().partition(" ") for line in listed.splitlines()]
    return {int(pid): command for pid, _, command in rows}


def comes_true(what: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds. Returns False when it did not in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def end_tree(process: subprocess.Popen[str], seconds: float) -> None:
    """End a process with all below it, politely first: what it started goes on by itself when only it ends."""
    tree = [process.pid]
    for pid in tree:
        tree.extend(children(pid))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        comes_true(lambda: not any(_birth(pid) for pid in tree), seconds)


class Daemon:
    """One background process; NAME.daemon and NAME.log in its directory are all that is needed to find and end it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.record = directory / f"{name}.daemon"
        self.log = directory / f"{name}.log"
        self._started: subprocess.Popen[bytes] | None = None

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the process in a session of its own, its output in the log."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._started = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment) if environment is not None else None,
                cwd=self.directory,
                start_new_session=True,
            )
        self.remember(self._started.pid, argv)

    def remember(self, pid: int, argv: Sequence[str]) -> None:
        """Write down which process it is."""
        part = self.record.with_suffix(".part")
        part.write_text(json.dumps({"pid": pid, "birth": _birth(pid), "argv": list(argv)}))
        part.replace(self.record)

    def spawn_module(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start one of our own modules."""
        given = dict(os.environ if environment is None else environment)
        paths = [str(ROOT), *filter(None, [given.get("PYTHONPATH")])]
        ours = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        self.spawn([sys.executable, "-m", module, *arguments], {**given, **ours})

    @property
    def pid(self) -> int | None:
        """The id of the process while it lives."""
        if self._started is not None:
            self._started.poll()
        try:
            record = json.loads(self.record.read_text())
            pid, birth = int(record["pid"]), record["birth"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        now = _birth(pid)
        return pid if now is not None and now == birth else None

    def signal(self, number: int) -> None:
        """Send a signal to the process if it is there."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, grace: float = 10.0) -> None:
        """End the process: politely, then not."""
        self.signal(signal.SIGTERM)
        if not comes_true(lambda: self.pid is None, grace):
            self.kill()
        self.record.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self.signal(signal.SIGKILL)
        comes_true(lambda: self.pid is None, 30.0)
        self.record.unlink(missing_ok=True)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ready() holds. Raises LabError when the process dies first or time is up.

        seconds are for what hangs, several times what a start takes on a busy machine.
        """
        end = time.monotonic() + seconds
        while not ready():
            if self.pid is None:
                raise LabError(f"Could not start {self.name}: it ended at once. {self.last_words()}")
            if time.monotonic() > end:
                raise LabError(f"Could not start {self.name}: not ready after {seconds:.0f} s. {self.last_words()}")
            time.sleep(0.05)

    def last_words(self, lines: int = 5) -> str:
        """The end of the log."""
        try:
            text = self.log.read_text(errors="replace").strip().splitlines()[-lines:]
        except OSError:
            text = []
        return f"Its log {self.log} ends with: {' | '.join(text)}" if text else f"Its log {self.log} is empty."


@dataclass(frozen=True)
class Program:
    """A program inside a realm; the next one starts when its socket is there."""

    argv: tuple[str, ...]
    log: Path
    socket: Path


class Realm:
    """Programs in namespaces of their own (processes, mounts), the lab's answer to a virtual machine.

    When its first process ends, the kernel ends everything inside and drops every mount: nothing can be left behind.
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
        """The command line that runs argv inside. Raises LabError when the realm is not up."""
        first = self.first
        if first is None:
            raise LabError(f"Could not enter {self.daemon.name}: it does not run.")
        nsenter = shutil.which("nsenter", path=SYSTEM_PATH) or "nsenter"
        return [nsenter, "--target", str(first), "--mount", "--pid", "--wd=" + str(self.directory), "--", *argv]

    def stop(self, grace: float = 15.0) -> None:
        """End the programs politely, then whatever is left inside."""
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
    """Run the programs as children of the first process, which passes the polite signal on and buries orphans."""
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
    """The name of the control group for the containers of an engine; noted in its directory, so that others find it."""
    name = "rehearsal-" + hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CGROUP_NOTE).write_text(name)
    return name


def remove_cgroups(name: str) -> None:
    """Take away the empty control groups that killed containers left; the kernel keeps those in use."""
    top = Path("/sys/fs/cgroup")
    for place in [top / name, *(controller / name for controller in top.glob("*"))]:
        if place.is_dir():
            for inner, _, _ in os.walk(place, topdown=False):
                with contextlib.suppress(OSError):
                    Path(inner).rmdir()
