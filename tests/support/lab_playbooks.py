# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of this project, and programs of its laptop, against a lab that is up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rehearsal.lab.laptop import Lab

ROOT = Path(__file__).resolve().parents[2]


def play(lab: Lab, playbook: str, *arguments: str) -> str:
    """Run a playbook that must succeed; return what it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory/rehearsal", playbook, *arguments],
        cwd=ROOT,
        env={**os.environ, "LAPTOP_REHEARSAL_DIR": str(lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(lab: Lab, *argv: str) -> str:
    """Run a program of the rehearsed laptop, as its user; return what it printed."""
    environment = {**os.environ, **lab.environment}
    path = shutil.which(argv[0], path=environment["PATH"])
    assert path is not None, f"{argv[0]} is not in the lab"
    done = subprocess.run([path, *argv[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
