# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run with nothing to do, compared with the smallest playbook that Ansible can run: one ping."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.measure import Row, compare

ROOT = Path(__file__).resolve().parents[1]
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
PING = """---
- name: Ping
  hosts: laptops
  gather_facts: false
  environment: "{{ workstation_environment | default({}) }}"
  tasks:
    - name: Ping
      ansible.builtin.ping:
"""
# So many namespaces get the pull secret.
THREE = ("-e", '{"secret_refresh_namespaces": ["default", "team-a", "team-b"]}')


def rows() -> list[Row]:
    """Bring up a lab, converge it once, and measure runs that find nothing to do."""
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as folder:
        lab = Path(folder) / "lab"
        # Bytecode is kept, as it is on a laptop.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {
            **inherited,
            "LAPTOP_REHEARSAL_DIR": str(lab),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            # What a word in a VM costs on a Mac: `colima status` then takes a second.
            "REHEARSAL_WORD_SECONDS": "0.2",
        }
        ping = Path(folder) / "ping.yml"
        ping.write_text(PING)

        def play(*arguments: str) -> Callable[[], None]:
            command = [PLAYBOOK, "-i", "inventory/rehearsal", *arguments]

            def run() -> None:
                done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
                if done.returncode or "changed=0" not in done.stdout:
                    raise SystemExit(f"{' '.join(command)} was expected to change nothing:\n{done.stdout}{done.stderr}")

            return run

        _lab("up", environment)
        try:
            subprocess.run(
                [PLAYBOOK, "-i", "inventory/rehearsal", "playbooks/workstation.yml", *THREE],
                cwd=ROOT, env=environment, check=True, capture_output=True,
            )  # fmt: skip
            return [
                compare(
                    "no-op workstation.yml with a registry / one-task ping playbook", 1.7,
                    play("playbooks/workstation.yml"), play(str(ping)),
                ),
                compare(
                    "no-op workstation.yml without a registry / one-task ping playbook", 1.5,
                    play("playbooks/workstation.yml", "-e", '{"secret_refresh_registries": []}'), play(str(ping)),
                ),
                compare(
                    "doctor.yml, 2 profiles and 3 namespaces / one-task ping playbook", 2.5,
                    play("playbooks/doctor.yml", *THREE), play(str(ping)),
                ),
                compare(
                    "nothing-due --tags secret_refresh / one-task ping playbook", 0.85,
                    play("playbooks/workstation.yml", "--tags", "secret_refresh"), play(str(ping)),
                ),
            ]  # fmt: skip
        finally:
            _lab("down", environment)


def _lab(verb: str, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "rehearsal", verb], cwd=ROOT, env=environment, check=True, capture_output=True)
