# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that is up, and in it playbooks of this project, programs of its laptop, and what its service manager runs."""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rehearsal.lab.laptop import Lab
from tests.support.ansible_runs import forked_ansible
from tests.support.test_runs import fault_rows

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def lab_of_grade(grade: str) -> Iterator[Lab]:
    """A lab that is up. Its directory is short: sockets in it must fit into their addresses."""
    with tempfile.TemporaryDirectory(prefix="l-", dir="/tmp") as folder:
        lab = Lab(Path(folder) / "lab")
        try:
            lab.up(grade)
            yield lab
        finally:
            lab.down()


def light_lab() -> contextlib.AbstractContextManager[Lab]:
    """A lab of grade light."""
    return lab_of_grade("light")


def play(lab: Lab, playbook: str, *arguments: str, code: int = 0) -> str:
    """Run a playbook that must end with this exit code; return what it printed, without Ansible's warnings."""
    return _played(lab, playbook, *arguments, code=code).stdout


def warned(lab: Lab, playbook: str, *arguments: str) -> str:
    """Run a playbook that must succeed; return Ansible's warnings."""
    return _played(lab, playbook, *arguments, code=0).stderr


def _played(lab: Lab, playbook: str, *arguments: str, code: int) -> subprocess.CompletedProcess[str]:
    done = forked_ansible.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory/rehearsal", playbook, *arguments],
        cwd=ROOT,
        env={**os.environ, "LAPTOP_REHEARSAL_DIR": str(lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    failures = [line for line in done.stdout.splitlines() if line.lstrip().startswith("FAILED")]
    recap = done.stdout.strip().splitlines()[-1:] or [""]
    fault_rows.note("; ".join(failures or recap), failed=bool(code))
    return done


def playing(lab: Lab, playbook: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a playbook in a process group of its own, whose number is the process's."""
    return forked_ansible.Started(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory/rehearsal", playbook, *arguments],
        cwd=ROOT,
        env={**os.environ, "LAPTOP_REHEARSAL_DIR": str(lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def tool(lab: Lab, *argv: str) -> str:
    """Run a program of the rehearsed laptop, as its user; return what it printed."""
    environment = {**os.environ, **lab.environment}
    path = shutil.which(argv[0], path=environment["PATH"])
    assert path is not None, f"{argv[0]} is not in the lab"
    done = subprocess.run([path, *argv[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def statuses(lab: Lab) -> dict[str, str]:
    """Return colima's word for each profile."""
    rows = map(json.loads, tool(lab, "colima", "list", "--json").splitlines())
    return {row["name"]: row["status"] for row in rows}


def running(lab: Lab) -> set[str]:
    """Return the profiles that run."""
    return {name for name, status in statuses(lab).items() if status == "Running"}


def agent(lab: Lab, job: str) -> dict[str, Any]:
    """Return what launchd was given for a timer."""
    file = lab.home / "Library" / "LaunchAgents" / f"laptop.containers.{job}.plist"
    found: dict[str, Any] = plistlib.loads(file.read_bytes())
    return found


def run_agent(lab: Lab, job: str) -> tuple[int, dict[str, Any]]:
    """Run what launchd runs, with nothing of a shell around it; return its exit status and the status file."""
    found = agent(lab, job)
    # The lab is found by its own variables, as a laptop's files are by HOME.
    around = {name: value for name, value in lab.environment.items() if name.startswith("REHEARSAL_")}
    own = {"HOME": str(lab.home), "LAPTOP_REHEARSAL_DIR": str(lab.directory)}
    done = subprocess.run(
        found["ProgramArguments"],
        cwd=found["WorkingDirectory"],
        env={**around, **found["EnvironmentVariables"], **own},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout + done.stderr == ""
    (status,) = lab.home.rglob(f"{job}.json")
    return done.returncode, json.loads(status.read_text())
