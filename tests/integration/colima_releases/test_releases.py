# SPDX-License-Identifier: GPL-3.0-or-later
"""Real releases of colima, old and new: the life of a profile on each, and what becomes of it when colima is exchanged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep

from rehearsal.engines import as_released, find
from tests.support.colima.real_colima import RealColimaLab
from tests.support.colima.standin_laptop import lab_of

DEV: dict[str, Any] = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
K8S: dict[str, Any] = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 2, "memory": 4}
NEWER_K3S = "v1.36.9+k3s1"
NEWEST = "newest"
RELEASES = (*as_released.OLDER, NEWEST)


@pytest.fixture
def lab() -> Iterator[RealColimaLab]:
    with lab_of(RealColimaLab) as lab:
        yield lab


def program(release: str) -> Path:
    """Return a real colima. The radar names the newest one to try."""
    named = os.environ.get("LAPTOP_REAL_COLIMA")
    found = Path(named, "colima") if named else find("colima")
    built = found if release == NEWEST else as_released.colima(release).built
    if built is None:
        pytest.skip(f"colima {release} is not built: run 'make engines' (needs Go)")
    return built


@pytest.mark.long("15 s of processor each; test_a_newer_colima_takes_over runs on the oldest one")
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("options", [DEV, K8S], ids=["docker", "Kubernetes"])
def test_a_profile_lives_on_a_release_as_on_any_other(lab: RealColimaLab, release: str, options: dict[str, Any]) -> None:
    lab.install(program(release), k3s=[NEWER_K3S])
    name = options["name"]
    first = lab.converge(options)
    assert first.profiles[0]["status"] == "running"
    assert lab.converge(options).actions == ()
    grown = {**options, "cpu": 3, "disk": 120}
    if "kubernetes" in options:
        grown["kubernetes"] = {"enabled": True, "version": NEWER_K3S}
    done = lab.converge(grown, restart="always")
    assert (done.profiles[0]["cpu"], done.profiles[0]["disk"]) == (3, 120)
    assert lab.converge(grown).actions == ()
    if "kubernetes" in options:
        guest = ("limactl", "shell", "--workdir", "/", f"colima-{name}", "k3s", "--version")
        assert NEWER_K3S in lab.run("env", f"LIMA_HOME={lab.paths.lima}", *guest).stdout
    lab.converge({**grown, "state": "stopped"})
    assert lab.converge({**grown, "state": "stopped"}).actions == ()
    again = lab.converge(grown)
    assert (again.profiles[0]["status"], again.profiles[0]["cpu"]) == ("running", 3)
    gone = lab.converge({"name": name, "state": "absent"}, delete_data=True, confirm_data_loss=[name])
    assert gone.actions
    assert lab.converge({"name": name, "state": "absent"}).actions == ()


def started_again(lab: RealColimaLab, options: dict[str, Any]) -> None:
    """Exchange nothing else: the same profile stops, starts, and gets another CPU. What the user has in the VM stays."""
    mark = lab.paths.instance(parse_name(options["name"])) / "root" / "home" / "mine"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("mine")
    assert lab.converge(options).actions == ()
    lab.converge({**options, "state": "stopped"})
    again = lab.converge(options)
    assert len(again.actions) == 1
    # A start changes nothing else, and colima's own entry for the host is none of the user's.
    assert again.diff == {"before": {options["name"]: {"state": "stopped"}}, "after": {options["name"]: {"state": "running"}}}
    more = {**options, "cpu": options["cpu"] + 1}
    assert lab.converge(more, restart="always").profiles[0]["cpu"] == more["cpu"]
    assert lab.converge(more).actions == ()
    assert mark.read_text() == "mine"


@pytest.mark.parametrize(("release", "options"), [("0.8.1", K8S), ("0.9.1", DEV)], ids=["0.8.1", "0.9.1"])
def test_a_newer_colima_takes_over_what_an_older_one_made(lab: RealColimaLab, release: str, options: dict[str, Any]) -> None:
    file = lab.paths.configured(parse_name(options["name"]))
    lab.install(program(release))
    lab.converge(options)
    k3s = yaml.safe_load(file.read_text())["kubernetes"]["version"]
    lab.install(program(NEWEST))
    started_again(lab, options)
    assert yaml.safe_load(file.read_text())["kubernetes"]["version"] == k3s
    gone = {"name": options["name"], "state": "absent"}
    if release < "0.9":
        with pytest.raises(RefusedStep, match="it has no separate data disk, so all its images and volumes would be lost"):
            lab.converge(gone)
    else:
        lab.put_marker(options["name"])
        lab.converge(gone)
        lab.converge(options)
        assert lab.has_marker(options["name"])


@pytest.mark.long("the way back; the way forth runs")
def test_an_older_colima_with_data_disks_goes_on_with_what_a_newer_one_made(lab: RealColimaLab) -> None:
    lab.install(program(NEWEST))
    lab.converge(DEV)
    lab.put_marker("dev")
    lab.install(program("0.9.1"))
    started_again(lab, DEV)
    assert lab.has_marker("dev")


def test_a_colima_without_data_disks_does_not_start_what_a_newer_one_made(lab: RealColimaLab) -> None:
    lab.install(program(NEWEST))
    lab.converge(DEV)
    lab.install(program("0.8.1"))
    assert lab.converge(DEV).actions == ()
    with pytest.raises(RefusedStep) as refused:
        lab.converge({**DEV, "cpu": 3}, restart="always")
    assert refused.value.message == (
        "Could not start profile 'dev' with colima 0.8.1: its images and volumes are on a data disk, which a colima before 0.9.0 "
        "leaves out. Run 'brew upgrade colima'."
    )
    lab.converge({**DEV, "state": "stopped"})
    with pytest.raises(RefusedStep, match="leaves out"):
        lab.converge(DEV)
