# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the README works: typed in its order, with a lab as the laptop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
# What is tried elsewhere, or needs another network.
ELSEWHERE = {
    "make rehearse": "tests/integration/lab/test_run.py",
    "make test": "runs this test",
    "make setup": "tests/integration/lab/test_make.py",
    "brew bundle": "tests/integration/toolchain/test_toolchain.py",
    "git pull": "needs the repository",
    "git clone https://example.org/laptop/containers laptop.containers && cd laptop.containers": "needs the repository",
    "ansible-galaxy collection install laptop-containers-0.1.0.tar.gz": "tests/integration/workstation/test_own_settings.py",
    "ansible-playbook laptop.containers.workstation -e workstation_hosts=localhost --check": (
        "tests/integration/workstation/test_own_settings.py"
    ),
}


def commands() -> list[str]:
    """Return the commands of the README, in their order."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        yield lab


def test_every_command_works_in_its_order(lab: Lab) -> None:
    tried = [command for command in commands() if command not in ELSEWHERE]
    assert len(tried) >= 10
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_INVENTORY": str(ROOT / "inventory" / "rehearsal"),
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "LAPTOP_REHEARSAL_DIR": str(lab.directory),
    }
    for command in tried:
        # The Makefile's own folder for Python may be another one than that of this test.
        typed = command.replace("make check", "ansible-playbook playbooks/workstation.yml --check --diff").replace(
            "make converge", "ansible-playbook playbooks/workstation.yml"
        )
        done = subprocess.run(
            ["bash", "-c", typed], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_what_is_tried_elsewhere_is_still_in_the_readme_and_there() -> None:
    assert set(ELSEWHERE) <= set(commands())
    for place in ELSEWHERE.values():
        assert not place.startswith("tests/") or (ROOT / place).exists(), place


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target
