# SPDX-License-Identifier: GPL-3.0-or-later
"""Laptops behind a real sshd: each is a user of its own, whose home is that of a lab.

The users, and what they see of this machine, are there for the sshd alone; the machine itself knows nothing of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.lab.laptop import Lab

from .ssh_server import SshServer, ssh_server

ROOT = Path(__file__).resolve().parents[3]
FIRST_USER = 61100
# What a busy machine may need for a login and a lab.
PATIENT = 180.0


@dataclass(frozen=True)
class Laptop:
    """A user's account on the far side, and the lab that is its home."""

    name: str
    lab: Lab
    server: SshServer

    @property
    def home(self) -> Path:
        """The home of the account, which is also that of the lab."""
        return self.lab.home

    def run(self, command: str) -> str:
        """Run a command as a login over SSH does; it must succeed."""
        argv = [str(self.server.client / "ssh"), "-p", str(self.server.port), f"{self.name}@127.0.0.1", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENT, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tool(self, *argv: str) -> str:
        """Run a program of the lab there."""
        return self.run(shlex.join(["env", *(f"{name}={value}" for name, value in self.lab.environment.items()), *argv]))

    @property
    def variables(self) -> dict[str, Any]:
        """What an inventory says of it."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.server.port,
            "ansible_user": self.name,
            "ansible_ssh_executable": str(self.server.client / "ssh"),
            "ansible_remote_tmp": str(self.lab.directory / "tmp" / "ansible"),
            "rehearsal_dir": str(self.lab.directory),
        }


@contextlib.contextmanager
def laptops(*names: str) -> Iterator[list[Laptop]]:
    """Run laptops inside the block, each with a lab of grade light that is up."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp") as folder:
        place = Path(folder)
        place.chmod(0o1777)
        found = [Lab(place / name) for name in names]
        users = {name: (FIRST_USER + number, lab) for number, (name, lab) in enumerate(zip(names, found, strict=True))}
        with ssh_server(place / "sshd", {}, _far_side(place / "far", users)) as server:
            there = [Laptop(name, lab, server) for name, lab in zip(names, found, strict=True)]
            for laptop in there:
                up = [sys.executable, "-m", "rehearsal", "up", "--dir", str(laptop.lab.directory), "--grade", "light"]
                laptop.run(f"cd {shlex.quote(str(ROOT))} && {shlex.join(up)}")
            yield there
        # With the sshd all processes of the far side have ended.


def inventory(place: Path, laptops: Sequence[Laptop], **groups: Any) -> Path:
    """Write an inventory of rehearsed laptops and return its folder."""
    (place / "group_vars").mkdir(parents=True)
    shutil.copy(ROOT / "inventory" / "rehearsal" / "group_vars" / "all.yml", place / "group_vars" / "all.yml")
    hosts = {laptop.name: laptop.variables for laptop in laptops}
    (place / "hosts.json").write_text(json.dumps({"laptops": {"hosts": hosts}, **groups}))
    return place


def _far_side(place: Path, users: dict[str, tuple[int, Lab]]) -> list[str]:
    """Return the commands, run as root in a mount namespace, after which the users are there and can read this project."""
    place.mkdir()
    lines = {"passwd": "", "shadow": "", "group": ""}
    for name, (number, lab) in users.items():
        lines["passwd"] += f"{name}:x:{number}:{number}::{lab.home}:/bin/sh\n"
        # A password that matches nothing; an account without one counts as locked.
        lines["shadow"] += f"{name}:*:19000:0:99999:7:::\n"
        lines["group"] += f"{name}:x:{number}:\n"
    commands = []
    for file, more in lines.items():
        shutil.copy(f"/etc/{file}", place / file)
        (place / file).write_text((place / file).read_text() + more)
        commands.append(f"mount --bind {place / file} /etc/{file}")
    needed = dict.fromkeys(Path(os.path.realpath(one)) for one in (ROOT, sys.prefix, sys.base_prefix))
    shut: dict[Path, list[Path]] = {}
    for one in needed:
        for above in reversed(one.parents):
            if not above.stat().st_mode & 0o001:
                shut.setdefault(above, []).append(one)
                break
    # A folder that only root may enter gives way to one that holds nothing but what is needed.
    for above, inside in shut.items():
        for number, one in enumerate(inside):
            (place / above.name / str(number)).mkdir(parents=True)
            commands.append(f"mount --bind {shlex.quote(str(one))} {place / above.name / str(number)}")
        commands.append(f"mount -t tmpfs -o mode=0755 tmpfs {shlex.quote(str(above))}")
        for number, one in enumerate(inside):
            quoted = shlex.quote(str(one))
            commands.append(f"mkdir -p {quoted} && mount --bind {place / above.name / str(number)} {quoted}")
    return commands
