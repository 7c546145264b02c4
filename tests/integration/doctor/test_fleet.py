# SPDX-License-Identifier: GPL-3.0-or-later
"""Many laptops at once: one page for the team, on which the broken ones, and the one that could not be reached, are named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.ansible_runs import forked_ansible
from tests.support.patient import AUTHORITIES, ROOT, VENV, Patient
from tests.support.test_runs.tiers import times

from .ways import damage_definition, edit, in_guest, run

# The labs, each with what goes wrong in it. Healthy laptops share one: what a look at it costs is the same for each.
ILL = {
    "stopped-engine": (run("colima stop docker-buildx && rm -r ~/.docker/contexts"), "docker.context"),
    "torn-config": (edit(".docker/config.json", lambda text: text[:9]), "docker.config"),
    "lost-mount": (in_guest("k8s", "/proc/mounts", "/dev/vda1 / ext4 rw 0 0\n"), "profiles.mount"),
    "no-secrets": (
        lambda patient: patient.cluster.request("DELETE", "/api/v1/namespaces/default/secrets/ecr-creds"),
        "registries.secret",
    ),
    "damaged-vm": (damage_definition, "profiles.health"),
}
LAPTOPS = times(7, 7, 50)


@dataclass(frozen=True)
class Fleet:
    """Labs, and an inventory in which more laptops than labs are."""

    labs: dict[str, Lab]
    inventory: Path

    def play(self, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        around = {name: value for name, value in os.environ.items() if name not in AUTHORITIES}
        return forked_ansible.run(
            [VENV / "ansible-playbook", "-i", str(self.inventory), f"playbooks/{playbook}.yml", "--forks", "4", *arguments],
            cwd=ROOT, env={**around, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOST_KEY_CHECKING": "0"},
            capture_output=True, text=True, timeout=550, check=False,
        )  # fmt: skip


def laptop(lab: Lab) -> dict[str, Any]:
    temporary = str(lab.directory / "tmp" / "ansible")
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": temporary,
        "rehearsal_dir": str(lab.directory),
    }


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        for name in AUTHORITIES:
            patch.delenv(name, raising=False)
        labs = {name: Lab(Path(folder) / f"l{number}") for number, name in enumerate(("healthy", *ILL))}
        inventory = Path(folder) / "inventory"
        (inventory / "group_vars").mkdir(parents=True)
        shutil.copy(ROOT / "inventory" / "rehearsal" / "group_vars" / "all.yml", inventory / "group_vars" / "all.yml")
        healthy = [f"laptop-{number:02}" for number in range(LAPTOPS - len(ILL) - 1)]
        hosts = {
            **{name: laptop(labs["healthy"]) for name in healthy},
            **{name: laptop(labs[name]) for name in ILL},
            "on-holiday": {
                **laptop(labs["healthy"]),
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": 9,
            },
        }
        (inventory / "hosts.json").write_text(json.dumps({"laptops": {"hosts": hosts}}))
        found = Fleet(labs, inventory)
        try:
            for lab in labs.values():
                lab.up("light")
            done = found.play("workstation", "--limit", ",".join((healthy[0], *ILL)))
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr
            for name, (happens, _check) in ILL.items():
                patient = Patient(labs[name], labs[name].environment)
                happens(patient)
            yield found
        finally:
            for lab in labs.values():
                lab.down()


def test_a_page_for_the_team_names_the_broken_and_the_unreachable(fleet: Fleet, tmp_path: Path) -> None:
    began = time.monotonic()
    done = fleet.play("doctor", "-e", f"doctor_report={tmp_path}/team")
    took = time.monotonic() - began
    # Ansible's own code for a laptop that it can't reach is 4, which it returns beside a failure.
    assert done.returncode in (2, 4), done.stdout[-4000:]
    document = json.loads((tmp_path / "team.json").read_text())
    laptops = {one["name"]: one for one in document["laptops"]}
    assert len(laptops) == LAPTOPS
    assert [name for name, one in laptops.items() if not one["reached"]] == ["on-holiday"]
    assert "Connection refused" in laptops["on-holiday"]["reason"]
    broken = {name for name, one in laptops.items() if one["reached"] and one["verdict"] == "broken"}
    assert broken == set(ILL)
    for name, (_happens, check) in ILL.items():
        assert check in {one["id"] for one in laptops[name]["checks"] if one["status"] == "broken"}
    assert all(one["verdict"] == "ok" for name, one in laptops.items() if name.startswith("laptop-"))
    page = (tmp_path / "team.html").read_text()
    assert f"{LAPTOPS} laptops, {len(ILL)} broken" in page
    assert all(f'id="{name}"' in page for name in laptops if name != "on-holiday")
    # One line for each laptop, the worst first.
    lines = done.stdout.partition("PLAY RECAP")[2].splitlines()
    table = [line.split()[:2] for line in lines if line.startswith("  ") and line.split()[0] in laptops]
    assert table[0][0] == "on-holiday" and dict(table)["torn-config"] == "broken"
    assert len(table) == LAPTOPS
    print(f"{took:.1f} s for {LAPTOPS} laptops, {took / LAPTOPS:.2f} s each")
