# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that run and are of no use, and VMs whose state is unknown: the first are healed, the second left alone unless allowed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import ProfileState
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.builds import at_work
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.guest import why_dead
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, TimedOut

from rehearsal.standin.colima.lima.instances import Instance
from tests.support.colima.standin_laptop import ColimaLab
from tests.support.processes import kill

DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}
NAME = parse_name("dev")
HUNG_UP = "docker does not answer in it: its socket closes at once"


def inside(lab: ColimaLab, name: str = "dev") -> Instance:
    return Instance(lab.paths.instance(parse_name(name)))


def let_run(lab: ColimaLab, *commands: str) -> None:
    """Let these processes run in the guest, beside its own."""
    file = inside(lab).root / "var/lib/rehearsal/processes"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{command}\n" for command in commands))


def without_docker_ps(lab: ColimaLab) -> None:
    """Let docker's list of containers fail, as it does with a dead engine, on the laptop and in the guest."""
    lab.settings["GUEST"] = str(lab.bin / "guest")
    (lab.bin / "guest").write_text("#!/bin/sh\n[ $1 != exec ]\n")
    (lab.bin / "guest").chmod(0o755)
    (lab.bin / "docker").write_text("#!/bin/sh\n[ $1 != -H ]\n")


def test_a_vm_that_came_up_again_without_its_docker_is_told_and_healed(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.put_marker("dev")
    lab.settings["FAIL"] = "docker-start:dev"
    with pytest.raises(CommandFailed, match="error starting docker"):
        lab.converge({**DEV, "docker": {"debug": True}}, restart="always")
    # colima itself finds nothing wrong with it.
    assert lab.run("colima", "status", "dev").returncode == 0
    del lab.settings["FAIL"]
    done = lab.converge({**DEV, "docker": {"debug": True}})
    assert done.actions[0] == f"stop profile 'dev' ({HUNG_UP})"
    assert done.profiles[0]["status"] == "running"
    assert lab.converge({**DEV, "docker": {"debug": True}}).actions == ()
    assert lab.has_marker("dev")


def test_containers_that_outlived_their_docker_hold_its_healing_back(process_lab: ColimaLab) -> None:
    process_lab.converge(DEV)
    machine = process_lab.machine("dev")
    inside(process_lab).note(runtime_up=False)
    without_docker_ps(process_lab)
    let_run(process_lab, "containerd-shim", "containerd-shim")
    held = process_lab.converge(DEV)
    assert (held.actions, process_lab.machine("dev")) == ((), machine)
    assert [str(item) for item in held.pending] == [
        f"profile 'dev': a restart ({HUNG_UP}) is pending because 2 containers run in it (left by an engine that died). "
        "Run again when nothing runs in it, or with E(restart=always)."
    ]
    assert held.profiles[0]["status"] == "half-started"
    let_run(process_lab)
    assert process_lab.converge(DEV, check=True).actions[0] == f"stop profile 'dev' ({HUNG_UP})"


def test_a_containerd_whose_socket_is_closed_to_the_user_is_not_dead(lab: ColimaLab) -> None:
    wanted = {**DEV, "runtime": "containerd"}
    lab.converge(wanted)
    path = lab.paths.profile(NAME) / "containerd.sock"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
    assert lab.converge(wanted).actions == ()
    inside(lab).note(runtime_up=False)
    assert lab.converge(wanted).actions[0].startswith("stop profile 'dev' (containerd does not answer in it")


def test_a_docker_that_another_program_restarts_is_not_dead(process_lab: ColimaLab) -> None:
    process_lab.converge(DEV)
    inside(process_lab).note(runtime_up=False)
    back = threading.Timer(0.8, inside(process_lab).note, kwargs={"runtime_up": True})
    back.start()
    assert process_lab.converge(DEV).actions == ()
    back.join()


def test_an_unreachable_vm_is_restarted_only_when_allowed(lab: ColimaLab) -> None:
    lab.converge(K8S)
    machine = lab.machine("k8s")
    inside(lab, "k8s").note(booted=False)
    for policy, reason in (
        ("if_idle", "it is unknown whether containers run in it"),
        ("never", "O(restart) is set to never"),
    ):
        held = lab.converge(K8S, restart=policy)
        assert (held.actions, held.profiles[0]["status"], lab.machine("k8s")) == ((), "unreachable", machine)
        assert [(item.change, item.reason) for item in held.pending] == [("a restart (it gives no answer)", reason)]
    done = lab.converge(K8S, restart="always")
    assert done.actions[0] == "stop profile 'k8s' (it gives no answer)"
    assert lab.converge(K8S).profiles[0]["status"] == "running"


@pytest.mark.parametrize("boot", ["first", "later"])
def test_a_vm_that_never_came_up_holds_no_work_and_is_healed_unasked(process_lab: ColimaLab, boot: str) -> None:
    if boot == "later":
        process_lab.converge(K8S)
        process_lab.converge({"name": "k8s", "state": "stopped"})
    process_lab.settings["FAIL"] = "hang:k8s"
    with pytest.raises(TimedOut, match="the next run repairs it"):
        process_lab.converge(K8S, stall=1.5)
    del process_lab.settings["FAIL"]
    assert process_lab.converge(K8S).profiles[0]["status"] == "running"


def test_a_vm_that_outlived_its_host_agent_is_ended_only_when_told(process_lab: ColimaLab) -> None:
    wanted = {**K8S, "vm_type": "qemu", "mount_type": "sshfs"}
    process_lab.converge(wanted)
    driver = process_lab.machine("k8s", "qemu.pid")
    kill(process_lab.machine("k8s"))
    held = process_lab.converge(wanted)
    assert (held.actions, held.profiles[0]["status"], process_lab.machine("k8s", "qemu.pid")) == ((), "broken", driver)
    (item,) = held.pending
    assert (item.change, item.reason) == (
        "a restart (parts of it have died)",
        "it is unknown whether containers run in it",
    )
    assert process_lab.converge(wanted, restart="always").profiles[0]["status"] == "running"


def test_a_vm_that_died_under_its_host_agent_is_healed_unasked(lab: ColimaLab) -> None:
    wanted = {**K8S, "vm_type": "qemu", "mount_type": "sshfs"}
    lab.converge(wanted)
    kill(lab.machine("k8s", "qemu.pid"))
    assert lab.converge(wanted).profiles[0]["status"] == "running"


def test_one_question_that_got_lost_changes_nothing(process_lab: ColimaLab) -> None:
    process_lab.converge(K8S)
    real = (process_lab.bin / "colima").rename(process_lab.bin / "real-colima")
    lost = f"[ $1 != status ] || [ -e '{process_lab.root}/lost' ] || {{ touch '{process_lab.root}/lost'; exit 1; }}"
    (process_lab.bin / "colima").write_text(f"#!/bin/sh\n{lost}\nexec '{real}' \"$@\"\n")
    (process_lab.bin / "colima").chmod(0o755)
    again = process_lab.converge(K8S)
    assert (process_lab.root / "lost").exists()
    assert (again.actions, again.pending, again.profiles[0]["status"]) == ((), (), "running")


# -- builds, which need no container


@pytest.mark.parametrize(
    ("runtime", "process", "told"),
    [
        ("docker", "runc --log-format json run --bundle /var/lib/docker/buildkit/executor/x --keep x", "a step of a build"),
        ("containerd", "buildkit-runc --log-format json run --bundle /run/x --keep x", "a step of a build"),
        ("containerd", "nerdctl build -t x /work", "nerdctl build"),
    ],
)
def test_a_build_in_the_vm_holds_a_restart_back(lab: ColimaLab, runtime: str, process: str, told: str) -> None:
    wanted = {**DEV, "runtime": runtime}
    lab.converge(wanted)
    let_run(lab, process)
    held = lab.converge({**wanted, "cpu": 3})
    assert held.actions == ()
    assert [item.reason for item in held.pending] == [f"a build or transfer is running in it ({told})"]
    let_run(lab)
    assert lab.converge({**wanted, "cpu": 3}).profiles[0]["cpu"] == 3


@pytest.mark.parametrize(("arguments", "ours"), [((), True), (("--builder", "default"), True), (("-H", "ssh://server"), False)])
def test_a_docker_client_that_builds_holds_a_restart_back_unless_it_means_another_engine(
    lab: ColimaLab, arguments: tuple[str, ...], ours: bool
) -> None:
    lab.converge(DEV)
    client = lab.root / "docker"
    client.write_text("input()\n")
    argv = [sys.executable, str(client), *arguments, "build", "--build-arg", "TOKEN=secret", "."]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env={**os.environ, **lab.environment}) as process:
        done = lab.converge({**DEV, "cpu": 3})
        process.kill()
    reasons = [item.reason for item in done.pending]
    assert reasons == (["a build or transfer is running in it (docker build)"] if ours else [])
    assert bool(done.actions) is not ours


