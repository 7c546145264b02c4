# SPDX-License-Identifier: GPL-3.0-or-later
"""What crashes and people do to a profile between runs. In each state only possible mishaps happen."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name

from rehearsal.standin.colima.lima.instances import Instance
from tests.support.colima.standin_laptop import ColimaLab
from tests.support.processes import kill

Mishap = Callable[[ColimaLab, Name], object]


def _instance(lab: ColimaLab, name: Name) -> Instance:
    return Instance(lab.paths.instance(name))


def kill_host_agent(lab: ColimaLab, name: Name) -> None:
    if agent := _instance(lab, name).host_agent:
        kill(agent)


def kill_driver(lab: ColimaLab, name: Name) -> None:
    instance = _instance(lab, name)
    if instance.driver:
        # A host agent would notice and clean up about a second later.
        os.kill(instance.host_agent or instance.driver, signal.SIGSTOP)
        kill(instance.driver)


def power_cut(lab: ColimaLab, name: Name) -> None:
    instance = _instance(lab, name)
    for pid in {instance.host_agent, instance.driver} - {0}:
        kill(pid)


def stale_lock(lab: ColimaLab, name: Name) -> None:
    instance, disk = _instance(lab, name), lab.paths.data_disk(name)
    if disk.is_dir() and instance.directory.is_dir() and not instance.host_agent:
        (disk / "in_use_by").unlink(missing_ok=True)
        (disk / "in_use_by").symlink_to(instance.directory)


def damage(lab: ColimaLab, name: Name) -> None:
    file = lab.paths.instance(name) / "lima.yaml"
    if file.exists():
        file.write_text("{")


def interrupted_creation(lab: ColimaLab, name: Name) -> None:
    """Leave what a limactl leaves that was killed before it wrote the definition."""
    if not lab.paths.instance(name).exists():
        lab.paths.instance(name).mkdir(parents=True)


def interrupted_disk(lab: ColimaLab, name: Name) -> None:
    if not lab.paths.data_disk(name).exists():
        lab.paths.data_disk(name).mkdir(parents=True)


def spoil(lab: ColimaLab, name: Name, text: str) -> None:
    if lab.paths.configured(name).exists():
        lab.paths.configured(name).write_text(text)


def own_buildkit(lab: ColimaLab, name: Name) -> None:
    """Write what a user may keep there, whether it builds into the cluster or not."""
    file = lab.paths.buildkit(name)
    if file.parents[1].is_dir():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b'# mine\r\n[worker.containerd]\r\nnamespace = "k8s.io"\r\n')


def start(*flags: str) -> Mishap:
    return lambda lab, name: lab.run("colima", "start", name.name, *flags)


def lose(path: Callable[[ColimaLab, Name], Path]) -> Mishap:
    return lambda lab, name: path(lab, name).unlink(missing_ok=True)


_ALL: dict[str, Mishap] = {
    "colima start": start(),
    "colima start, other flags": start("--cpus", "3", "--disk", "10", "--mount", "none"),
    "colima start, containerd": start("--runtime", "containerd", "--kubernetes"),
    "colima stop": lambda lab, name: lab.run("colima", "stop", name.name),
    "colima stop --force": lambda lab, name: lab.run("colima", "stop", name.name, "--force"),
    "colima delete": lambda lab, name: lab.run("colima", "delete", name.name, "--force"),
    "lost colima.yaml": lose(lambda lab, name: lab.paths.configured(name)),
    "malformed colima.yaml": lambda lab, name: spoil(lab, name, "cpu: [\n"),
    "wrongly typed colima.yaml": lambda lab, name: spoil(lab, name, "cpu: many\nruntime: docker\nmemory: 2\n"),
    "lost store note": lose(lambda lab, name: lab.paths.store(name)),
    "lost state file": lose(lambda lab, name: lab.paths.applied(name)),
    "lost kubeconfig": lambda lab, _: (lab.home / ".kube" / "config").unlink(missing_ok=True),
    "stale disk lock": stale_lock,
    "killed host agent": kill_host_agent,
    "killed driver": kill_driver,
    "power cut": power_cut,
    "damaged lima.yaml": damage,
    "lost lima.yaml": lose(lambda lab, name: lab.paths.instance(name) / "lima.yaml"),
    "stale docker context": lambda lab, name: lab.run(
        "docker", "context", "update", name.id, "--docker", "host=unix:///old.sock"
    ),
    "colima upgraded": lambda lab, _: lab.settings.update(COLIMA_VERSION="0.10.3"),
    "interrupted creation": interrupted_creation,
    "interrupted disk": interrupted_disk,
    "own buildkitd.toml": own_buildkit,
}
MISHAPS = tuple(_ALL)


def happen(lab: ColimaLab, name: Name, mishap: str) -> None:
    """Do what the mishap does."""
    _ALL[mishap](lab, name)
