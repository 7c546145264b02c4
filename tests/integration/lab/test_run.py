# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m rehearsal run`, the one command behind `make rehearse`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from rehearsal.processes.system import comes_true

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(name="place")
def short_place() -> Iterator[Path]:
    """A short path that does not exist yet; whatever a failed test leaves there goes away."""
    place = Path(tempfile.mkdtemp(prefix="lr-", dir="/tmp"))
    yield place / "lab"
    Lab(place / "lab").down()
    shutil.rmtree(place)


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "rehearsal", "run", "--grade", "light", "--dir", str(place), *arguments]
    return subprocess.Popen(
        argv,
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_a_run_shows_what_is_there_and_leaves_nothing(place: Path) -> None:
    with start(place) as running:
        output = running.communicate(timeout=300)[0]
    assert running.returncode == 0, output
    summary = output.partition("== What is there now")[2]
    for expected in (
        "profile   docker-buildx            Running  docker          4 CPUs, 12 GiB",
        "profile   k8s                      Running  containerd+k3s  4 CPUs, 12 GiB",
        f"unix://{place}/home/.colima/docker-buildx/docker.sock",
        "context   colima-buildx            current",
        "secret    default/ecr-creds        expires 20",
        "secret    team-a/ecr-creds         expires 20",
        "Not real in this run:",
        "The lab is removed; nothing of yours was touched.",
    ):
        assert expected in summary, output
    assert not place.exists()
    assert Lab(place).leftovers() == []


def test_a_failed_playbook_fails_the_run_and_the_lab_is_removed(place: Path) -> None:
    with start(place, "--", "-e", '{"colima_host": {"cpus": 1, "memory_mib": 8192}}') as running:
        output = running.communicate(timeout=120)[0]
    assert running.returncode != 0
    assert "What is there now" not in output
    assert not place.exists()


def interrupted(running: subprocess.Popen[str]) -> bool:
    """Press Ctrl-C once more; return whether the run has ended."""
    running.send_signal(signal.SIGINT)
    return running.poll() is not None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_run_and_removes_the_lab(place: Path, number: signal.Signals) -> None:
    with start(place) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "Converge the colima profiles" in line:
                break
        running.send_signal(number)
        # An impatient user must not stop the clean-up.
        assert comes_true(partial(interrupted, running), 60)
        output = running.communicate(timeout=60)[0]
    assert running.returncode == 130, output
    assert not place.exists()
    assert Lab(place).leftovers() == []


@pytest.mark.long("two rehearsals; the next test refuses a second lab in a folder")
def test_a_second_run_in_the_same_place_is_refused_and_leaves_the_first_one_alone(place: Path) -> None:
    with start(place) as running:
        lines = iter(running.stdout or [])
        assert any("== 2. " in line for line in lines)
        with start(place) as second:
            refused = second.communicate(timeout=60)[0]
        rest = "".join(lines)
    assert second.returncode == 1
    reason = "another rehearsal runs there. Wait until it has ended, or use --dir."
    assert refused.splitlines()[-1] == f"Could not bring up the lab in '{place}': {reason}"
    assert "removed" not in refused
    assert running.returncode == 0, rest
    assert not place.exists()


def test_a_second_lab_in_the_same_place_is_refused_for_a_foreign_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with start(tmp_path) as running:
        output = running.communicate(timeout=60)[0]
    assert running.returncode == 1
    assert "Traceback" not in output
    assert (tmp_path / "file").exists()
