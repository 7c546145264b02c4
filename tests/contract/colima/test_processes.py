# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that die: killed drivers, killed host agents, interrupted starts, boots that hang."""

from __future__ import annotations

import os
import signal
import time

import pytest

from .conftest import Rig, spoken

# A qemu driver is a process of its own; with vz there is only the host agent.
QEMU = {"REHEARSAL_SYSTEM": "Linux", "REHEARSAL_ARCH": "x86_64"}

from rehearsal.processes.system import comes_true


@pytest.fixture
def lab(rig: Rig) -> Rig:
    """A running qemu profile."""
    if rig.environment["REHEARSAL_SYSTEM"] != "Linux":
        if rig.subject != "stand-in":
            pytest.skip("this colima was built for macOS")
        rig.environment.update(QEMU)
        rig.base = rig.home / ".config" / "colima"
        rig.lima = rig.base / "_lima"
    rig.started("lab", "--mount", "none")
    return rig


def interrupted(rig: Rig, how: int, group: bool) -> None:
    """Start a profile and signal colima in the middle of its boot."""
    process = rig.popen("colima", "start", "lab2", "--runtime", "containerd", REHEARSAL_BOOT_SECONDS="4")
    pid_file = rig.instance("lab2") / "ha.pid"
    assert comes_true(pid_file.exists, 20)
    (os.killpg if group else os.kill)(process.pid, how)
    process.communicate(timeout=20)


def test_a_killed_driver_is_broken_at_first_and_stopped_soon(lab: Rig) -> None:
    with lab.standing_still("lab"):
        # Its host agent would notice, and clear up, about a second later.
        lab.kill("lab", "qemu")
        assert lab.rows()["lab"]["status"] == "Broken"
    lab.wait_for("lab", "Stopped")
    assert list((lab.base / "lab").glob("*.sock")) == []
    # Its docker context is left over, and a start brings all back.
    assert lab.contexts()[0] == ["colima-lab", "default"]
    result = lab.started("lab")
    assert lab.rows()["lab"]["status"] == "Running"
    assert "Successfully created context" not in result.out


def test_with_a_killed_host_agent_only_a_forced_stop_helps(lab: Rig) -> None:
    lab.kill("lab", "ha")
    assert lab.rows()["lab"]["status"] == "Broken"
    assert lab.colima("status", "lab", "--json").fatal == "colima [profile=lab] is not running"
    started = lab.colima("start", "lab")
    assert (started.rc, started.fatal) == (1, "error starting vm: error at 'starting': exit status 1")
    assert "errors inspecting instance: [qemu driver is running but host agent is not]" in started.out
    stopped = lab.colima("stop", "lab")
    assert (stopped.rc, stopped.messages) == (0, ["stopping colima [profile=lab]", "not running", "done"])
    assert lab.rows()["lab"]["status"] == "Broken"
    forced = lab.colima("stop", "lab", "--force")
    assert forced.rc == 0, forced
    assert "Sending SIGKILL to the qemu driver process" in forced.out
    assert lab.rows()["lab"]["status"] == "Stopped"
    lab.started("lab")


def test_with_both_killed_it_is_stopped_and_starts_again(lab: Rig) -> None:
    for name in ("ha", "qemu"):
        lab.kill("lab", name)
    lab.wait_for("lab", "Stopped")
    assert lab.contexts()[0] == ["colima-lab", "default"]
    # The lock of the crashed machine is still there, and taken over.
    assert (lab.lima / "_disks" / "colima-lab" / "in_use_by").is_symlink()
    lab.started("lab")


def test_deleting_what_crashed_leaves_the_docker_context(lab: Rig) -> None:
    for name in ("ha", "qemu"):
        lab.kill("lab", name)
    lab.wait_for("lab", "Stopped")
    assert lab.colima("delete", "lab", "--force").rc == 0
    assert lab.contexts()[0] == ["colima-lab", "default"]


def test_a_killed_vz_machine_is_stopped(standin: Rig) -> None:
    mac = {"REHEARSAL_SYSTEM": "Darwin", "REHEARSAL_ARCH": "aarch64"}
    standin.environment.update(mac)
    standin.base = standin.home / ".colima"
    standin.lima = standin.base / "_lima"
    standin.started("lab")
    assert standin.pid("lab", "ha") == standin.pid("lab", "vz")
    standin.kill("lab", "ha")
    standin.wait_for("lab", "Stopped")
    standin.started("lab")


def test_killing_colima_in_the_middle_leaves_a_machine_that_runs_and_is_not_usable(rig: Rig) -> None:
    interrupted(rig, signal.SIGKILL, group=True)
    row = rig.rows()["lab2"]
    assert row["status"] == "Running"
    # No state file: no runtime, and the root disk's size.
    assert "runtime" not in row
    assert row["disk"] == 20 << 30
    assert rig.colima("status", "lab2").fatal == "error retrieving current runtime: empty value"
    assert rig.colima("start", "lab2").messages == ["already running, ignoring"]
    # Its disk was never marked formatted: even --data leaves it.
    assert rig.colima("delete", "lab2", "--force", "--data").rc == 0
    assert rig.rows() == {}
    assert rig.limactl("disk", "list", "--json", "colima-lab2").out != ""


def test_ctrl_c_in_the_middle_ends_in_a_stopped_profile(rig: Rig) -> None:
    interrupted(rig, signal.SIGINT, group=True)
    rig.wait_for("lab2", "Stopped")
    assert "runtime" not in rig.rows()["lab2"]


def test_while_it_boots_a_profile_runs_and_has_no_status(rig: Rig) -> None:
    rig.started("lab2", "--runtime", "containerd", "--mount", "none")
    rig.colima("stop", "lab2")
    process = rig.popen("colima", "start", "lab2", "--memory", "1.5", REHEARSAL_RESUME_SECONDS="5")
    rig.wait_for("lab2", "Running")
    with rig.standing_still("lab2"):
        assert rig.rows()["lab2"]["memory"] == 1536 << 20
        assert rig.colima("status", "lab2").fatal == "error retrieving current runtime: empty value"
        assert rig.colima("start", "lab2").messages == ["already running, ignoring"]
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert rig.colima("status", "lab2").rc == 0


def test_a_boot_that_hangs_says_where_and_can_be_stopped(rig: Rig) -> None:
    process = rig.popen("colima", "start", "lab2", "--runtime", "containerd", REHEARSAL_FAIL="hang:lab2")
    rig.wait_for("lab2", "Running")
    stopped = rig.colima("stop", "lab2")
    assert stopped.rc == 0
    assert stopped.warnings == ["error retrieving runtimes: error retrieving current runtime: empty value"]
    assert "forcibly killing QEMU" in stopped.out or rig.environment["REHEARSAL_SYSTEM"] == "Darwin"
    out, _ = process.communicate(timeout=30)
    assert "Waiting for the essential requirement 1 of" in out
    assert process.returncode == 1
    assert rig.rows()["lab2"]["status"] == "Stopped"


def test_a_start_in_the_foreground_stops_gracefully_when_it_is_terminated(rig: Rig) -> None:
    process = rig.popen("colima", "start", "lab2", "--runtime", "none", "--foreground")
    assert process.stderr is not None
    said = next(line for line in process.stderr if "keeping Colima in the foreground" in line)
    assert "press ctrl+c to exit..." in said
    if rig.subject != "stand-in":
        # The real one says so a moment before it listens.
        time.sleep(0.2)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [message for _, message, _ in spoken(err)][:2] == ["interrupted by: terminated", "stopping colima [profile=lab2]"]
    assert rig.rows()["lab2"]["status"] == "Stopped"
