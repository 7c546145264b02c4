# SPDX-License-Identifier: GPL-3.0-or-later
"""No setting leads a rehearsal out of its lab: what would is refused before anything is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab
from tests.support.patient import ROOT


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        yield lab


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"workstation_environment": ["A=1"]}, "Could not use 'workstation_environment': it is a list, not a mapping."),
        ({"workstation_environment": {"A": "1"}}, "Could not rehearse: the home would be"),
        ({"docker_cli_socket_link": True}, "Could not rehearse with '/var/run/docker.sock' as 'path'"),
        ({"docker_cli_env_file": "/etc/docker.env"}, "Could not rehearse with '/etc/docker.env' as 'docker_cli_env_file'"),
        ({"nerdctl_wrappers": [{"profile": "k8s", "path": "/usr/local/bin/nerdctl"}]}, "as 'nerdctl_wrappers'"),
    ],
)
def test_a_setting_that_leads_out_of_the_lab_is_refused(lab: Lab, tmp_path: Path, settings: dict[str, object], said: str) -> None:
    # The home of the user, in whose shell the lab is used.
    own = {"HOME": str(tmp_path), "LAPTOP_REHEARSAL_DIR": str(lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory/rehearsal", "playbooks/workstation.yml"]
    done = subprocess.run(
        [*command, "-e", json.dumps(settings)],
        cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert said in " ".join(done.stdout.split())
    assert "changed=0" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.name != ".ansible"] == []
    assert not list(lab.home.glob(".colima/*/colima.yaml"))
