# SPDX-License-Identifier: GPL-3.0-or-later
"""A task asks each thing once: the calls of programs in a run with nothing to do, and in one with a change."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import play

PROGRAMS = ("colima", "limactl", "docker", "kubectl")
# Notes a call of a play itself; what a program calls in turn is its own affair.
SHIM = """#!/bin/sh
if test -z "$NOTED"; then echo "{program} $*" >> {log}; fi
NOTED=1 exec {real} "$@"
"""
# What looks and changes nothing: once before the steps, and once after them.
READS = (
    "colima list",
    "colima ssh",
    "colima status",
    "limactl disk list",
    "limactl list",
    "docker context inspect",
    "docker version",
)


class Laptop:
    """A light lab whose programs note who calls them."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder / "lab")
        self.lab.up("light")
        self.log = folder / "calls"
        # Beside the lab's own programs: docker looks for its plugins from there.
        shims = self.lab.directory / "shims"
        shims.mkdir()
        environment = self.lab.environment
        for program in PROGRAMS:
            real = next(
                (Path(part) / program for part in environment["PATH"].split(":") if (Path(part) / program).exists()), None
            )
            if real is not None:
                (shims / program).write_text(SHIM.format(program=program, log=self.log, real=real))
                (shims / program).chmod(0o755)
        self.lab.environment_file.write_text(json.dumps({**environment, "PATH": f"{shims}:{environment['PATH']}"}))

    def calls(self, *arguments: str) -> Counter[str]:
        """Run the playbook, and return the calls that it made."""
        self.log.write_text("")
        play(self.lab, "playbooks/workstation.yml", *arguments)
        return Counter(self.log.read_text().splitlines())


@pytest.fixture(scope="module")
def laptop() -> Iterator[Laptop]:
    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as folder:
        laptop = Laptop(Path(folder))
        try:
            laptop.calls()
            yield laptop
        finally:
            laptop.lab.down()


@pytest.mark.parametrize("role", ["colima", "nerdctl", "docker_cli", "docker_context", "buildx", "secret_refresh"])
def test_a_task_with_nothing_to_do_asks_nothing_twice(laptop: Laptop, role: str) -> None:
    repeated = {call: count for call, count in laptop.calls("--tags", role).items() if count > 1}
    assert repeated == {}


@pytest.mark.parametrize(
    ("role", "settings"),
    [
        ("colima", {"colima_profiles": [{"name": "k8s", "disk": 120}, {"name": "docker-buildx"}], "colima_restart": "always"}),
        ("docker_context", {"docker_context_current": "default"}),
    ],
)
def test_a_task_with_a_change_asks_once_before_and_once_after_it(laptop: Laptop, role: str, settings: dict[str, object]) -> None:
    calls = laptop.calls("--tags", role, "-e", json.dumps(settings))
    reads = {call: count for call, count in calls.items() if call.startswith(READS)}
    # Around a restart colima is asked again: a stop and a start may each take minutes.
    assert {call: count for call, count in reads.items() if count > (4 if call.startswith("colima") else 2)} == {}
    assert {call: count for call, count in calls.items() if call not in reads and count > 1} == {}
