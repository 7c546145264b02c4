# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch to the new engine that is killed: docker's configuration is whole at any moment, and the next run completes it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play, playing, tool
from tests.support.test_runs import fault_rows
from tests.support.test_runs.tiers import times

KILLS = times(1, 2, 20)
MOVE = ("playbooks/migrate.yml", "-e", "migrate_source=desktop-linux", "--tags")
TAGS = ("switch", "rollback")
LEFTOVERS = {"credsStore": "desktop", "currentContext": "desktop-linux", "psFormat": "kept", "auths": {"registry.example": {}}}
KEPT = ("psFormat", "auths")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A laptop whose docker still uses the engine that was moved from."""
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml", "--tags", "colima")
        tool(lab, "docker", "context", "create", "desktop-linux", "--docker", f"host=unix://{lab.directory}/desktop.sock")
        file(lab).write_text(json.dumps(LEFTOVERS))
        yield lab


def file(lab: Lab) -> Path:
    return lab.home / ".docker/config.json"


def config(lab: Lab) -> dict[str, Any]:
    """Return docker's configuration. Half of one can't be read."""
    found: dict[str, Any] = json.loads(file(lab).read_text())
    return found


def contexts(lab: Lab) -> list[str]:
    return sorted(tool(lab, "docker", "context", "ls", "--format", "{{.Name}}").split())


def killed(lab: Lab, tag: str, seconds: float) -> None:
    """Run a part of the move, and end it at once after so many seconds, with every process that it has started."""
    run = playing(lab, *MOVE, tag)
    with suppress(subprocess.TimeoutExpired):
        run.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    fault_rows.killed()


@pytest.mark.fault(
    "a switch of docker's engine was killed at several moments", there="docker's settings, and a context that works"
)
def test_after_a_killed_switch_or_rollback_docker_works_and_the_next_run_completes_it(lab: Lab) -> None:
    draw = random.Random(os.environ.get("LAPTOP_SEED", "switch"))  # noqa: S311
    complete: dict[str, tuple[dict[str, Any], list[str]]] = {}
    seconds = 0.0
    for number in range(KILLS + len(TAGS)):
        tag = TAGS[number % len(TAGS)]
        if tag in complete:
            killed(lab, tag, draw.uniform(0.3, 1.0) * seconds)
            left = config(lab)
            assert {key: left[key] for key in KEPT} == {key: LEFTOVERS[key] for key in KEPT}
            # A context whose engine is gone is given up a moment before the other one is chosen.
            assert left.get("currentContext", "") in ("", "desktop-linux", "colima-buildx")
            assert "desktop-linux" in contexts(lab)
        began = time.monotonic()
        play(lab, *MOVE, tag)
        seconds = time.monotonic() - began
        assert complete.setdefault(tag, (config(lab), contexts(lab))) == (config(lab), contexts(lab))
    assert (
        complete["switch"][0]["currentContext"] == "colima-buildx"
        and complete["rollback"][0]["currentContext"] == "desktop-linux"
    )
