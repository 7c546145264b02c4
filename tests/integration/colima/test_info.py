# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is known about profiles, healthy and not; never a failure because something is absent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.read import read
from ansible_collections.laptop.containers.plugins.module_utils.colima.report import full_profile
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name

from tests.support.colima.standin_laptop import ColimaLab
from tests.support.processes import kill

DEV = {"name": "dev", "vm_type": "qemu", "cpu": 2, "memory": 4, "disk": 20}
K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}


def info(lab: ColimaLab) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """The answer of the module: all profiles by name, and what could not be read."""
    snapshot = read(lab.colima, None, tolerant=True)
    return {name: full_profile(lab.paths, one, lab.host) for name, one in snapshot.profiles.items()}, snapshot.problems


def test_a_laptop_without_anything_has_no_profiles(lab: ColimaLab) -> None:
    assert info(lab) == ({}, ())


def test_healthy_profiles_are_told_with_sizes_and_sockets(lab: ColimaLab) -> None:
    lab.converge(DEV, K8S)
    found, problems = info(lab)
    assert (sorted(found), problems) == (["dev", "k8s"], ())
    dev, k8s = found["dev"], found["k8s"]
    assert (dev["status"], dev["cpu"], dev["memory"], dev["disk"], dev["problems"], dev["drift"]) == ("running", 2, 4, 20, [], [])
    assert dev["data_disk"] == {"size": 20 << 30, "used_by": "colima-dev", "formatted": True, "runtime": "docker"}
    assert (dev["docker_socket"], dev["docker_context"]) == (lab.paths.socket(parse_name("dev"), "docker"), "colima-dev")
    assert (k8s["kubernetes_running"], k8s["kube_context"], k8s["buildkitd_socket"] != "") == (True, "colima-k8s", True)
    assert dev["configured"]["kubernetes"]["enabled"] is False


def test_outside_changes_and_wrong_values_of_colima_are_reported(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.run("colima", "start", "dev", "--cpus", "6")
    assert info(lab)[0]["dev"]["drift"] == [{"option": "cpu", "applied": 2, "configured": 6}]
    lab.run("colima", "stop", "dev")
    lab.run("colima", "start", "dev", "--disk", "10")
    dev = info(lab)[0]["dev"]
    assert dev["disk"] == 20
    assert dev["problems"] == ["its settings claim a disk of 10 GiB, and it has 20 GiB"]


def test_what_is_broken_is_told(lab: ColimaLab) -> None:
    lab.converge(DEV)
    kill(lab.machine("dev"))
    lab.paths.configured(parse_name("dev")).write_text("cpu: [")
    lab.paths.store(parse_name("dev")).unlink()
    dev = info(lab)[0]["dev"]
    assert dev["status"] == "broken"
    assert dev["configured_problem"] == "is not YAML"
    assert dev["problems"] == [
        "its VM is broken",
        "its colima.yaml is not YAML",
        "colima's note that its data disk is formatted is lost",
    ]


def test_a_kept_disk_and_settings_without_a_vm_are_traces(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.converge({"name": "dev", "state": "absent"})
    lab.paths.configured(parse_name("two")).parent.mkdir()
    lab.paths.configured(parse_name("two")).write_text("runtime: docker\n")
    found, _ = info(lab)
    assert {name: (one["status"], one["disk"]) for name, one in found.items()} == {"dev": ("absent", 20), "two": ("defined", 0)}


@pytest.mark.parametrize("gone", ["limactl", "colima"])
def test_a_missing_program_is_a_problem_and_no_failure(lab: ColimaLab, gone: str) -> None:
    lab.converge(DEV)
    (lab.bin / gone).rename(lab.root / gone)
    found, problems = info(lab)
    assert found["dev"]["configured"]["cpu"] == 2
    assert gone == "colima" or "Could not find 'limactl'" in problems[0]
    (lab.root / gone).rename(lab.bin / gone)
