# SPDX-License-Identifier: GPL-3.0-or-later
"""Changed settings of a machine, and settings that were lost or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep

from tests.support.colima.real_machines import Machines

K8S = {"name": "k8s", "runtime": "containerd", "cpu": 1, "memory": 1, "disk": 10}


def settings(laptop: Machines) -> Path:
    return laptop.paths.configured(parse_name("k8s"))


@pytest.mark.parametrize("damage", ["removed", "emptied", "malformed"])
def test_lost_settings_are_put_right_without_a_restart(laptop: Machines, damage: str) -> None:
    machine = laptop.pid("k8s", "qemu")
    if damage == "removed":
        settings(laptop).unlink()
    else:
        settings(laptop).write_text("" if damage == "emptied" else "cpu: [1\n")
    laptop.converge(K8S)
    found = yaml.safe_load(settings(laptop).read_text())
    assert (found["runtime"], found["cpu"], found["memory"]) == ("containerd", 1, 1)
    assert laptop.converge(K8S).actions == ()
    assert laptop.pid("k8s", "qemu") == machine


def test_another_runtime_is_refused(laptop: Machines) -> None:
    with pytest.raises(RefusedStep):
        laptop.converge({**K8S, "runtime": "docker"})
    assert laptop.converge(K8S).actions == ()


def test_a_smaller_disk_is_refused(laptop: Machines) -> None:
    with pytest.raises(RefusedStep):
        laptop.converge({**K8S, "disk": 5})
    assert laptop.converge(K8S).actions == ()


@pytest.mark.long("a boot; tests/integration/colima/test_profile.py on the stand-in")
def test_a_larger_machine_waits_for_a_restart_and_then_is_larger(laptop: Machines) -> None:
    larger = {**K8S, "memory": 2, "disk": 12}
    waiting = laptop.converge(larger, restart="never")
    assert waiting.pending
    assert laptop.converge(larger, restart="always").pending == ()
    memory = int(laptop.inside("k8s", "sed", "-n", "s/^MemTotal: *\\([0-9]*\\) kB/\\1/p", "/proc/meminfo"))
    assert memory > 1.5 * 2**20
    size = laptop.inside("k8s", "df", "--output=size", "--block-size=1M", "/var/lib/containerd").split()[-1]
    assert int(size) > 11 * 1024
    assert laptop.converge(larger).actions == ()
