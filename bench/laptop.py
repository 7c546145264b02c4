# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop of the lab on which playbooks are timed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
# The smallest playbook that Ansible can run, on the same laptop.
PING = """---
- name: Ping
  hosts: laptops
  gather_facts: false
  environment: "{{ workstation_environment | default({}) }}"
  tasks:
    - name: Ping
      ansible.builtin.ping:
"""


@dataclass(frozen=True)
class Laptop:
    """The lab: its inventory, its environment, and the words before each command (as whom it runs)."""

    folder: Path
    inventory: str
    environment: dict[str, str]
    prefix: tuple[str, ...]

    @property
    def ping(self) -> Callable[[], None]:
        """Running the smallest playbook."""
        return self.unchanged(str(self.folder / "ping.yml"))

    def unchanged(self, *arguments: str) -> Callable[[], None]:
        """A run that must change nothing, for compare()."""

        def run() -> None:
            self.change_nothing(PLAYBOOK, "-i", self.inventory, *arguments)

        return run

    def change_nothing(self, *argv: str) -> None:
        """Run a command that runs a playbook, and must change nothing."""
        if "changed=0" not in (said := self.command(*argv)):
            raise SystemExit(f"{' '.join(argv)} was expected to change nothing:\n{said}")

    def play(self, *arguments: str) -> str:
        """Run a playbook that must succeed; return what it printed."""
        return self.command(PLAYBOOK, "-i", self.inventory, *arguments)

    def command(self, *argv: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = subprocess.run([*self.prefix, *argv], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def laptop(grade: str = "", inventory: str = "inventory/rehearsal", prefix: tuple[str, ...] = ()) -> Iterator[Laptop]:
    """Bring up a lab of a grade (default: the best that this machine can have), and take it down again."""
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as name:
        folder = Path(name)
        # What the lab's user needs, who need not be the one who measures.
        folder.chmod(0o777)
        (folder / "ping.yml").write_text(PING)
        # Bytecode is kept, as it is on a laptop.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {
            **inherited,
            "LAPTOP_REHEARSAL_DIR": str(folder / "lab"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            # What a word in a VM costs on a Mac: `colima status` then takes a second.
            "REHEARSAL_WORD_SECONDS": "0.2",
        }
        found = Laptop(folder, inventory, environment, prefix)
        found.command(sys.executable, "-m", "rehearsal", "up", *(("--grade", grade) if grade else ()))
        try:
            yield found
        finally:
            found.command(sys.executable, "-m", "rehearsal", "down")
