# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop whose profiles are virtual machines, and what tests do to it: playbooks, single profiles, kills."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import policy_from, specs_from
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import TimeLimits
from ansible_collections.laptop.containers.plugins.module_utils.colima.survey import ProfilesSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Paths, parse_name, resolve

from rehearsal.engines import ROOT
from rehearsal.lab.laptop import Lab
from rehearsal.lab.run import MACHINES_INVENTORY
from tests.support.colima.standin_laptop import Result, converge

# Without KVM, beside another machine that starts, a start takes minutes.
SECONDS = 900


@dataclass(frozen=True)
class Played:
    """What a playbook run left."""

    code: int
    text: str
    seconds: float

    @property
    def changed(self) -> int:
        """The number of tasks that changed something."""
        return sum(int(number) for number in re.findall(r"\bchanged=(\d+)", self.text))


class Machines:
    """The lab with its programs, and colima's client on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.environment = {**os.environ, **lab.environment}
        self.host = Host(platform.system(), platform.machine(), str(lab.home), 2, 16 * 1024, 100_000)

    @property
    def paths(self) -> Paths:
        """colima's directories."""
        return resolve(self.environment, self.host.system)

    def play_started(self, playbook: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a playbook in a group of processes of its own."""
        place = str(self.lab.directory / "tmp" / "ansible")
        own = {
            "LAPTOP_REHEARSAL_DIR": str(self.lab.directory),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": place,
        }
        return subprocess.Popen(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", MACHINES_INVENTORY, playbook, *arguments],
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def play(self, playbook: str, *arguments: str, code: int = 0) -> Played:
        """Run a playbook that has to end so."""
        started = time.monotonic()
        with self.play_started(playbook, *arguments) as process:
            text, _ = process.communicate(timeout=SECONDS)
        played = Played(process.returncode, text, time.monotonic() - started)
        assert played.code == code, played.text
        return played

    def converge(self, *profiles: dict[str, Any], check: bool = False, **policy: Any) -> Result:
        """Converge profiles once, as the module does."""
        request = ProfilesSpec(tuple(specs_from(profiles, self.host)), policy_from(policy), self.host, TimeLimits())
        return converge(Colima(self.paths, self.environment), request, check)

    def run(self, *argv: str, code: int | None = 0, given: str | None = None) -> str:
        """Run a program of the laptop; return what it printed."""
        program = shutil.which(argv[0], path=self.environment["PATH"])
        assert program is not None, argv[0]
        done = subprocess.run(
            [program, *argv[1:]],
            env=self.environment,
            capture_output=True,
            text=True,
            input=given,
            timeout=SECONDS,
            check=False,
            cwd=self.lab.home,
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def inside(self, profile: str, *command: str) -> str:
        """Run a command in a machine."""
        return self.run("colima", "ssh", "--profile", profile, "--", *command)

    def statuses(self) -> dict[str, str]:
        """colima's word for each profile."""
        rows = map(json.loads, self.run("colima", "list", "--json").splitlines())
        return {row["name"]: row["status"] for row in rows}

    def pid(self, profile: str, kind: str) -> int:
        """The process of a machine: its host agent (ha) or its QEMU (qemu)."""
        return int((self.paths.instance(parse_name(profile)) / f"{kind}.pid").read_text())

    def kill(self, profile: str, kind: str) -> None:
        """End a machine's process as the kernel does when memory is short."""
        os.kill(self.pid(profile, kind), signal.SIGKILL)

    def tree(self) -> dict[str, str]:
        """The files of the laptop with their contents, but for what machines write while they run."""
        found = {}
        for path in sorted(self.lab.home.rglob("*")):
            name = str(path.relative_to(self.lab.home))
            if path.is_symlink() or not path.is_file():
                found[name] = str(path.readlink()) if path.is_symlink() else ""
            elif not path.name.endswith((".log", "disk")):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found
