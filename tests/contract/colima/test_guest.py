# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam behind which the lab puts real engines: when a guest program is called, and with what."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from rehearsal.processes.system import comes_true

from .conftest import Rig

GUEST = """#!/bin/sh
verb=$1
echo "$@" >> "$REHEARSAL_LOG"
env | grep '^REHEARSAL_' > "$REHEARSAL_LOG.$verb"
case $verb in
start-runtime) echo engine says hello; touch "$REHEARSAL_PROFILE_DIR/docker.sock"; exit "${REHEARSAL_CODE:-0}" ;;
start-kubernetes)
  mkdir -p "$REHEARSAL_ROOT_DIR/etc/rancher/k3s"
  cat > "$REHEARSAL_ROOT_DIR/etc/rancher/k3s/k3s.yaml" <<END
apiVersion: v1
kind: Config
clusters:
- name: default
  cluster: {server: "https://127.0.0.1:$REHEARSAL_K3S_PORT"}
contexts:
- name: default
  context: {cluster: default, user: default}
users:
- name: default
  user: {token: none}
END
  ;;
exec)
  shift 3
  case $* in *nerdctl*ps*|df*) echo "ran $*"; exit 7 ;; esac ;;
esac
"""


@pytest.fixture
def inside(rig: Rig) -> Rig:
    """A rig whose machines have a guest program."""
    program = rig.place / "guest"
    program.write_text(GUEST)
    program.chmod(0o755)
    rig.environment |= {"REHEARSAL_GUEST": str(program), "REHEARSAL_LOG": str(rig.place / "log")}
    return rig


def calls(rig: Rig) -> list[str]:
    """The calls of the guest program, without what it was asked to run."""
    file = rig.place / "log"
    return [line for line in file.read_text().splitlines() if " -- " not in line] if file.exists() else []


def given(rig: Rig, verb: str) -> dict[str, str]:
    """The environment of the last call of a verb."""
    lines = (rig.place / f"log.{verb}").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def wait_for_call(rig: Rig, call: str) -> None:
    """Wait until a call was made."""
    assert comes_true(lambda: call in calls(rig), 10), calls(rig)


def test_the_engine_is_started_with_its_places_and_stopped_before_the_machine(inside: Rig) -> None:
    result = inside.started("lab", "--mount", "none")
    assert "engine says hello" in result.out
    assert calls(inside) == ["start-runtime colima-lab"]
    environment = given(inside, "start-runtime")
    assert environment["REHEARSAL_PROFILE_DIR"] == str(inside.base / "lab")
    assert environment["REHEARSAL_INSTANCE_DIR"] == str(inside.instance("lab"))
    assert environment["REHEARSAL_DISK_DIR"] == str(inside.contents("lab"))
    assert environment["REHEARSAL_ROOT_DIR"] == str(inside.instance("lab") / "root")
    assert environment["REHEARSAL_RUNTIME"] == "docker"
    assert "native.cgroupdriver=cgroupfs" in Path(environment["REHEARSAL_DAEMON_JSON"]).read_text()
    inside.colima("stop", "lab")
    assert calls(inside) == ["start-runtime colima-lab", "stop-runtime colima-lab", "kill colima-lab"]


def test_an_engine_that_does_not_start_fails_the_start(inside: Rig) -> None:
    result = inside.colima("start", "lab", REHEARSAL_CODE="5")
    assert (result.rc, result.fatal) == (1, "error starting docker: exit status 5")
    assert "engine says hello" in result.out


@pytest.mark.parametrize("ways", [["ha"], ["ha", "qemu"]], ids=["host agent", "all"])
def test_whatever_kills_the_machine_kills_what_is_inside(inside: Rig, ways: list[str]) -> None:
    inside.started("lab", "--mount", "none")
    for name in ways:
        if (inside.instance("lab") / f"{name}.pid").exists():
            os.kill(inside.pid("lab", name), signal.SIGKILL)
    if ways == ["ha"] and (inside.instance("lab") / "qemu.pid").exists():
        # The driver still runs, and so does the engine in it.
        time.sleep(0.5)
        assert "kill colima-lab" not in calls(inside)
        inside.colima("stop", "lab", "--force")
    wait_for_call(inside, "kill colima-lab")


def test_deleting_a_running_machine_waits_until_its_inside_is_gone(inside: Rig) -> None:
    inside.started("lab", "--mount", "none")
    assert inside.colima("delete", "lab", "--force", "--data").rc == 0
    assert calls(inside)[-1] == "kill colima-lab"
    assert not inside.contents("lab").exists()


def test_commands_run_inside_and_their_failure_is_seen(inside: Rig) -> None:
    inside.started("lab", "--runtime", "containerd", "--mount", "none")
    result = inside.colima("nerdctl", "-p", "lab", "--", "-n", "k8s.io", "ps")
    assert (result.rc, result.out, result.fatal) == (1, "ran sudo nerdctl -n k8s.io ps\n", "exit status 7")
    result = inside.colima("ssh", "-p", "lab", "--", "df", "-h")
    assert result.out == "ran df -h\n"


def test_kubernetes_is_started_with_its_port_and_its_file_is_merged(standin: Rig) -> None:
    program = standin.place / "guest"
    program.write_text(GUEST)
    program.chmod(0o755)
    standin.environment |= {"REHEARSAL_GUEST": str(program), "REHEARSAL_LOG": str(standin.place / "log")}
    standin.started("k8s", "--kubernetes", "--k3s-listen-port", "26443", "--mount", "none")
    assert calls(standin) == ["start-runtime colima-k8s", "start-kubernetes colima-k8s"]
    assert given(standin, "start-kubernetes")["REHEARSAL_K3S_PORT"] == "26443"
    assert given(standin, "start-kubernetes")["REHEARSAL_KUBERNETES"] == "1"
    assert standin.kubectl_config()["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:26443"
    assert json.loads(standin.colima("status", "k8s", "--json").out)["kubernetes"] is True
    assert "server: " in standin.colima("ssh", "-p", "k8s", "--", "sudo", "cat", "/etc/rancher/k3s/k3s.yaml").out


def test_ps_in_the_guest_prints_programs_or_whole_commands_as_asked(rig: Rig) -> None:
    rig.started("lab", "--runtime", "none", "--mount", "none")
    inside = ("ssh", "-p", "lab", "--", "ps", "-e", "-ww", "-o")
    assert {"systemd", "sshd", "ps"} <= set(rig.colima(*inside, "comm=").out.splitlines())
    assert "ps -e -ww -o args=" in rig.colima(*inside, "args=").out.splitlines()
