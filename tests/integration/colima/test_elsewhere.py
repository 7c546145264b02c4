# SPDX-License-Identifier: GPL-3.0-or-later
"""Another program starts a profile that a run wants to change: the run waits for it, and never does it twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.run_lock import RunningStart
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.system import processes as host_processes

from rehearsal.standin.colima.lima.instances import Instance
from tests.support.colima.standin_laptop import ColimaLab
from tests.support.processes import standing_still_until

DEV: dict[str, Any] = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
SIZES = ("--cpus", "2", "--memory", "4", "--disk", "20")
NAME = parse_name("dev")


@pytest.fixture
def lab(process_lab: ColimaLab) -> ColimaLab:
    return process_lab


@pytest.fixture
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Whether a run reports that it waits for another program."""
    progress = tmp_path / "progress"
    progress.touch()
    monkeypatch.setenv("LAPTOP_CONTAINERS_PROGRESS", str(progress))
    return lambda: "waiting for another program" in progress.read_text()


@contextlib.contextmanager
def another_program(lab: ColimaLab, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **lab.environment}
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def changes(lab: ColimaLab) -> list[list[str]]:
    return [call for call in lab.calls() if call[0] == "colima" and call[1] in ("start", "stop", "delete")]


def test_a_first_start_elsewhere_is_waited_for_while_it_still_downloads(lab: ColimaLab, waits: Callable[[], bool]) -> None:
    lab.settings.update(BOOT_SECONDS="3", IMAGE_CACHED="0")
    with another_program(lab, "colima", "start", "dev", *SIZES) as theirs:
        until(lambda: list(lab.home.rglob("*.downloading")))
        with standing_still_until(theirs.pid, waits):
            assert lab.run("colima", "list", "--json").stdout == ""
            lab.converge(DEV)
        assert theirs.wait() == 0
    assert [call for call in changes(lab) if call[1] == "start"] == [["colima", "start", "dev", *SIZES]]
    assert lab.converge(DEV).actions == ()


def test_a_first_start_elsewhere_that_looks_like_a_loss_is_waited_for(lab: ColimaLab, waits: Callable[[], bool]) -> None:
    lab.settings.update(BOOT_SECONDS="3")
    with another_program(lab, "colima", "start", "dev", *SIZES) as theirs:
        until((lab.paths.instance(NAME) / "ha.pid").exists)
        with standing_still_until(theirs.pid, waits):
            # Formatted by the guest, while colima notes that only when the boot is over.
            with (lab.paths.data_disk(NAME) / "datadisk").open("r+b") as disk:
                disk.write(os.urandom(8 << 20))
            with pytest.raises(RefusedStep, match="colima's note of it is lost"):
                lab.converge(DEV, check=True)
            assert lab.converge({**DEV, "cpu": 4}, restart="always").actions
        assert theirs.wait(30) == 0


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("colima", "start", *SIZES), "default"),
        (("colima", "start", *SIZES, "--profile=dev"), "dev"),
        (("colima", "start", "colima-dev", *SIZES), "dev"),
    ],
)
def test_a_start_in_other_words_is_one_too(lab: ColimaLab, waits: Callable[[], bool], argv: tuple[str, ...], name: str) -> None:
    lab.settings["BOOT_SECONDS"] = "3"
    with another_program(lab, *argv) as theirs:
        until((lab.paths.instance(parse_name(name)) / "ha.pid").exists)
        with standing_still_until(lab.machine(name), waits):
            lab.converge({**DEV, "name": name})
        assert theirs.wait() == 0
    assert [call[1] for call in changes(lab)] == ["start"]


