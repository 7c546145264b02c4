# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsed laptop as the doctor sees it: examined by the playbook, and treated with the commands that the doctor printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.lab.laptop import Lab
from rehearsal.standin.kube_api import KubeApi
from tests.support.ansible_runs import forked_ansible

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(sys.executable).parent
# What this machine's own network needs; a laptop in a lab has none of it.
AUTHORITIES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


class Patient:
    """The laptop of a lab. variables: extra variables of every run."""

    def __init__(self, lab: Lab, environment: Mapping[str, str]) -> None:
        self.lab, self.home = lab, lab.home
        self.inside = dict(environment)
        # As a team's inventory would have it.
        self.settings = lab.directory / "settings"
        self.variables: dict[str, Any] = {
            "workstation_refresh_timer": True,
            "refresh_timer_manager": "systemd",
            "workstation_autostart": True,
            "autostart_manager": "systemd",
            "workstation_idle_stop": "2h",
            "idle_stop_manager": "systemd",
        }
        self.output, self.code = "", 0

    @property
    def colima(self) -> Path:
        return self.home / ".colima"

    def guest(self, profile: str, file: str) -> Path:
        """A file in a profile's VM."""
        return self.colima / "_lima" / f"colima-{profile}" / "root" / file.lstrip("/")

    @property
    def cluster(self) -> KubeApi:
        """The API server of the profile k8s, as its administrator."""
        data = self.colima / "_lima" / "_disks" / "colima-k8s" / "data" / "rancher"
        return KubeApi(self.lab.run / "colima-k8s" / "kube", data, name="default")

    def _environment(self) -> dict[str, str]:
        """The environment of a shell on the laptop after `make setup` alone: .venv is not on PATH."""
        own = {"LAPTOP_REHEARSAL_DIR": str(self.lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        around = {name: value for name, value in os.environ.items() if name not in AUTHORITIES}
        return {**around, **self.inside, **own, "ANSIBLE_FORCE_COLOR": "0", "PATH": self.inside["PATH"]}

    def _write(self) -> None:
        """Write the settings and the environment where the playbooks find them."""
        self.settings.mkdir(exist_ok=True)
        inventory = {"laptops": {"hosts": {"rehearsal": self.variables}}}
        (self.settings / "hosts.yml").write_text(json.dumps(inventory))
        self.lab.environment_file.write_text(json.dumps(self.inside))

    def play(self, playbook: str, *arguments: str) -> str:
        """Run a playbook; return what it printed."""
        self._write()
        command = [str(VENV / "ansible-playbook"), "-i", "inventory/rehearsal", "-i", str(self.settings / "hosts.yml")]
        done = forked_ansible.run(
            [*command, f"playbooks/{playbook}.yml", *arguments],
            cwd=ROOT, env=self._environment(), capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        self.output, self.code = done.stdout + done.stderr, done.returncode
        return self.output

    def converge(self) -> None:
        """Bring the whole workstation to its settings."""
        self.play("workstation")
        assert self.code == 0, self.output

    def examine(self, *groups: str) -> dict[str, Any]:
        """Let the doctor look at groups of checks; return the laptop's part of the report."""
        with tempfile.TemporaryDirectory() as folder:
            tags = ["--tags", ",".join(groups)] if groups else []
            self.play("doctor", "-e", f"doctor_report={folder}/report.json", *tags)
            report = Path(folder) / "report.json"
            assert report.exists(), self.output
            (laptop,) = json.loads(report.read_text())["laptops"]
        found: dict[str, Any] = laptop
        return found

    def checks(self, identifier: str) -> list[dict[str, Any]]:
        """Examine the group of a check; return what was found for it."""
        found = self.examine(identifier.partition(".")[0])["checks"]
        return [check for check in found if check["id"] == identifier]

    def shell(self, command: str) -> str:
        """Run a command as it was printed, in a shell of the laptop's user. What it sets or unsets stays, as in a terminal."""
        self._write()
        # The report shows the home as ~; a terminal shows it as it is, and both can be pasted.
        done = subprocess.run(
            ["bash", "-c", f"{command}\ncode=$?; printf '\\0' >&2; env -0 >&2; exit $code"],
            cwd=ROOT, env=self._environment(), capture_output=True, timeout=300, check=False,
        )  # fmt: skip
        said, _nul, variables = done.stderr.partition(b"\0")
        before = self._environment()
        after = dict(item.partition("=")[::2] for item in variables.decode().split("\0") if "=" in item)
        names = {*after, *before} - {"_", "SHLVL", "PWD", "OLDPWD"}
        self.inside.update({name: after.get(name, "") for name in names if after.get(name, "") != before.get(name, "")})
        text = done.stdout.decode() + said.decode()
        assert done.returncode == 0, f"{command}\n{text}"
        return text
