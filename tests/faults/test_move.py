# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile that moves from docker to containerd with real engines: as the playbook does it, killed, and without room."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.guest import Inside
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.model import Claim

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import lab_of_grade, play, playing, tool
from tests.support.migration.faults import enlarge, small_disk
from tests.support.migration.move import (
    IMAGES,
    PROFILE,
    STORAGE,
    begun,
    converge,
    disk,
    kept_disk,
    make_old_profile,
    move,
    moves,
    settings,
    sound_files,
)
from tests.support.migration.trees import many_files, told
from tests.support.processes import killed_after
from tests.support.test_runs.tiers import times

pytestmark = pytest.mark.real("docker", "containerd", "nerdctl", "kubernetes", "kubectl")
KILLS, LATEST = times(1, 2, 20), times(8, 8, 25)
CONTEXT = ("kubectl", "--context", f"colima-{PROFILE}")


@pytest.fixture(scope="module")
def up() -> Iterator[Lab]:
    with lab_of_grade("auto") as lab, pytest.MonkeyPatch.context() as patch:
        for name, value in lab.environment.items():
            patch.setenv(name, value)
        make_old_profile(lab)
        yield lab


@pytest.fixture
def lab(up: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The lab with the old VM, which comes back afterwards."""
    for name, value in up.environment.items():
        monkeypatch.setenv(name, value)
    yield up
    bring_back(up)


def bring_back(lab: Lab) -> None:
    """Let the old VM be the profile again, and check that it lacks nothing."""
    if kept_disk(lab).exists():
        tool(lab, "colima", "stop", "--profile", PROFILE)
        move(lab, "return")
        assert not move(lab, "return")["changed"]
        if kept_disk(lab, "containerd").exists():
            move(lab, "retire", confirm=f"{PROFILE}-containerd")
    converge("docker")


def things(lab: Lab) -> dict[str, str]:
    """Return the objects of the cluster, as their authors wrote them."""
    listed = tool(lab, *CONTEXT, "get", "deployments,persistentvolumeclaims,persistentvolumes", "--output=json")
    return {
        f"{one['kind']} {one['metadata']['name']}": json.dumps(
            one["spec"]["template"] if one["kind"] == "Deployment" else one["spec"].get("volumeName", one["spec"].get("hostPath"))
        )
        for one in json.loads(listed)["items"]
    }


def docker_images(lab: Lab) -> list[str]:
    rows = tool(lab, "docker", "--host", f"unix://{lab.home}/.colima/{PROFILE}/docker.sock", "images", "--no-trunc", "--quiet")
    return sorted(rows.split())


def nerdctl_images(lab: Lab, namespace: str) -> set[str]:
    shown = ("images", "--format", "{{.Repository}}:{{.Tag}}")
    return set(tool(lab, "colima", "nerdctl", "--profile", PROFILE, "--", "--namespace", namespace, *shown).split())


def complete(lab: Lab, before: dict[str, str], tree: list[bytes]) -> None:
    """Check that everything is in the new VM, and still in the old one."""
    assert things(lab) == before
    assert told(disk(lab) / STORAGE) == tree == told(kept_disk(lab) / STORAGE)
    assert [path.name for path in (disk(lab) / STORAGE).parent.iterdir()] == [(disk(lab) / STORAGE).name]
    assert nerdctl_images(lab, "k8s.io") >= {"web:1"}
    assert nerdctl_images(lab, "default") >= set(IMAGES) - {"web:1"}


@pytest.mark.long("kills on real engines; tests/property/test_vm_life.py kills in 100 histories")
@pytest.mark.fault(
    "a move from docker to containerd was killed at several moments",
    there="the old VM with its whole content, and each archive that was complete",
)
def test_a_killed_move_goes_on_and_copies_nothing_twice(lab: Lab) -> None:
    before, tree, images = things(lab), told(disk(lab) / STORAGE), docker_images(lab)
    draw = random.Random(os.environ.get("LAPTOP_SEED", "runtime"))  # noqa: S311 - not for secrets
    saved: dict[str, int] = {}
    for _ in range(KILLS):
        if not killed(begun(lab), draw.uniform(1.0, LATEST)):
            complete(lab, before, tree)
            bring_back(lab)
            saved = {}
            continue
        now = sound_files(lab)
        assert now | saved == now
        saved = now
        arrived = disk(lab) / STORAGE
        assert not arrived.exists() or told(arrived) == tree
    given = {"colima_profiles": settings("containerd"), "secret_refresh_registries": [], "move_directory": str(moves(lab))}
    play(lab, "playbooks/move.yml", "-e", json.dumps(given))
    complete(lab, before, tree)
    assert not any(move(lab, phase)["changed"] for phase in ("leave", "arrive", "ready"))
    bring_back(lab)
    assert (things(lab), told(disk(lab) / STORAGE), docker_images(lab)) == (before, tree, images)


def test_the_daily_run_moves_a_profile_that_is_to_be_recreated(lab: Lab) -> None:
    before, tree = things(lab), told(disk(lab) / STORAGE)
    given = {
        "colima_profiles": settings("containerd"),
        "colima_on_fixed_change": "recreate",
        "move_directory": str(moves(lab)),
        "secret_refresh_registries": [],
        "docker_context_contexts": [],
        "buildx_builders": [],
    }
    daily = ("playbooks/workstation.yml", "-e", json.dumps(given))

    planned = play(lab, *daily, "--check")
    assert "keep the VM of profile 'k8s'" in planned
    assert "runtime docker -> containerd, because what is in the VM has to move first." in " ".join(planned.split())
    left_alone = play(lab, "playbooks/start.yml", "-e", json.dumps(given))
    assert "runtime docker -> containerd, because what is in the VM has to move first." in " ".join(left_alone.split())

    found = " ".join(play(lab, "playbooks/doctor.yml", "-e", json.dumps(given), "--tags", "profiles").split())
    assert "runtime docker -> containerd, because what is in the VM has to move first" in found
    assert "colima_restart" not in found

    mine = ("docker", "--host", f"unix://{lab.home}/.colima/{PROFILE}/docker.sock", "volume")
    tool(lab, *mine, "create", "db")
    refused = play(lab, *daily, code=2)
    assert "not all of it would go along. Volumes of docker stay in 'k8s-docker': db." in " ".join(refused.split())
    tool(lab, *mine, "rm", "db")

    killed(playing(lab, *daily), 8.0)
    assert tree in [told(place / STORAGE) for place in (disk(lab), kept_disk(lab)) if (place / STORAGE).exists()]
    play(lab, *daily)
    complete(lab, before, tree)
    assert "changed=0" in play(lab, *daily)


def killed(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill a move after some time. Returns False where it was faster."""
    if killed_after(process, seconds):
        return True
    assert process.returncode == 0
    return False


@pytest.mark.fault("the laptop's disk had no room for a move", there="the old VM, and nothing on the small disk")
def test_without_room_nothing_is_touched(lab: Lab) -> None:
    with small_disk(lab.directory / "small", 4) as place:
        with pytest.raises(RefusedStep, match=r"it needs \d+ MiB of the laptop's disk, and \d+ MiB are free\. Free some"):
            move(lab, "leave", directory=str(place))
        assert list(place.iterdir()) == []


def test_a_disk_that_fills_up_is_named_and_gets_no_half_file(lab: Lab) -> None:
    more = disk(lab) / STORAGE / "more"
    more.mkdir()
    # Small files take more of an archive than their sizes tell.
    many_files(more, 8000)
    claim = Claim("pvc-1", "default/data", f"/var/lib/{STORAGE}")
    inside = Inside(Colima(resolve(os.environ, "Darwin")), parse_name(PROFILE))
    try:
        with small_disk(lab.directory / "filling", 5) as place:
            with pytest.raises(CommandFailed, match=r"save volume 'default/data': the disk of .* is full\. Free some disk space"):
                inside.save(claim, place, lambda _file: lambda: None)
            assert list(place.iterdir()) == []
            enlarge(place, 100)
            inside.save(claim, place, lambda _file: lambda: None)
            (saved,) = archive.read(place, [place / archive.volume_file(claim)]).claims
            assert saved.claim == claim and (place / saved.file).stat().st_size == saved.size
    finally:
        shutil.rmtree(more)