class Deadly(dict[str, str]):
    """The environment of a run; a process ends as soon as it is looked into."""

    pid = 0

    def get(self, *key: Any) -> Any:
        kill(self.pid)
        return super().get(*key)


@pytest.mark.parametrize("survives", [True, False])
def test_a_docker_client_that_ends_while_it_is_looked_at_is_at_work_no_more(lab: ColimaLab, survives: bool) -> None:
    client = lab.root / "docker"
    client.write_text("print(flush=True)\ninput()\n")
    argv = [sys.executable, str(client), "build", "."]
    colima = lab.colima
    environment = {**os.environ, **lab.environment}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        # It has no arguments yet while it is being started.
        assert process.stdout is not None and process.stdout.readline()
        if not survives:
            colima.environment = Deadly(colima.environment)
            colima.environment.pid = process.pid
        found = at_work(colima, ProfileState(parse_name("dev")), "docker")
        process.kill()
    assert found == (["docker build"] if survives else [])


# -- what counts as a sign of death


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="cg-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


def status(path: Path) -> dict[str, str]:
    return {"runtime": "docker", "docker_socket": f"unix://{path}"}


def test_a_socket_without_a_listener_is_a_sign_of_death(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(place / "s"))
    assert why_dead(status(place / "s")) == "docker does not answer in it: no process listens on its socket"


def test_an_engine_that_hangs_and_a_socket_that_is_not_there_prove_nothing(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(place / "s"))
        one.listen()
        began = time.monotonic()
        assert why_dead(status(place / "s")) == ""
        assert time.monotonic() - began < 5
    assert why_dead(status(place / "not-there")) == ""
    assert why_dead({"runtime": "none"}) == ""
