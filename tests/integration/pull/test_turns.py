# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs and pulls take turns: what changes something waits for a pull, and keeps one away."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rehearsal.processes.system import comes_true
from tests.support.ansible_runs import forked_ansible
from tests.support.whole_machine.pulled_project import REFRESH, ROOT

TASK = {"name": "Remove", "laptop.containers.user_timer": {"name": "none", "state": "absent", "manager": "systemd"}}
PATIENT = 120.0
# Takes the lock as a pull does, and fails where another has it.
TAKE = "import fcntl, os, pathlib; fcntl.flock(os.open(pathlib.Path.home(), os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def playing(home: Path, *flags: str) -> subprocess.Popen[bytes]:
    """Start a playbook with one task of this collection, whose output goes to a file."""
    play: dict[str, Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [TASK]}
    play["vars"] = {"ansible_python_interpreter": sys.executable}
    (home / "play.yml").write_text(json.dumps([play]))
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [playbook, "-i", "localhost,", str(home / "play.yml"), *flags]
    around = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    with (home / "said").open("wb") as said:
        return forked_ansible.Started(command, cwd=ROOT, env=around, stdin=subprocess.DEVNULL, stdout=said, stderr=said)


def test_a_persons_run_waits_for_a_pull_and_a_look_does_not(home: Path) -> None:
    pull = os.open(home, os.O_RDONLY)
    fcntl.flock(pull, fcntl.LOCK_EX)
    assert playing(home, "--check").wait(PATIENT) == 0, (home / "said").read_text()
    run = playing(home)
    assert comes_true(lambda: "Waiting for the timer 'pull'" in (home / "said").read_text(), PATIENT)
    assert run.poll() is None
    os.close(pull)
    assert run.wait(PATIENT) == 0, (home / "said").read_text()


def test_what_another_timer_runs_keeps_a_pull_away(home: Path) -> None:
    state = home / "state"
    command = [sys.executable, str(REFRESH), str(state), "--", sys.executable, "-c", TAKE]
    assert subprocess.run(command, check=False, timeout=PATIENT).returncode == 1
    assert "BlockingIOError" in json.loads((state / "refresh.json").read_text())["message"]
    assert subprocess.run([sys.executable, "-c", TAKE], check=False, timeout=PATIENT).returncode == 0
