# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of roles that keep something in a cluster share: a role alone in a play, and a kubeconfig that leads nowhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from rehearsal.processes.system import free_port
from tests.support.ansible_runs import forked_ansible
from tests.support.lab_playbooks import ROOT


def role_alone(home: Path, role: str, **variables: Any) -> Callable[..., str]:
    """Return what runs a role on this machine, with more variables, and returns what the run printed; it has to end well."""
    given = {"ansible_python_interpreter": sys.executable, **variables}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": given, "roles": [role]}
    path = home / "play.yml"
    path.write_text(json.dumps([play]))

    def converge(**more: Any) -> str:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, "-i", "localhost,", str(path), "-e", json.dumps(more)]
        done = forked_ansible.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    return converge


def leading_nowhere(kubeconfig: Path, place: Path) -> Path:
    """Write a copy of a kubeconfig whose first cluster does not answer, and return its path."""
    away = yaml.safe_load(kubeconfig.read_text())
    away["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    place.write_text(yaml.safe_dump(away))
    return place
