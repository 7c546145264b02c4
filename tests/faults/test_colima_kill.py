# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed at any moment leaves a state that the next run converges, and the data disk as it was."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name

from tests.support.colima.standin_laptop import ColimaLab, colima_lab
from tests.support.test_runs import fault_rows
from tests.support.test_runs.tiers import times

MOMENTS = range(times(1, 2, 50))
ROOT = Path(__file__).resolve().parents[2]
RUN = """
import json, sys
from pathlib import Path
from tests.support.colima.standin_laptop import ColimaLab
root, profiles, policy = sys.argv[1:]
ColimaLab(Path(root), BOOT_SECONDS="0.4").converge(*json.loads(profiles), **json.loads(policy))
"""
DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20, "env": {"KEEP": "me"}}
SMALL = {"name": "two", "runtime": "containerd", "cpu": 2, "memory": 2, "disk": 20}


@pytest.fixture
def lab() -> Iterator[ColimaLab]:
    with colima_lab(BOOT_SECONDS="0.4") as lab:
        yield lab


def start(lab: ColimaLab, profiles: list[dict[str, Any]], policy: dict[str, Any]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'collections'}:{ROOT}"}
    argv = [sys.executable, "-c", RUN, str(lab.root), json.dumps(profiles), json.dumps(policy)]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def kill_in_the_middle(
    lab: ColimaLab,
    profiles: list[dict[str, Any]],
    policy: dict[str, Any],
    seed: int,
    calls: tuple[int, int],
    *,
    number: int = signal.SIGKILL,
) -> None:
    """Kill a run after some call of colima or limactl that it makes; in every second case the colima that it started, too."""
    moment = random.Random(seed)  # noqa: S311
    lab.calls()
    run = start(lab, profiles, policy)
    after = moment.randint(*calls)
    while run.poll() is None and not (made(lab) >= after and (lab.paths.own / "lock").exists()):
        time.sleep(0.005)
    time.sleep(moment.uniform(0, 0.3))
    children = [child for note in lab.paths.own.glob("*.pid") if (child := noted(note))]
    with contextlib.suppress(ProcessLookupError):
        run.send_signal(number)
    if seed % 2:
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
    FELL_INTO_A_RUN.append(run.wait() != 0)
    if FELL_INTO_A_RUN[-1]:
        fault_rows.killed(signal.Signals(number).name)
    else:
        fault_rows.note("nothing: it had ended a moment before")


def noted(note: Path) -> int:
    """The process in a note of the run; 0 when that is just being taken away, or written."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(note.read_text())
    return 0


def made(lab: ColimaLab) -> int:
    """How many calls of colima and limactl there were up to now, those of colima itself among them."""
    with contextlib.suppress(FileNotFoundError):
        return lab.calls_file.read_text().count("\n")
    return 0


def text_of_calls(lab: ColimaLab) -> list[str]:
    return lab.calls_file.read_text().splitlines() if lab.calls_file.exists() else []


def first_converge(_lab: ColimaLab) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    return [DEV, SMALL], {}


def resize(lab: ColimaLab) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    lab.converge(DEV, SMALL)
    lab.put_marker("dev")
    return [{**DEV, "cpu": 3, "disk": 30}, {**SMALL, "memory": 3}], {"restart": "always"}


def recreate(lab: ColimaLab) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    lab.converge(DEV)
    lab.put_marker("dev")
    # What is not stated must survive too, although colima deletes the settings with the VM.
    bare = {key: value for key, value in DEV.items() if key != "env"}
    return [{**bare, "vm_type": "qemu", "mount_type": "sshfs"}], {"restart": "always", "on_fixed_change": "recreate"}


# Between which calls of an undisturbed run to kill it. The first ones only read, and so do the last ones, after the work.
CALLS = {first_converge: (2, 5), resize: (5, 15), recreate: (4, 11)}
FELL_INTO_A_RUN: list[bool] = []


@pytest.mark.each_row
@pytest.mark.parametrize("seed", MOMENTS)
@pytest.mark.parametrize("scenario", [first_converge, resize, recreate], ids=lambda scenario: scenario.__name__)
@pytest.mark.fault(
    "a run with colima was killed, in every second case with its colima ({})",
    there="the data of the VMs that were there, and settings that were not stated",
)
def test_the_run_after_a_killed_one_converges_and_nothing_is_lost(
    lab: ColimaLab, scenario: Callable[[ColimaLab], tuple[list[dict[str, Any]], dict[str, Any]]], seed: int
) -> None:
    profiles, policy = scenario(lab)
    kill_in_the_middle(lab, profiles, policy, seed, CALLS[scenario])
    result = lab.converge(*profiles, **policy)
    assert [profile["status"] for profile in result.profiles] == ["running"] * len(profiles)
    assert lab.converge(*profiles, **policy).actions == ()
    if scenario is not first_converge:
        assert lab.has_marker("dev")
        assert "KEEP" in lab.paths.applied(parse_name("dev")).read_text()


@pytest.mark.fault("a run was killed while its colima started a VM", there="the VM, which that colima brought up")
def test_the_colima_of_a_killed_run_works_on_and_the_next_run_finds_a_good_vm(lab: ColimaLab) -> None:
    run = start(lab, [DEV], {})
    note = lab.paths.own / "colima-dev.pid"
    while not (note.exists() and noted(note) and [call for call in text_of_calls(lab) if '"start"' in call]):
        time.sleep(0.005)
    colima = noted(note)
    run.kill()
    run.wait()
    fault_rows.killed()
    assert lab.converge(DEV).profiles[0]["status"] == "running"
    calls = [call[:2] for call in lab.calls() if call[0] == "colima" and call[1] in ("start", "stop")]
    assert calls == [["colima", "start"]], f"process {colima} brought the VM up"
    assert sorted(path.name for path in lab.paths.own.iterdir()) == ["lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.fault("a run with colima got a signal to end ({})", there="no process of the run")
def test_a_terminated_run_ends_its_children_and_the_next_one_goes_on(lab: ColimaLab, seed: int, number: int) -> None:
    kill_in_the_middle(lab, [DEV], {}, seed * 2, (2, 4), number=number)
    assert not list(lab.paths.own.glob("*.pid"))
    assert lab.converge(DEV).profiles[0]["status"] == "running"


def test_the_kills_of_this_file_fell_into_runs() -> None:
    # On a machine that is busy enough a run may end before its moment has come; not many of them.
    assert sum(FELL_INTO_A_RUN) >= 0.8 * len(FELL_INTO_A_RUN)
