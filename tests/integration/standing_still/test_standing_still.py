# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that stand still: seen without a question to the guest, named, and continued; nothing in them ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed

from tests.support.colima.monitor import monitor
from tests.support.colima.standin_laptop import ColimaLab, Result, colima_lab, converge

DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
OTHER = {**DEV, "name": "other"}
NAME = parse_name("dev")
# A frozen VM costs a greeting of its engine, and nothing else.
SECONDS = 10.0


@pytest.fixture
def lab() -> Iterator[ColimaLab]:
    with colima_lab() as lab:
        yield lab


def frozen(lab: ColimaLab) -> int:
    """Let the process of a VM be stopped; return it."""
    pid = lab.machine("dev")
    os.kill(pid, signal.SIGSTOP)
    return pid


def in_time(lab: ColimaLab, *profiles: dict[str, object], check: bool = False, **policy: object) -> Result:
    began = time.monotonic()
    done = lab.converge(*profiles, check=check, **policy)
    assert time.monotonic() - began < SECONDS
    return done


@pytest.mark.parametrize("restart", ["always", "if_idle", "never"])
def test_a_frozen_vm_is_continued_and_not_restarted(lab: ColimaLab, restart: str) -> None:
    lab.converge(DEV, OTHER)
    lab.containers("web")
    pid = frozen(lab)
    lab.calls()
    planned = in_time(lab, DEV, OTHER, check=True, restart=restart)
    assert planned.actions == ("continue the VM of profile 'dev' (its process is stopped)",)
    assert not [call for call in lab.calls() if call[1:2] in (["ssh"], ["status"])]
    assert in_time(lab, DEV, OTHER, restart=restart).actions == planned.actions
    assert lab.machine("dev") == pid
    assert lab.converge(DEV, OTHER).actions == ()


def test_a_frozen_vm_does_not_keep_another_one_from_its_repair(lab: ColimaLab) -> None:
    lab.converge(DEV, OTHER)
    frozen(lab)
    os.kill(lab.machine("other"), signal.SIGKILL)
    done = in_time(lab, DEV, OTHER)
    assert done.actions[0].partition(" (")[0] == "continue the VM of profile 'dev'"
    assert any(action.startswith("start profile 'other'") for action in done.actions)


def test_what_else_a_frozen_vm_needs_is_done_when_it_goes_on(lab: ColimaLab) -> None:
    lab.converge(DEV)
    frozen(lab)
    done = lab.converge({**DEV, "cpu": 3})
    assert done.actions[0] == "continue the VM of profile 'dev' (its process is stopped)"
    assert done.profiles[0]["cpu"] == 3
    assert lab.converge({**DEV, "cpu": 3}).actions == ()


def test_a_change_of_a_frozen_vm_waits_for_its_containers(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.containers("web")
    pid = frozen(lab)
    done = lab.converge({**DEV, "cpu": 3})
    assert [pending.reason for pending in done.pending] == ["1 container runs in it (web)"]
    assert lab.machine("dev") == pid


def test_a_frozen_vm_is_stopped_when_it_goes_on(lab: ColimaLab) -> None:
    lab.converge(DEV)
    frozen(lab)
    lab.converge({**DEV, "state": "stopped"})
    assert not (lab.paths.instance(NAME) / "ha.pid").exists()


def test_a_paused_vm_goes_on_by_qemus_own_word(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.paths.profile(NAME).joinpath("docker.sock").unlink()
    with monitor(lab.paths.instance(NAME) / "qmp.sock", "paused") as machine:
        done = in_time(lab, DEV)
        assert (machine.status, done.actions[0]) == ("running", "continue the VM of profile 'dev' (it is paused)")


def test_a_vm_that_the_full_disk_paused_waits_for_room(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.paths.profile(NAME).joinpath("docker.sock").unlink()
    with monitor(lab.paths.instance(NAME) / "qmp.sock", "io-error", full=True) as machine:
        request = lab.request(DEV)
        full = replace(request, host=replace(request.host, disk_free_mib=3))
        began = time.monotonic()
        (pending,) = converge(lab.colima, full, check=False).pending
        assert time.monotonic() - began < SECONDS
        assert pending.reason == "the laptop's disk is full (3 MiB are free)"
        assert pending.remedy.startswith("Free some disk space")
        # Another disk is full, or a quota: QEMU stops again at once.
        with pytest.raises(CommandFailed, match=r"could not write to its disk again\. Free some disk space"):
            lab.converge(DEV)
        machine.full = False
        assert lab.converge(DEV).actions[0].startswith("continue the VM of profile 'dev' (it is paused, because")


def test_a_vm_that_gives_no_answer_costs_its_own_patience_and_no_more(lab: ColimaLab) -> None:
    lab.converge(DEV, OTHER)
    lab.paths.profile(NAME).joinpath("docker.sock").unlink()
    program = lab.bin / "colima"
    program.rename(lab.bin / "real-colima")
    # What is asked in this VM hangs, as it does over an ssh whose other end is gone.
    program.write_text('#!/bin/sh\ncase "$*" in ssh*dev*|status*dev*) sleep 600 ;; esac\nexec "$LAB/bin/real-colima" "$@"\n')
    program.chmod(0o755)
    colima = lab.colima
    colima.patience = 2.0
    began = time.monotonic()
    done = converge(colima, lab.request(DEV, OTHER), check=True)
    assert time.monotonic() - began < SECONDS
    assert [(one.change, one.reason) for one in done.pending] == [
        ("a restart (it gives no answer)", "it is unknown whether containers run in it")
    ]


def test_a_lost_socket_is_restored_by_a_restart_only_while_nothing_runs(lab: ColimaLab) -> None:
    """The connection that could carry it again is Lima's own: tests/contract/machine/test_lost_socket.py."""
    lab.converge(DEV)
    path = lab.paths.profile(NAME) / "docker.sock"
    path.unlink()
    lab.containers("web")
    pid = lab.machine("dev")
    (pending,) = lab.converge(DEV).pending
    assert pending.change == f"a restart (its socket {path} is gone)"
    assert (pending.reason, lab.machine("dev")) == ("1 container runs in it (web)", pid)
    lab.containers()
    assert lab.converge(DEV).actions[0] == f"stop profile 'dev' (its socket {path} is gone)"
    assert path.exists()


def test_a_removal_says_what_runs_in_the_vm(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.containers("web", "db")
    planned = lab.converge({**DEV, "state": "absent"}, check=True)
    assert "The VM of profile 'dev' is removed although 2 containers run in it (web, db)." in planned.warnings
    done = lab.converge({**DEV, "state": "absent"})
    assert "The VM of profile 'dev' is removed although 2 containers run in it (web, db)." in done.warnings
