# SPDX-License-Identifier: GPL-3.0-or-later
"""Two laptops behind a real sshd, from nothing but a shell to a workstation, and back to what they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.whole_machine.homes import changes, tree
from tests.support.whole_machine.laptops import ROOT, Laptop, inventory, laptops

pytestmark = pytest.mark.real("sshd")
PYTHON = ".local/share/laptop.containers/python/bin/python"
# A bare laptop takes 260 MB and half a minute of a core. In the short form, one of the two borrows the Python of the tests.
LONG = bool(os.environ.get("LAPTOP_LONG"))
BARE = ("anna", "ben") if LONG else ("anna",)


@dataclass(frozen=True)
class Fleet:
    """Laptops, and an inventory of them."""

    laptops: list[Laptop]
    inventory: Path

    def play(self, playbook: str, *arguments: str) -> str:
        """Run a playbook that must succeed; return what it printed."""
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", self.inventory, f"playbooks/{playbook}.yml", *arguments],
            cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
            capture_output=True, text=True, timeout=550, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheels() -> Iterator[Path]:
    """The locked libraries in a folder that all users can read, as a company's own index would have them."""
    with tempfile.TemporaryDirectory(prefix="wheels-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        fetch = ("download", "--quiet", "--require-hashes", "-r", ROOT / "requirements" / "runtime.lock", "-d", folder)
        subprocess.run([sys.executable, "-m", "pip", *fetch], check=True, timeout=500)
        yield Path(folder)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Iterator[Fleet]:
    with laptops("anna", "ben") as found:
        for laptop in found:
            file = laptop.lab.environment_file
            offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
            file.write_text(json.dumps({**json.loads(file.read_text()), **offline}))
        place = inventory(tmp_path_factory.mktemp("inventory") / "ssh", found)
        (place / "host_vars").mkdir()
        for name in {"anna", "ben"} - {*BARE}:
            (place / "host_vars" / f"{name}.json").write_text(json.dumps({"ansible_python_interpreter": sys.executable}))
        (place / "group_vars" / "laptops.json").write_text(
            json.dumps({"ansible_python_interpreter": PYTHON, "bootstrap_python": os.path.realpath(sys.executable)})
        )
        yield Fleet(found, place)


def test_from_a_shell_to_a_workstation_and_back(fleet: Fleet) -> None:
    before = {laptop.name: tree(laptop.home) for laptop in fleet.laptops}
    bootstrap = ("bootstrap", "--limit", ",".join(BARE))
    planned = fleet.play(*bootstrap, "--check")
    assert planned.count("make Python environment") == len(BARE)
    assert {laptop.name: tree(laptop.home) for laptop in fleet.laptops} == before
    fleet.play(*bootstrap)
    assert fleet.play(*bootstrap).count("changed=0") == len(BARE)

    fleet.play("workstation")
    if LONG:
        assert fleet.play("workstation").count("changed=0") == 2
        fleet.play("doctor")
    for laptop in fleet.laptops:
        rows = map(json.loads, laptop.tool("colima", "list", "--json").splitlines())
        assert {row["name"]: row["status"] for row in rows} == {"k8s": "Running", "docker-buildx": "Running"}

    fleet.play("teardown", "-e", '{"colima_delete_data": true, "colima_confirm_data_loss": ["k8s", "docker-buildx"]}')
    for laptop in fleet.laptops:
        assert changes(before[laptop.name], tree(laptop.home)) == {}
        assert json.loads((laptop.home / ".docker/config.json").read_text()) == {"auths": {}}