def test_a_vm_that_looks_broken_while_another_program_starts_it_is_not_ended(lab: ColimaLab, waits: Callable[[], bool]) -> None:
    lab.converge(DEV)
    lab.calls()
    driver = lab.paths.instance(NAME) / "vz.pid"
    pid = driver.read_text()
    driver.unlink()
    assert '"status":"Broken"' in lab.run("colima", "list", "--json").stdout
    # Lima says so between the host agent and the driver of every boot.
    theirs = lab.root / "colima"
    theirs.write_text(f"open({str(driver)!r}, 'w').write({pid!r})\n")
    with another_program(lab, sys.executable, str(theirs), "start", "dev") as process, standing_still_until(process.pid, waits):
        assert lab.converge(DEV).actions == ()
    assert changes(lab) == []


def test_a_start_that_stays_in_the_foreground_is_over_once_the_vm_is_up(lab: ColimaLab, waits: Callable[[], bool]) -> None:
    lab.settings["BOOT_SECONDS"] = "2"
    with another_program(lab, "colima", "start", "dev", *SIZES, "--foreground") as theirs:
        until((lab.paths.instance(NAME) / "ha.pid").exists)
        with standing_still_until(lab.machine("dev"), waits):
            assert lab.converge(DEV).actions == ()
        assert [call[1] for call in changes(lab)] == ["start"]
        # What is in the VM dies, and the process stays.
        machine = Instance(lab.paths.instance(NAME))
        machine.note(runtime_up=False)
        (machine.root / "etc/colima/colima.json").unlink()
        done = lab.converge(DEV, timeout=60)
        assert done.actions[0] == "stop profile 'dev' (its last start did not finish)"
        assert theirs.poll() is None


def test_a_start_in_another_home_is_no_start_of_this_one(lab: ColimaLab) -> None:
    theirs = lab.root / "colima"
    theirs.write_text("import time\ntime.sleep(60)\n")
    with another_program(lab, "env", f"COLIMA_HOME={lab.home}/work", sys.executable, str(theirs), "start", "dev") as process:
        until(lambda: host_processes.environment_of(process.pid).get("COLIMA_HOME"))
        assert lab.converge(DEV, timeout=30).profiles[0]["status"] == "running"


def test_a_start_that_ended_after_it_was_listed_is_over(lab: ColimaLab) -> None:
    """Of a process that is gone the environment can't tell any more which home it was for."""
    theirs = lab.root / "colima"
    theirs.write_text("import time\ntime.sleep(60)\n")
    colima, start = Colima(lab.paths), RunningStart(NAME.id)
    with another_program(lab, sys.executable, str(theirs), "start", "dev") as process:
        until(lambda: colima.being_started([NAME]) == {NAME: process.pid})
        assert colima.is_under_way(process.pid, start)
        process.kill()
        process.wait()
        assert not colima.is_under_way(process.pid, start)


def test_a_start_that_never_ends_is_named_and_nothing_is_done_beside_it(lab: ColimaLab) -> None:
    theirs = lab.root / "colima"
    theirs.write_text("import time\ntime.sleep(60)\n")
    with (
        another_program(lab, sys.executable, str(theirs), "start", "dev") as process,
        pytest.raises(RefusedStep) as told,
    ):
        lab.converge(DEV, timeout=1)
    assert told.value.message == (
        f"Could not change profile 'dev': process {process.pid}, which is not ours, has been starting it for more "
        f"than 1 s. Wait for it to end, or end it with 'kill {process.pid}', and run again."
    )
    assert changes(lab) == []


def test_processes_are_not_listed_where_nothing_is_to_be_done(
    lab: ColimaLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ps = shutil.which("ps")
    if ps is None:
        pytest.skip("ps is missing here")
    (tmp_path / "ps").write_text(f"#!/bin/sh\necho asked >>'{tmp_path}/asked'\nexec '{ps}' \"$@\"\n")
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(host_processes, "_PROC", tmp_path / "proc")
    lab.converge(DEV)
    assert (tmp_path / "asked").exists()
    (tmp_path / "asked").unlink()
    assert lab.converge(DEV).actions == ()
    assert not (tmp_path / "asked").exists()
