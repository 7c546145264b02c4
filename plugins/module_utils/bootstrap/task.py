# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ..core.entries import STATE
from ..core.errors import CommandFailed
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.command import Output
from .environment import FETCHED, Build, EnvironmentSpec, EnvironmentState, Fetch, Remove, new_name, parse, plan
from .shell import BUILD, FETCH, LOOK, REMOVE, LocalShell, Shell

_DIGITS = 12
_REMEDY = (
    "Look at stderr. Behind a proxy, or with a package index of your own, set HTTPS_PROXY, PIP_CERT or PIP_INDEX_URL in "
    "workstation_environment, or in the laptop's pip.conf. Then run again."
)
_MIRROR = (
    f"Look at stderr. Install Python {FETCHED} there by hand, or set HTTPS_PROXY or UV_PYTHON_INSTALL_MIRROR in "
    "workstation_environment. Then run again."
)


class PythonEnvironment(Subject[EnvironmentSpec, EnvironmentState]):
    """A Python with locked libraries, in a directory of its own."""

    argument_spec = {
        "requirements": {"type": "str", "required": True},
        "uv": {"type": "str", "default": ""},
        "directory": {"type": "str", "default": "~/.local/share/laptop.containers"},
        "python": {"type": "str", "default": ""},
        "fetch": {"type": "bool", "default": True},
        "state": STATE,
    }
    work = "make the Python environment"
    # Where it is: the action plugin puts the shell of a laptop behind SSH here.
    shell: Shell

    desires: EnvironmentSpec
    # The Python that this run has fetched.
    _fetched = ""

    def __init__(self) -> None:
        self.shell = LocalShell()

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> EnvironmentSpec:
        """Return what the options ask for."""
        del check_mode
        digest = hashlib.sha256(params["requirements"].encode()).hexdigest()[:_DIGITS]
        self.desires = EnvironmentSpec(
            directory=params["directory"],
            digest=digest,
            lock=params["requirements"],
            uv_lock=params["uv"],
            python=params["python"],
            fetch=params["fetch"] and bool(params["uv"]),
            present=params["state"] == "present",
        )
        return self.desires

    def read(self, spec: EnvironmentSpec) -> EnvironmentState:
        """Ask the laptop's shell."""
        done = self.shell.run(LOOK, spec.directory, spec.digest, spec.python)
        if done.rc != 0 or not done.stdout.startswith("directory\t"):
            raise _failed("look for a Python on the laptop", done, "Log in there, and see what its shell says.")
        return parse(done.stdout)

    def plan(self, spec: EnvironmentSpec, current: EnvironmentState) -> Plan:
        """Return what has to be done."""
        return plan(spec, current)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        asked = self.desires
        if isinstance(step, Fetch):
            done = self.shell.run(FETCH, asked.directory, FETCHED, step.uv, step.python, stdin=asked.uv_lock)
            found = re.search(r"^python\t(.+)$", done.stdout, re.MULTILINE)
            if done.rc != 0 or not found:
                raise _failed(f"fetch Python {FETCHED}", done, _MIRROR)
            self._fetched = found[1]
        elif isinstance(step, Build):
            base = step.python or self._fetched
            done = self.shell.run(BUILD, asked.directory, new_name(asked.digest), asked.digest, base, stdin=asked.lock)
            if done.rc != 0:
                raise _failed("install the workstation's libraries", done, _REMEDY)
        elif isinstance(step, Remove):
            done = self.shell.run(REMOVE, asked.directory)
            if done.rc != 0:
                raise _failed("remove the Python environment", done, "Remove what is named by hand, and run again.")

    def public(self, outcome: Result[EnvironmentSpec, EnvironmentState]) -> dict[str, Any]:
        """Return the environment's Python, and one that runs modules now: in check mode that may be the one to build on."""
        after = outcome.after
        there = outcome.spec.present
        base = after.base
        now = after.interpreter if after.digest else base.path if base else ""
        return {"python": after.interpreter if there else "", "interpreter": now if there else ""}


SUBJECT = PythonEnvironment


def _failed(what: str, done: Output, remedy: str) -> CommandFailed:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line[len("error: ") :] for line in lines if line.lower().startswith("error: ")]
    reason = (errors or lines or [f"its shell ended with exit code {done.rc}"])[-1].rstrip(".")
    return CommandFailed(what, reason, remedy, rc=done.rc, stdout=done.stdout, stderr=done.stderr)
