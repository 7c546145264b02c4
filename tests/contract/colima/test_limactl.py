# SPDX-License-Identifier: GPL-3.0-or-later
"""limactl by itself: disks and what it answers about instances that are not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import REAL, STANDIN, Result, Rig, _rig, spoken


@pytest.fixture(params=[STANDIN, REAL])
def lima(request: pytest.FixtureRequest, programs: dict[str, Path]) -> Iterator[Rig]:
    """The stand-in limactl and the real one. No qemu-img: the one of the suite does nothing, and none is needed."""
    for rig in _rig(request.param, programs):
        rig.environment["PATH"] = rig.without("qemu-img")
        rig.colima("list")
        yield rig


def said(result: Result) -> list[tuple[str, str]]:
    """Level and message of what was logged; limactl logs on stderr."""
    return [(level, message) for level, message, _ in spoken(result.err)]


def test_a_disk_is_created_listed_grown_and_deleted(lima: Rig) -> None:
    place = lima.lima / "_disks" / "d"
    assert said(lima.limactl("disk", "create", "d", "--size", "1GiB")) == [
        ("info", "Creating qcow2 disk `d` with size 1GiB"),
    ]
    described = json.loads(lima.limactl("disk", "list", "--json", "d").out)
    assert list(described) == ["name", "size", "format", "dir", "instance", "instanceDir", "mountPoint"]
    assert described == {
        "name": "d",
        "size": 1 << 30,
        "format": "raw",
        "dir": str(place),
        "instance": "",
        "instanceDir": "",
        "mountPoint": "/mnt/lima-d",
    }
    table = lima.limactl("disk", "list").out.splitlines()
    assert [line.split() for line in table] == [["NAME", "SIZE", "FORMAT", "DIR", "IN-USE-BY"], ["d", "1GiB", "raw", str(place)]]
    assert said(lima.limactl("disk", "resize", "d", "--size", "2GiB")) == [("info", f"Resized disk `d` (`{place}`)")]
    assert json.loads(lima.limactl("disk", "list", "--json", "d").out)["size"] == 2 << 30
    assert said(lima.limactl("disk", "delete", "d")) == [("info", f"Deleted `d` (`{place}`)")]


@pytest.mark.parametrize(
    ("argv", "rc", "level", "message"),
    [
        (["disk", "create", "d", "--size", "1GiB"], 1, "fatal", "disk `d` already exists (`DISKS/d`)"),
        (["disk", "create", "e", "--size", "x"], 1, "fatal", "invalid size: 'x'"),
        (["disk", "resize", "nosuch", "--size", "2GiB"], 1, "fatal", "disk `nosuch` does not exists"),
        (["disk", "unlock", "d"], 0, "warning", "Ignoring unlocked disk `d`"),
        (["disk", "unlock", "nosuch"], 0, "warning", "Ignoring non-existent disk `nosuch`"),
        (["disk", "delete", "nosuch"], 0, "warning", "Ignoring non-existent disk `nosuch`"),
        (["stop", "nosuch"], 1, "fatal", "open LIMA/nosuch/lima.yaml: no such file or directory"),
        (["stop", "--force", "nosuch"], 1, "fatal", "open LIMA/nosuch/lima.yaml: no such file or directory"),
        (["delete", "--force", "nosuch"], 0, "warning", "Ignoring non-existent instance `nosuch`"),
        (["start", "/nonexistent.yaml"], 1, "fatal", "open /nonexistent.yaml: no such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_not_there_is_named(lima: Rig, argv: list[str], rc: int, level: str, message: str) -> None:
    lima.limactl("disk", "create", "d", "--size", "1GiB")
    result = lima.limactl(*argv)
    message = message.replace("DISKS", str(lima.lima / "_disks")).replace("LIMA", str(lima.lima))
    assert (result.rc, said(result)[-1]) == (rc, (level, message)), result


def test_one_directory_without_a_file_ends_the_list_of_all(lima: Rig) -> None:
    place = lima.lima / "colima-lab"
    lima.run("mkdir", str(place))
    result = lima.limactl("list", "--json")
    message = f"unable to load instance colima-lab: open {place}/lima.yaml: no such file or directory"
    assert (result.rc, result.out, said(result)[-1]) == (1, "", ("fatal", message))
    assert lima.colima("list", "--json").fatal == "error retrieving instances: exit status 1"
    # Of what is named, only that is read.
    assert said(lima.limactl("list", "--json", "nosuch"))[-1] == ("fatal", "unmatched instances")


def test_a_disk_does_not_shrink(lima: Rig) -> None:
    lima.limactl("disk", "create", "d", "--size", "1GiB")
    result = lima.limactl("disk", "resize", "d", "--size", "512MiB")
    message = "specified size `512MiB` is less than the current disk size `1GiB`. Disk shrinking is currently unavailable"
    assert (result.rc, said(result)) == (1, [("fatal", message)])


def test_a_locked_disk_is_not_deleted(lima: Rig) -> None:
    lima.limactl("disk", "create", "d", "--size", "1GiB")
    (lima.lima / "_disks" / "d" / "in_use_by").symlink_to(lima.lima / "other")
    described = json.loads(lima.limactl("disk", "list", "--json", "d").out)
    assert (described["instance"], described["instanceDir"]) == ("other", str(lima.lima / "other"))
    result = lima.limactl("disk", "delete", "d")
    assert (result.rc, said(result)) == (1, [("fatal", "cannot delete disk `d` in use by instance `other`")])
    assert lima.limactl("disk", "unlock", "d").rc == 0
    assert lima.limactl("disk", "delete", "d").rc == 0


def test_what_an_interrupted_creation_leaves_is_no_disk_and_in_the_way_of_one(lima: Rig) -> None:
    place = lima.lima / "_disks" / "half"
    lima.limactl("disk", "create", "d", "--size", "1GiB")
    place.mkdir()
    listed = lima.limactl("disk", "list", "--json")
    assert (listed.rc, [json.loads(line)["name"] for line in listed.out.splitlines()]) == (0, ["d"])
    assert f'level=error msg="disk `half` does not exist?" error="stat {place}/datadisk: no such file or directory"' in listed.err
    created = lima.limactl("disk", "create", "half", "--size", "1GiB")
    assert (created.rc, said(created)) == (1, [("fatal", f"disk `half` already exists (`{place}`)")])
    assert said(lima.limactl("disk", "delete", "--force", "half")) == [("warning", "Ignoring non-existent disk `half`")]
    assert place.is_dir()


def test_an_instance_that_is_not_there_is_a_failure_of_list(lima: Rig) -> None:
    result = lima.limactl("list", "--json", "nosuch")
    assert (result.rc, result.out) == (1, "")
    assert said(result) == [("warning", "No instance matching nosuch found."), ("fatal", "unmatched instances")]


def test_no_instances_are_a_warning(lima: Rig) -> None:
    result = lima.limactl("list", "--json")
    assert (result.rc, result.out) == (0, "")
    assert said(result) == [("warning", "No instance found. Run `limactl create` to create an instance.")]


def test_the_version_is_in_info(lima: Rig) -> None:
    assert json.loads(lima.limactl("info").out)["version"].split(".")[0] in ("2", "1")
    assert lima.limactl("--version").out.startswith("limactl version ")
