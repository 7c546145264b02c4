# SPDX-License-Identifier: GPL-3.0-or-later
"""What crashes and other hands do to machines: the next run puts it right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name

from rehearsal.processes.system import children, comes_true, command_of
from tests.support.colima.real_machines import Machines

NAME = "docker-buildx"


def options(laptop: Machines) -> dict[str, object]:
    """The machine as it is configured: tests before this one may have changed it."""
    found = yaml.safe_load(laptop.paths.configured(parse_name(NAME)).read_text())
    return {"name": NAME, "runtime": found["runtime"], "cpu": found["cpu"], "memory": int(found["memory"]), "disk": found["disk"]}


def works(laptop: Machines) -> bool:
    """Whether docker answers through the socket on the laptop."""
    return "linux" in laptop.run("docker", "--context", "colima-buildx", "version", "--format", "{{.Server.Os}}", code=None)


@pytest.mark.long("three deaths of a VM, a boot each; tests/contract/colima kills the stand-in's alike")
@pytest.mark.parametrize(
    ("kind", "pause"),
    [("ha", 0), ("qemu", 0), ("qemu", 5)],
)
def test_a_machine_that_was_killed_runs_again(laptop: Machines, kind: str, pause: float) -> None:
    wanted = options(laptop)
    laptop.kill(NAME, kind)
    time.sleep(pause)
    laptop.converge(wanted)
    assert laptop.statuses()[NAME] == "Running"
    assert works(laptop)
    assert laptop.converge(wanted).actions == ()


@pytest.mark.long("a boot; tests/integration/colima/test_trouble.py on the stand-in")
def test_a_machine_that_was_stopped_elsewhere_starts_again(laptop: Machines) -> None:
    wanted = options(laptop)
    laptop.run("colima", "stop", NAME)
    laptop.converge(wanted)
    assert works(laptop)
    laptop.run("colima", "stop", NAME)
    laptop.run("colima", "start", NAME)
    assert laptop.converge(wanted).actions == ()


def settings_are_written(laptop: Machines) -> bool:
    return laptop.paths.configured(parse_name("late")).exists()


def instance_is_there(laptop: Machines) -> bool:
    return laptop.paths.instance(parse_name("late")).exists()


def kernel_is_loading(laptop: Machines) -> bool:
    return (laptop.paths.instance(parse_name("late")) / "qemu.pid").exists()


def said(text: str) -> Callable[[Machines], bool]:
    def heard(laptop: Machines) -> bool:
        log = laptop.paths.instance(parse_name("late")) / "ha.stderr.log"
        return log.exists() and text in log.read_text()

    return heard


def kill_start(playing: subprocess.Popen[str]) -> None:
    """End the playbook and every process that it started, but for the machine itself: what it leaves is half a start."""
    found = [playing.pid]
    for pid in found:
        found += children(pid)
    for pid in found:
        if not {"hostagent", "qemu-system-x86_64"} & {Path(word).name for word in command_of(pid).split()[:2]}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    playing.communicate()


def has_come_or_ended(moment: Callable[[Machines], bool], laptop: Machines, playing: subprocess.Popen[str]) -> bool:
    return moment(laptop) or playing.poll() is not None


@pytest.mark.long("several boots; tests/faults/test_colima_kill.py on the stand-in")
def test_a_first_start_that_is_killed_again_and_again_succeeds_in_the_end(laptop: Machines) -> None:
    late = {"name": "late", "runtime": "containerd", "cpu": 1, "memory": 1, "disk": 5, "binfmt": False}
    profiles = [{**late, "mounts": [{"location": "none"}]}]
    arguments = ("playbooks/workstation.yml", "--tags", "colima", "-e", json.dumps({"colima_profiles": profiles}))
    moments: list[Callable[[Machines], bool]] = [
        settings_are_written,
        instance_is_there,
        kernel_is_loading,
        said("essential requirement 1 of 3 is satisfied"),
        said("final requirement 1 of 1 is satisfied"),
    ]
    # Beside the others it would be refused: the laptop has not the memory for three.
    for name in laptop.statuses():
        laptop.run("colima", "stop", name)
    try:
        for moment in moments:
            with laptop.play_started(*arguments) as playing:
                assert comes_true(partial(has_come_or_ended, moment, laptop, playing), 600)
                assert playing.poll() is None, playing.communicate()[0]
                kill_start(playing)
        laptop.play(*arguments)
        assert laptop.statuses()["late"] == "Running"
        assert laptop.play(*arguments).changed == 0
    finally:
        laptop.run("colima", "delete", "--force", "--data", "late", code=None)
        laptop.play("playbooks/workstation.yml")
