# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's programs, started as subprocess starts them, in a third of the time: forked from a process that has imported Ansible.

run() and Started take what subprocess.run() and subprocess.Popen() take and give what they give: the process is a child of the
test's own, with its own number, so it is waited for, killed and grouped as any other. tests/integration/lab/test_ansible.py
compares both. What a fork can't be (after a function of the test's own, of another interpreter, without Linux' prctl) is
started whole. Only the command line that the system shows of the process is the server's.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("forked_ansible_server.py")
# As in the first line of the programs, also where a link leads to their folder.
PYTHON = Path(sys.executable).parent.resolve() / Path(sys.executable).name
PROGRAMS = {f"ansible{verb}" for verb in ("", "-playbook", "-inventory", "-doc", "-galaxy")}
# Linux: children of a child that has ended become ours.
PR_SET_CHILD_SUBREAPER = 36
# What Python itself reads before a program's first line.
READ_BY_PYTHON = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "MALLOC_")


class _Server:
    """A server of this process; python: what Python itself reads of its environment."""

    libc = ctypes.CDLL(None)

    def __init__(self, python: dict[str, str]) -> None:
        self.pid = os.getpid()
        self.channel, theirs = socket.socketpair()
        around = {name: value for name, value in os.environ.items() if not name.startswith(READ_BY_PYTHON)}
        with theirs:
            self.process = subprocess.Popen([PYTHON, SERVER], stdin=theirs.fileno(), cwd="/", env=around | python)

    def start(self, request: dict[str, Any], files: list[int]) -> int:
        """Return the number of a new child of this process."""
        body = json.dumps(request).encode()
        with _LOCK:
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
            try:
                socket.send_fds(self.channel, [len(body).to_bytes(8, "big")], files)
                self.channel.sendall(body)
                answer = self.channel.recv(4)
            finally:
                self.libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
        if not answer:
            raise RuntimeError(f"{SERVER} has ended with {self.process.wait()}")
        return int.from_bytes(answer, "big")


_servers: dict[tuple[tuple[str, str], ...], _Server] = {}
# Tests start Ansible from several threads at once.
_LOCK = threading.RLock()


def _server(environment: dict[str, str]) -> _Server:
    """Return the server for an environment: one for each set of what Python itself reads from it."""
    python = {name: value for name, value in sorted(environment.items()) if name.startswith(READ_BY_PYTHON)}
    key = (*python.items(),)
    with _LOCK:
        if key not in _servers or _servers[key].pid != os.getpid():
            _servers[key] = _Server(python)
        return _servers[key]


class Started(subprocess.Popen[Any]):
    """subprocess.Popen for Ansible's programs."""

    def _execute_child(self, *given: Any) -> None:
        start: Any = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start).bind(*given).arguments
        argv = [os.fsdecode(word) for word in asked["args"]]
        environment = {os.fsdecode(name): os.fsdecode(value) for name, value in (asked["env"] or os.environ).items()}
        if not can_be_forked(asked, argv):
            start(*given)
            return
        files = {0: asked["p2cread"], 1: asked["c2pwrite"], 2: asked["errwrite"]}
        request = {
            "args": argv,
            "env": environment,
            "cwd": os.path.abspath(asked["cwd"] or "."),  # noqa: PTH100
            "pass_fds": [*asked["pass_fds"]],
            "start_new_session": asked["start_new_session"],
            "process_group": asked["process_group"],
            "umask": asked["umask"],
            "ignored": [number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN],
            "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        }
        sent = [number if file == -1 else file for number, file in files.items()]
        self.pid = _server(environment).start(request, [*sent, *asked["pass_fds"]])
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[end] for end in ends))  # type: ignore[attr-defined]


def can_be_forked(asked: dict[str, Any], argv: list[str]) -> bool:
    """Whether a fork is what these arguments of Popen ask for."""
    program = Path(argv[0])
    plain = not (asked["preexec_fn"] or asked["shell"] or asked["uid"] or asked["gid"] or asked["gids"])
    ours = program.name in PROGRAMS and program.parent == Path(sys.executable).parent and program.exists()
    return sys.platform == "linux" and plain and ours and Path(asked["cwd"] or ".").is_dir()


def run(
    args: Any, *, capture_output: bool = False, input: Any = None, timeout: float | None = None, check: bool = False, **more: Any
) -> subprocess.CompletedProcess[str]:
    """subprocess.run for Ansible's programs, whose output is text."""
    more["text"] = True
    if capture_output:
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        more["stdin"] = subprocess.PIPE
    with Started(args, **more) as process:
        try:
            output, errors = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done
