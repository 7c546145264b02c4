# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots against the light lab: taken, kept, restored byte by byte, also by a run that follows one that was killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.snapshot import sparse
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.task import DiskSnapshot

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play, tool
from tests.support.processes import killed_after
from tests.support.test_runs.tiers import times

MIB = 1 << 20
PROFILE = "docker-buildx"
KILLS = times(1, 2, 20)
_RUN = """
import json, sys
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.task import DiskSnapshot
run(DiskSnapshot(), json.loads(sys.argv[1]), check_mode=False)
"""


@pytest.fixture(scope="module")
def up() -> Iterator[Lab]:
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml", "--tags", "colima")
        play(lab, "playbooks/stop.yml")
        yield lab


@pytest.fixture
def lab(up: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The lab with a stopped profile, whose data disk is 256 MiB of which 8 MiB are used."""
    for name, value in up.environment.items():
        monkeypatch.setenv(name, value)
    with disk(up).open("wb") as file:
        file.truncate(256 * MIB)
        for number in range(8):
            file.seek(number * 30 * MIB + 4096 * number)
            file.write(random.Random(number).randbytes(MIB))  # noqa: S311 - not for secrets
    subprocess.run(["rm", "-rf", kept(up)], check=True)
    return up


def disk(lab: Lab) -> Path:
    return lab.home / f".colima/_lima/_disks/colima-{PROFILE}/datadisk"


def kept(lab: Lab) -> Path:
    return lab.home / ".local/share/laptop.containers/snapshots" / PROFILE


def content(path: Path) -> str:
    """Return the digest of a file as another program sees it."""
    return subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout.split()[0]


def options(lab: Lab, **more: Any) -> dict[str, Any]:
    given = {name: one.get("default") for name, one in DiskSnapshot.argument_spec.items()}
    return {**given, "profile": PROFILE, "name": "one", "directory": str(kept(lab).parent), **more}


def snapshot(lab: Lab, **more: Any) -> dict[str, Any]:
    return run(DiskSnapshot(), options(lab, **more), check_mode=False)


def change(lab: Lab) -> None:
    with disk(lab).open("r+b") as file:
        file.seek(128 * MIB)
        file.write(b"changed")


def test_a_disk_comes_back_byte_by_byte_and_holes_stay_holes(lab: Lab) -> None:
    before, taken = content(disk(lab)), disk(lab).stat().st_blocks * 512
    assert snapshot(lab)["changed"] and not snapshot(lab)["changed"]
    copy = kept(lab) / "one" / "disk"
    # A unit that is used in part is written as a whole.
    assert content(copy) == before and copy.stat().st_blocks * 512 <= 2 * taken + MIB
    change(lab)
    with pytest.raises(RefusedStep, match="everything that is on it now would be lost"):
        snapshot(lab, state="restored")
    assert content(disk(lab)) != before
    assert snapshot(lab, state="restored", confirm=PROFILE)["changed"]
    assert content(disk(lab)) == before and disk(lab).stat().st_blocks * 512 <= 2 * taken + MIB
    assert not snapshot(lab, state="restored", confirm=PROFILE)["changed"]


def test_a_profile_that_does_not_exist_is_refused_with_the_known_ones(lab: Lab) -> None:
    reason = rf"of profile '{PROFILE}x': there is no such profile\. Correct its name\. There are: .*\. Did you mean '{PROFILE}'\?"
    with pytest.raises(InputError, match=reason):
        snapshot(lab, profile=f"{PROFILE}x")


def test_a_disk_elsewhere_is_restored_there_and_the_link_stays(lab: Lab, tmp_path: Path) -> None:
    link, outside = disk(lab), tmp_path / "external"
    outside.mkdir()
    link.rename(outside / "k8s.img")
    link.symlink_to(outside / "k8s.img")
    try:
        before = content(outside / "k8s.img")
        snapshot(lab)
        change(lab)
        snapshot(lab, state="restored", confirm=PROFILE)
        assert link.is_symlink() and content(outside / "k8s.img") == before
        assert [path.name for path in outside.iterdir()] == ["k8s.img"] and link.parent.is_dir()
        away = outside.rename(tmp_path / "away")
        with pytest.raises(InputError, match=rf"there is no '{outside}/k8s\.img'\. Attach the disk that it is on, or correct"):
            snapshot(lab, state="restored", confirm=PROFILE)
        away.rename(outside)
    finally:
        link.unlink()
        (outside / "k8s.img").rename(link)


def test_the_playbooks_do_it_and_a_running_profile_is_left_alone(lab: Lab) -> None:
    before = content(disk(lab))
    settings = ("-e", "snapshot_name=two", "-e", "snapshot_keep=1")
    snapshot(lab)
    assert "changed=1" in play(lab, "playbooks/snapshot.yml", *settings)
    assert [path.name for path in kept(lab).iterdir()] == ["two"]
    assert "changed=0" in play(lab, "playbooks/snapshot.yml", *settings)
    change(lab)
    play(lab, "playbooks/restore.yml", *settings, "-e", f"snapshot_confirm={PROFILE}")
    assert content(disk(lab)) == before
    tool(lab, "colima", "start", "--profile", PROFILE)
    try:
        with pytest.raises(RefusedStep, match="the profile is running"):
            snapshot(lab, name="three")
    finally:
        tool(lab, "colima", "stop", "--profile", PROFILE)


@pytest.mark.parametrize("state", ["present", "restored"])
def test_a_killed_run_leaves_no_half_and_the_next_one_completes_it(lab: Lab, state: str) -> None:
    before = content(disk(lab))
    if state == "restored":
        snapshot(lab)
        change(lab)
    old = content(disk(lab))
    draw = random.Random(os.environ.get("LAPTOP_SEED", state))  # noqa: S311 - not for secrets
    given = json.dumps(options(lab, state=state, confirm=PROFILE))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", _RUN, given], env=environment, start_new_session=True)
        killed_after(process, draw.uniform(0.2, 1.5))
        assert content(disk(lab)) in (old, before)
        for copy in kept(lab).glob("[!.]*/disk"):
            assert content(copy) == before
    (disk(lab).parent / "datadisk.part").write_bytes(b"half")
    snapshot(lab, state=state, confirm=PROFILE)
    assert content(disk(lab)) == before == content(kept(lab) / "one" / "disk")
    assert [path.name for path in kept(lab).iterdir()] == ["one"]
    assert not list(disk(lab).parent.glob("*.part"))


@pytest.mark.skipif(shutil.which("mkfs.xfs") is None or os.geteuid() != 0, reason="mkfs.xfs is missing: apt-get install xfsprogs")
def test_a_file_system_that_can_clone_gives_no_block_for_a_snapshot(tmp_path: Path) -> None:
    image, place = tmp_path / "image", tmp_path / "xfs"
    with image.open("wb") as file:
        file.truncate(512 * MIB)
    place.mkdir()
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        source = place / "disk"
        source.write_bytes(random.Random(1).randbytes(200 * MIB))  # noqa: S311 - not for secrets
        before = shutil.disk_usage(place).free
        assert sparse.clone(source, place / "copy")
        assert before - shutil.disk_usage(place).free < MIB
        with source.open("r+b") as file:
            file.write(b"changed")
        assert sparse.digest(place / "copy") != sparse.digest(source)
    finally:
        subprocess.run(["umount", place], check=True)
