# SPDX-License-Identifier: GPL-3.0-or-later
"""Two laptops behind a real sshd, from nothing but a shell to a workstation, and back to what they were."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ansible_runs import forked_ansible
from tests.support.whole_machine.homes import changes, tree
from tests.support.whole_machine.laptops import ROOT, Laptop, inventory, laptops
from tests.support.whole_machine.wheels import wheel

pytestmark = pytest.mark.real("sshd")
PYTHON = ".local/share/laptop.containers/python/bin/python"
# All libraries take 260 MB and half a minute of a core for each laptop. The short form builds one environment, with one library,
# converges by the Python of the tests, and one of its laptops has no cluster.
LONG = bool(os.environ.get("LAPTOP_LONG"))
BARE = ("anna", "ben") if LONG else ("anna",)
BORROWED = () if LONG else ("-e", f"ansible_python_interpreter={sys.executable}")
DOCKER_ALONE = {
    "colima_profiles": [{"name": "docker-buildx", "runtime": "docker", "auto_activate": False}],
    "nerdctl_wrappers": [],
    "secret_refresh_registries": [],
}
AROUND = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}


@dataclass(frozen=True)
class Fleet:
    """Laptops, and an inventory of them."""

    laptops: list[Laptop]
    inventory: Path
    # The locks, instead of those of the role.
    locks: Path

    def answer(self, name: str) -> str:
        """Run a module on a laptop, by the Python that its inventory names; return what it printed."""
        ansible = str(Path(sys.executable).with_name("ansible"))
        argv = [ansible, "-i", str(self.inventory), name, "-m", "ansible.builtin.setup", "-a", "gather_subset=!all,!min,python"]
        done = forked_ansible.run(argv, cwd=ROOT, env=AROUND, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def play(self, playbook: str, *arguments: str) -> str:
        """Run a playbook that must succeed; return what it printed."""
        given: tuple[str, ...] = ("-i", str(self.inventory), "-e", f"__bootstrap_files={self.locks}", *arguments)
        done = forked_ansible.run(
            [Path(sys.executable).with_name("ansible-playbook"), f"playbooks/{playbook}.yml", *given],
            cwd=ROOT, env=AROUND, capture_output=True, text=True, timeout=550, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        return done.stdout


def prepare(laptop: Laptop, wheels: Path) -> None:
    """Let pip find libraries in a folder alone, as where a company has an index of its own."""
    file = laptop.lab.environment_file
    file.write_text(json.dumps({**laptop.lab.environment, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    locks = tmp_path_factory.mktemp("locks")
    for name in ("runtime.lock", "uv.lock"):
        shutil.copy(ROOT / "requirements" / name, locks / name)
    with tempfile.TemporaryDirectory(prefix="wheels-", dir="/tmp") as wheels, laptops("anna", "ben") as found:
        Path(wheels).chmod(0o755)
        if LONG:
            fetch = ("download", "--quiet", "--require-hashes", "-r", locks / "runtime.lock", "-d", wheels)
            subprocess.run([os.path.realpath(sys.executable), "-m", "pip", *fetch], check=True, timeout=500)
        else:
            (locks / "runtime.lock").write_text(wheel(Path(wheels), "1.0"))
        place = inventory(tmp_path_factory.mktemp("inventory") / "ssh", found)
        everyone = {"ansible_python_interpreter": PYTHON, "bootstrap_python": os.path.realpath(sys.executable)}
        (place / "group_vars" / "laptops.json").write_text(json.dumps(everyone))
        if not LONG:
            (place / "host_vars").mkdir()
            (place / "host_vars" / "ben.json").write_text(json.dumps(DOCKER_ALONE))
        for laptop in found:
            prepare(laptop, Path(wheels))
        yield Fleet(found, place, locks)


@pytest.mark.long("a whole laptop over ssh; test_fleet.py and test_readme.py hold its parts")
def test_from_a_shell_to_a_workstation_and_back(fleet: Fleet) -> None:
    before = {laptop.name: tree(laptop.home) for laptop in fleet.laptops}
    bootstrap = ("bootstrap", "--limit", ",".join(BARE))
    planned = fleet.play(*bootstrap, "--check")
    assert planned.count("make Python environment") == len(BARE)
    assert {laptop.name: tree(laptop.home) for laptop in fleet.laptops} == before
    fleet.play(*bootstrap)
    assert fleet.play(*bootstrap).count("changed=0") == len(BARE)

    for name in BARE:
        assert "/.local/share/laptop.containers/python" in fleet.answer(name)

    fleet.play("workstation", *BORROWED)
    if LONG:
        assert fleet.play("workstation").count("changed=0") == 2
        fleet.play("doctor")
    for laptop in fleet.laptops:
        rows = map(json.loads, laptop.tool("colima", "list", "--json").splitlines())
        running = {row["name"]: row["status"] for row in rows}
        assert running == dict.fromkeys(("docker-buildx",) if laptop.name not in BARE else ("k8s", "docker-buildx"), "Running")

    gone = {"colima_delete_data": True, "colima_keep_deleted": 0, "colima_confirm_data_loss": ["k8s", "docker-buildx"]}
    fleet.play("teardown", *BORROWED, "-e", json.dumps(gone))
    for laptop in fleet.laptops:
        assert changes(before[laptop.name], tree(laptop.home)) == {}
        assert json.loads((laptop.home / ".docker/config.json").read_text()) == {"auths": {}}
