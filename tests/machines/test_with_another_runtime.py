# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with docker continues with containerd, and comes back: Lima's own files are renamed, and streams go through ssh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.guest import Inside
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.model import Claim

from tests.support.colima.real_machines import Machines
from tests.support.migration import made_images

pytestmark = pytest.mark.long("a VM of its own; tests/faults/test_move.py with the real engines")
PROFILE, IMAGE = "mover", "moved:1"
MACHINE = {"name": PROFILE, "cpu": 2, "memory": 1, "disk": 5, "mounts": [{"location": "none"}], "binfmt": False}
DATA = Claim("pvc-1", "default/data", "/var/lib/containers-data/pvc-1")
MAKE = (
    f"mkdir -p {DATA.path}/deep && cd {DATA.path} && head -c 3000000 /dev/urandom >deep/random && chmod 4751 deep/random && "
    "truncate -s 50M holes && chown -R 70000:70 ."
)
FILES = "cd /var/lib/containers-data/pvc-1 && find . -printf '%y %m %U %G %s %p\\n' | sort && find . -type f -exec sha256sum {} +"


def settings(runtime: str) -> tuple[str, str]:
    profiles = [{**MACHINE, "runtime": runtime}]
    return "-e", json.dumps({"colima_profiles": profiles, "move_profile": PROFILE, "secret_refresh_registries": []})


@pytest.fixture
def laptop(empty: Machines) -> Machines:
    """The laptop with a machine with docker, and nothing else that runs."""
    for name, status in empty.statuses().items():
        if status == "Running":
            empty.run("colima", "stop", name)
    empty.play("playbooks/workstation.yml", "--tags", "colima", *settings("docker"))
    return empty


def test_a_machine_moves_and_comes_back(laptop: Machines, tmp_path: Path) -> None:
    image = tmp_path / "image.tar"
    image.write_bytes(made_images.archive([IMAGE], [made_images.Layer(1, 3 << 20)]))
    docker = ("docker", "--host", f"unix://{laptop.paths.base}/{PROFILE}/docker.sock")
    laptop.run(*docker, "load", "--input", str(image))
    laptop.inside(PROFILE, "sudo", "sh", "-c", MAKE)
    before = laptop.inside(PROFILE, "sudo", "sh", "-c", FILES)
    inside = Inside(Colima(laptop.paths, laptop.environment), parse_name(PROFILE))
    assert inside.existing([DATA.path, "/nowhere"]) == [DATA.path] and inside.sizes([DATA.path])[0] > 50_000_000
    inside.save(DATA, tmp_path / "volumes", lambda _file: lambda: None)

    laptop.play("playbooks/move.yml", *settings("containerd"))
    (saved,) = archive.read(tmp_path / "volumes", (tmp_path / "volumes").iterdir()).claims
    inside.fill(DATA.claim, DATA.path, tmp_path / "volumes" / saved.file, lambda: saved.contents, lambda: None)
    assert laptop.inside(PROFILE, "sudo", "sh", "-c", FILES) == before
    assert IMAGE in laptop.run("colima", "nerdctl", "--profile", PROFILE, "--", "images", "--format", "{{.Repository}}:{{.Tag}}")
    assert laptop.play("playbooks/move.yml", *settings("containerd")).changed == 0

    laptop.run("colima", "stop", PROFILE)
    laptop.play("playbooks/move.yml", "--tags", "back", *settings("containerd"))
    laptop.play("playbooks/workstation.yml", "--tags", "colima", *settings("docker"))
    assert IMAGE in laptop.run(*docker, "images", "--format", "{{.Repository}}:{{.Tag}}")
    assert laptop.inside(PROFILE, "sudo", "sh", "-c", FILES) == before
