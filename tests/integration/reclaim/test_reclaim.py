# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that frees disk space, against the light lab: its plan, what goes, and what the laptop gets back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.lab.laptop import Lab
from rehearsal.standin.colima import guest_reads
from tests.support.lab_playbooks import light_lab, play, tool

MIB = 1 << 20
DAY = 86400
PLAYBOOK = "playbooks/reclaim.yml"


@pytest.fixture(scope="module")
def up() -> Iterator[Lab]:
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml", "--tags", "colima")
        yield lab


@pytest.fixture
def lab(up: Lab) -> Lab:
    """The lab, with an engine and a cluster that keep what nothing uses, beside what something does."""
    old, now = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)) for ago in (8 * DAY, 0))
    pretend(up, "images", [{"Id": "sha256:11", "Size": 300 * MIB}, {"Id": "sha256:22", "RepoTags": ["web:1"], "Size": MIB}])
    pretend(up, "containers", [{"Names": ["/db"], "Mounts": [{"Type": "volume", "Name": "keep"}], "ImageID": "sha256:22"}])
    pretend(up, "volumes", [{"Name": "keep"}, {"Name": "old", "Size": 5 * MIB}])
    record = {"Parent": "", "InUse": False, "Shared": False, "Size": 2 * MIB, "Description": "local source"}
    pretend(up, "build-cache", [{"ID": "a", **record, "LastUsedAt": old}, {"ID": "b", **record, "LastUsedAt": now}])
    nameless = {"repoTags": [], "repoDigests": [], "size": str(40 * MIB), "pinned": False}
    images = [
        {"id": "sha256:44", **nameless},
        {"id": "sha256:55", **nameless},
        {"id": "sha256:66", **nameless, "repoTags": ["a:1"]},
    ]
    cluster = {"images": {"images": images}, "ps": {"containers": [{"id": "1", "imageRef": "sha256:55", "image": {}}]}}
    for name, content in cluster.items():
        file = lima(up) / "colima-k8s" / "root" / guest_reads.CRICTL.format(name).lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    return up


def lima(lab: Lab) -> Path:
    return lab.home / ".colima" / "_lima"


def state(lab: Lab) -> Path:
    return lima(lab) / "_disks" / "colima-docker-buildx" / "data" / "engine"


def pretend(lab: Lab, name: str, content: list[dict[str, Any]]) -> None:
    (state(lab) / f"{name}.json").write_text(json.dumps(content))


def kept(lab: Lab) -> dict[str, list[str]]:
    """Return what is left, by its ids or names."""
    keys = {"images": "Id", "volumes": "Name", "build-cache": "ID"}
    found = {name: [one[key] for one in json.loads((state(lab) / f"{name}.json").read_text())] for name, key in keys.items()}
    cluster = json.loads(
        tool(lab, "colima", "ssh", "--profile", "k8s", "--", "sudo", "k3s", "crictl", "images", "--output", "json")
    )
    return {**found, "cluster": [one["id"] for one in cluster["images"]]}


ALL = {"images": ["sha256:11", "sha256:22"], "volumes": ["keep", "old"], "build-cache": ["a", "b"]}
ALL["cluster"] = ["sha256:44", "sha256:55", "sha256:66"]
PLAN = (
    "remove 1 dangling image of profile 'docker-buildx' (300 MiB: 11)",
    "remove 1 piece of build cache of profile 'docker-buildx' (2 MiB)",
    "remove 1 dangling image of profile 'k8s' (up to 40 MiB: 44)",
)


def test_check_mode_is_the_plan(lab: Lab) -> None:
    printed = play(lab, PLAYBOOK, "--check")
    assert "would change" in printed and all(line in printed for line in PLAN), printed
    assert kept(lab) == ALL


def test_by_default_only_what_is_unused_by_its_nature_goes(lab: Lab) -> None:
    printed = play(lab, PLAYBOOK)
    assert all(line in printed for line in PLAN), printed
    assert kept(lab) == {
        "images": ["sha256:22"],
        "volumes": ["keep", "old"],
        "build-cache": ["b"],
        "cluster": ["sha256:55", "sha256:66"],
    }
    assert "changed=0" in play(lab, PLAYBOOK)


def test_volumes_go_by_name_and_one_in_use_is_pending(lab: Lab) -> None:
    asked = {"reclaim_volumes": ["old", "keep"], "reclaim_images": "keep", "reclaim_build_cache": "keep"}
    printed = play(lab, PLAYBOOK, "-e", json.dumps(asked))
    assert "remove 1 volume of profile 'docker-buildx' (5 MiB: old)" in printed
    assert "it is used by db" in printed and "leave it out of reclaim_volumes" in printed
    assert kept(lab)["volumes"] == ["keep"]


def test_the_laptop_gets_its_blocks_back_and_is_told_how_many(lab: Lab) -> None:
    play(lab, PLAYBOOK)
    disk = lima(lab) / "_disks" / "colima-k8s" / "datadisk"
    size, before = disk.stat().st_size, disk.stat().st_blocks
    with disk.open("r+b") as file:
        file.seek(8 * MIB)
        file.write(os.urandom(64 * MIB))
    printed = play(lab, PLAYBOOK)
    assert "give 64 MiB of profile 'k8s' back to the laptop" in printed
    assert (disk.stat().st_size, disk.stat().st_blocks) == (size, before)


def test_a_build_at_work_holds_all_of_its_profile_back(lab: Lab) -> None:
    processes = lima(lab) / "colima-docker-buildx" / "root/var/lib/rehearsal/processes"
    processes.parent.mkdir(parents=True, exist_ok=True)
    processes.write_text("runc --log /x run --bundle /y step\n")
    try:
        printed = play(lab, PLAYBOOK)
    finally:
        processes.unlink()
    assert "a build or transfer is running in it (a step of a build)" in printed
    assert kept(lab) == {**ALL, "cluster": ["sha256:55", "sha256:66"]}


def test_a_cluster_that_does_not_tell_keeps_all_images(lab: Lab) -> None:
    file = lima(lab) / "colima-k8s" / "root" / guest_reads.CRICTL.format("ps").lstrip("/")
    file.write_text("E1126 rpc error: code = Unavailable")
    play(lab, PLAYBOOK)
    assert kept(lab)["cluster"] == ALL["cluster"]


def test_a_stopped_vm_is_left_alone_and_told(lab: Lab) -> None:
    tool(lab, "colima", "stop", "k8s")
    try:
        printed = play(lab, PLAYBOOK)
        assert "profile 'k8s': freeing disk space, because it is stopped" in printed
        assert kept_of_docker(lab) == ["sha256:22"]
        rows = map(json.loads, tool(lab, "colima", "list", "--json").splitlines())
        assert {row["name"]: row["status"] for row in rows}["k8s"] == "Stopped"
    finally:
        play(lab, "playbooks/start.yml", "--tags", "colima")


def kept_of_docker(lab: Lab) -> list[str]:
    return [one["Id"] for one in json.loads((state(lab) / "images.json").read_text())]
