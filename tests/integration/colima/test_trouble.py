# SPDX-License-Identifier: GPL-3.0-or-later
"""What users, crashes and other programs leave lying about: nothing of it is a traceback, and nothing is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import (
    CommandFailed,
    InputError,
    RefusedStep,
    ToolMissing,
)

from rehearsal.standin import docker_cli
from tests.support.colima.standin_laptop import ColimaLab, converge
from tests.support.processes import kill

DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}
CONTAINERD = {"name": "k8s", "runtime": "containerd"}
NAME = parse_name("dev")
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "text",
    [
        b"runtime: [docker]\n",
        b"runtime: docker\ncpu: many\nmemory: .inf\nmounts: [a]\nprovision: [1]\n",
        b"docker: &a {x: *a}\nruntime: docker\n",
        b"cpu: 9\ncpu: 8\nruntime: docker\n",
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_damaged_settings_are_put_right_without_a_restart(lab: ColimaLab, text: bytes) -> None:
    lab.converge({**DEV, "env": {"KEEP": "me"}})
    machine = lab.machine("dev")
    lab.paths.configured(NAME).write_bytes(text)
    lab.converge(DEV)
    assert lab.converge(DEV).actions == ()
    settings = yaml.safe_load(lab.paths.configured(NAME).read_text())
    assert (settings["runtime"], settings["cpu"], settings["memory"]) == ("docker", 2, 4)
    assert lab.machine("dev") == machine


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_when_all_settings_are_lost_the_vm_keeps_its_sizes_and_its_data(lab: ColimaLab, state: str) -> None:
    lab.converge(DEV)
    lab.put_marker("dev")
    if state == "stopped":
        lab.run("colima", "stop", "dev")
    lab.paths.configured(NAME).unlink()
    lab.paths.applied(NAME).unlink()
    done = lab.converge({"name": "dev"})
    assert (done.profiles[0]["cpu"], done.profiles[0]["memory"], done.profiles[0]["disk"]) == (2, 4, 20)
    assert lab.has_marker("dev")
    assert lab.converge({"name": "dev"}).actions == ()


def directory_for_settings(lab: ColimaLab) -> Path:
    lab.converge(DEV)
    lab.paths.configured(NAME).unlink()
    lab.paths.configured(NAME).mkdir()
    return lab.paths.configured(NAME).parent


def directory_for_the_lock(lab: ColimaLab) -> Path:
    (lab.paths.own / "lock").mkdir(parents=True)
    return lab.paths.own / "lock"


def file_for_the_base(lab: ColimaLab) -> Path:
    (lab.home / ".colima").write_text("")
    return lab.home / ".colima"


@pytest.mark.parametrize("obstacle", [directory_for_settings, file_for_the_base])
def test_what_is_in_the_way_is_named(lab: ColimaLab, obstacle: Callable[[ColimaLab], Path]) -> None:
    path = obstacle(lab)
    with pytest.raises(InputError) as told:
        lab.converge(DEV)
    assert told.value.message.startswith(f"Could not converge the colima profiles: '{path}")
    assert told.value.message.endswith("Check that path, and run again.")


def test_a_link_to_a_disk_that_is_not_mounted_is_named(lab: ColimaLab) -> None:
    link = lab.home / ".colima"
    link.symlink_to(lab.home / "gone")
    with pytest.raises(InputError, match=rf"Could not use '{link}': it leads to '{lab.home}/gone', which does not exist"):
        lab.converge(DEV)
    assert link.is_symlink() and not (lab.home / "gone").exists()


def test_a_vm_that_lost_its_definition_hides_no_other_and_loses_no_data(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.put_marker("dev")
    lab.run("colima", "start", "other")
    lab.run("colima", "stop", "dev")
    (lab.paths.instance(NAME) / "lima.yaml").unlink()
    assert [row.name for row in Colima(lab.paths, lab.environment).rows()] == ["other"]
    healed = lab.converge(DEV)
    assert healed.actions[0].startswith("set aside the VM of profile 'dev' (Lima can't read its definition")
    assert healed.profiles[0]["status"] == "running" and lab.has_marker("dev") and lab.converge(DEV).actions == ()


def test_a_directory_in_place_of_the_lock_is_named(lab: ColimaLab) -> None:
    path = directory_for_the_lock(lab)
    with pytest.raises(InputError, match=rf"Could not lock '{path}': it is not a plain file\. Remove it, and run again\."):
        lab.converge(DEV)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused: run the tests as root")
@pytest.mark.parametrize("check", [True, False])
def test_root_in_an_empty_home_is_told_limas_refusal_before_anything_is_written(lab: ColimaLab, check: bool) -> None:
    lab.settings["REFUSE_ROOT"] = "1"
    before = lab.tree()
    with pytest.raises(InputError, match="limactl must not run as the root user"):
        lab.converge(DEV, check=check)
    assert lab.tree() == before


def test_the_settings_may_live_behind_a_link(lab: ColimaLab) -> None:
    (lab.home / "elsewhere").mkdir()
    (lab.home / ".colima").symlink_to(lab.home / "elsewhere")
    lab.converge(DEV)
    lab.put_marker("dev")
    assert lab.converge(DEV).actions == ()
    lab.run("colima", "stop", "dev")
    (lab.paths.instance(NAME) / "lima.yaml").write_text("{")
    lab.converge(DEV)
    assert lab.has_marker("dev")
    assert (lab.home / ".colima").is_symlink()


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_a_link_to_the_settings_stays_one_and_its_target_is_written(lab: ColimaLab, there: bool) -> None:
    lab.converge({**DEV, "state": "present"})
    mine = lab.home / "dotfiles" / "colima.yaml"
    mine.parent.mkdir()
    moved = lab.paths.configured(NAME).rename(mine)
    lab.paths.configured(NAME).symlink_to(moved)
    if not there:
        mine.unlink()
    lab.converge({**DEV, "cpu": 3, "state": "present"})
    assert lab.paths.configured(NAME).is_symlink()
    assert yaml.safe_load(mine.read_text())["cpu"] == 3
    assert lab.converge({**DEV, "cpu": 3, "state": "present"}).actions == ()


def test_a_link_into_a_read_only_place_is_refused_while_the_vm_runs(lab: ColimaLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.converge(DEV)
    machine, dotfiles = lab.machine("dev"), lab.root / "dotfiles"
    dotfiles.mkdir()
    lab.paths.configured(NAME).rename(dotfiles / "colima.yaml")
    lab.paths.configured(NAME).symlink_to(dotfiles / "colima.yaml")
    dotfiles.chmod(0o555)
    if os.geteuid() == 0:
        # Nothing but a mount keeps root from writing.
        monkeypatch.setattr(os, "access", lambda place, _mode: str(place) != str(dotfiles))
    with pytest.raises(InputError, match=f"settings of profile 'dev': '{dotfiles}'"):
        lab.converge({**DEV, "cpu": 4})
    assert lab.machine("dev") == machine


def test_trouble_with_a_file_on_the_way_tells_what_was_done(lab: ColimaLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.converge(DEV)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"no space left on device\. Free some disk space, and run again") as caught:
        lab.converge({**DEV, "cpu": 4})
    assert caught.value.result["changed"]
    assert str(caught.value.result["actions"]).startswith("[\"stop profile 'dev'")


def test_two_colima_homes_do_not_know_of_each_other(process_lab: ColimaLab) -> None:
    process_lab.converge(DEV)
    environment = {**process_lab.environment, "COLIMA_HOME": str(process_lab.home / "work")}
    colima = Colima(resolve(environment, "Darwin"), environment)
    try:
        there = converge(colima, process_lab.request({**DEV, "cpu": 3}), False)
        assert there.profiles[0]["cpu"] == 3
        assert there.profiles[0]["docker_socket"] == f"unix://{process_lab.home}/work/dev/docker.sock"
        assert (process_lab.home / "work" / "_lima" / NAME.id).is_dir()
        assert process_lab.converge(DEV).actions == ()
    finally:
        assert converge(colima, process_lab.request({"name": "dev", "state": "absent"}), False).profiles[0]["status"] == "absent"


@pytest.mark.parametrize("program", ["limactl", "lima"])
@pytest.mark.parametrize("used", [False, True], ids=["first run", "later run"])
def test_half_an_installation_of_lima_is_named_before_the_first_step(lab: ColimaLab, program: str, used: bool) -> None:
    if used:
        lab.converge(DEV)
    away = (lab.bin / program).rename(lab.root / program)
    with pytest.raises(ToolMissing, match=f"Could not find '{program}': it is not installed"):
        lab.converge({**DEV, "cpu": 3}, restart="always")
    away.rename(lab.bin / program)
    assert lab.converge({**DEV, "cpu": 3}, restart="always").profiles[0]["cpu"] == 3


def test_a_new_profile_beside_an_unlisted_one_is_reported_once(lab: ColimaLab) -> None:
    lab.converge(DEV)
    lab.put_marker("dev")
    renamed = {**DEV, "name": "work"}
    assert lab.converge(renamed).warnings == (
        "Profile 'dev' (running) is not in the list and is left alone. If 'work' replaces one, delete that with state: absent; "
        "its data disk stays unless O(delete_data) is set.",
    )
    assert lab.converge(renamed).warnings == ()
    with pytest.raises(RefusedStep) as caught:
        lab.converge({**DEV, "name": "third", "memory": 30})
    assert "Profiles 'dev' and 'work' are running but not in the list: stop them ('colima stop dev')" in caught.value.message
    assert lab.has_marker("dev")
    assert lab.converge(DEV).actions == ()


@pytest.mark.parametrize("text", ["", "contexts: []\nclusters: []\n", "kind: Config\ncurrent-context: colima-k8s\n"])
def test_a_kubeconfig_that_lost_its_content_is_filled_in_one_run(lab: ColimaLab, text: str) -> None:
    lab.converge(K8S)
    file = lab.home / ".kube" / "config"
    file.write_text(text)
    assert lab.converge(K8S).actions == ("repair kubeconfig entry 'colima-k8s' (from the running k3s)",)
    assert lab.converge(K8S).actions == ()
    assert yaml.safe_load(file.read_text())["current-context"] == "colima-k8s"


@pytest.mark.parametrize("text", ["{", "- a", "contexts: 3\n"])
def test_a_kubeconfig_that_is_none_is_named_and_left_alone(lab: ColimaLab, text: str) -> None:
    lab.converge(K8S)
    file = lab.home / ".kube" / "config"
    file.write_text(text)
    with pytest.raises(InputError, match=r"Could not read kubeconfig '.*': .*\. Repair it, or move it away: mv "):
        lab.converge(K8S)
    assert file.read_text() == text


def test_a_kubectl_that_holds_its_lock_is_named_after_one_more_try(process_lab: ColimaLab) -> None:
    (process_lab.bin / "kubectl").write_text("#!/bin/sh\necho 'error: open /h/.kube/config.lock: file exists' >&2\nexit 1\n")
    with pytest.raises(CommandFailed, match=r"config\.lock: file exists\. Another kubectl holds that lock"):
        process_lab.converge(K8S)
    assert sum(call[:2] == ["colima", "start"] for call in process_lab.calls()) == 2


def test_a_docker_context_with_a_stale_address_is_corrected_without_a_restart(process_lab: ColimaLab) -> None:
    docker_cli.install(process_lab.bin)
    process_lab.converge(DEV)
    machine = process_lab.machine("dev")
    assert process_lab.run("docker", "context", "update", "colima-dev", "--docker", "host=unix:///old.sock").returncode == 0
    socket = process_lab.paths.socket(NAME, "docker")
    assert process_lab.converge(DEV).actions == (f"correct docker context 'colima-dev' (unix:///old.sock -> {socket})",)
    shown = process_lab.run("docker", "context", "inspect", "colima-dev", "--format", "{{.Endpoints.docker.Host}}").stdout
    assert (shown.strip(), process_lab.machine("dev")) == (socket, machine)
    assert process_lab.converge(DEV).actions == ()


@pytest.mark.parametrize("current", ["colima-dev", "default"])
def test_the_context_that_docker_works_with_is_the_same_after_a_restart(process_lab: ColimaLab, current: str) -> None:
    docker_cli.install(process_lab.bin)
    process_lab.converge({**DEV, "auto_activate": False})
    assert process_lab.run("docker", "context", "use", current).returncode == 0
    done = process_lab.converge({**DEV, "auto_activate": False, "cpu": 4})
    assert process_lab.run("docker", "context", "show").stdout.strip() == current
    assert ("make current again docker context 'colima-dev'" in done.actions) == (current != "default")
    assert process_lab.converge({**DEV, "auto_activate": False, "cpu": 4}).actions == ()


def test_after_a_crash_absent_takes_everything_away_in_order(process_lab: ColimaLab) -> None:
    docker_cli.install(process_lab.bin)
    process_lab.converge({**DEV, "kubernetes": {"enabled": True}})
    wrapper = process_lab.bin / "nerdctl"
    wrapper.write_text('#!/usr/bin/env sh\n\n/opt/colima nerdctl --profile dev -- "$@"\n')
    kill(process_lab.machine("dev"))
    process_lab.run("colima", "stop", "dev", "--force")
    assert process_lab.run("docker", "context", "inspect", "colima-dev").returncode == 0
    done = process_lab.converge({"name": "dev", "state": "absent"})
    assert [action.split(" (")[0] for action in done.actions] == [
        "delete the VM of profile 'dev'",
        "remove docker context 'colima-dev'",
        "remove kubeconfig entry 'colima-dev'",
        "remove colima's copies of the kubeconfig from before profile 'dev'",
        f"remove line 'Include {process_lab.paths.base / 'ssh_config'}' from ~/.ssh/config",
        f"remove nerdctl wrapper '{wrapper}'",
    ]
    assert process_lab.run("docker", "context", "inspect", "colima-dev").returncode != 0
    assert process_lab.converge({"name": "dev", "state": "absent"}).actions == ()


def test_a_context_of_that_name_for_something_else_is_left_by_absent(process_lab: ColimaLab) -> None:
    docker_cli.install(process_lab.bin)
    process_lab.converge(DEV)
    process_lab.run("colima", "stop", "dev")
    process_lab.run("docker", "context", "create", "colima-dev", "--docker", "host=ssh://me@server")
    process_lab.converge({"name": "dev", "state": "absent"})
    assert process_lab.run("docker", "context", "inspect", "colima-dev").returncode == 0


RUN = """
import json, sys
from pathlib import Path
from tests.support.colima.standin_laptop import ColimaLab
print(json.dumps(ColimaLab(Path(sys.argv[1]), BOOT_SECONDS="1").converge(*json.loads(sys.argv[2])).actions))
"""


def test_what_cannot_be_repaired_ends_with_what_lima_said(lab: ColimaLab) -> None:
    lab.settings["FAIL"] = "docker-start:dev"
    with pytest.raises(CommandFailed) as told:
        lab.converge(DEV)
    assert "Could not start profile 'dev': error starting docker: exit status 1" in told.value.message
    assert "colima ssh -p dev -- sudo journalctl -u docker" in told.value.message
    log = (lab.paths.instance(NAME) / "ha.stderr.log").read_text().splitlines()
    assert log
    assert str(told.value.context["ha_log"]).splitlines() == log[-15:]


def test_of_two_starts_that_fail_both_reasons_are_told(lab: ColimaLab) -> None:
    lab.settings["FAIL"] = "docker-start:dev,containerd-start:other"
    with pytest.raises(CommandFailed) as told:
        lab.converge(DEV, {**DEV, "name": "other", "runtime": "containerd", "auto_activate": False})
    for name, engine in (("dev", "docker"), ("other", "containerd")):
        assert f"Could not start profile '{name}': error starting {engine}: exit status 1" in told.value.message
        log = (lab.paths.instance(parse_name(name)) / "ha.stderr.log").read_text().splitlines()
        assert log[-1] in str(told.value.context["ha_log"])
        assert f"create profile '{name}'" in str(told.value.result["actions"])


def test_a_start_that_fails_after_the_boot_neither_cuts_the_vm_off_nor_boots_it_again(lab: ColimaLab) -> None:
    lab.settings["FAIL"] = "docker-start:dev"
    with pytest.raises(CommandFailed, match="error starting docker"):
        lab.converge(DEV)
    machine = lab.machine("dev")
    lab.calls()
    with pytest.raises(CommandFailed, match="error starting docker"):
        lab.converge(DEV, restart="always")
    assert lab.machine("dev") != machine
    changes = [call[1:] for call in lab.calls() if call[0] == "colima" and call[1] in ("start", "stop", "delete")]
    assert changes == [["stop", "--profile", "dev"], ["start", "--profile", "dev"]]


def test_a_vm_that_another_program_started_in_the_same_moment_is_not_cut_off(process_lab: ColimaLab) -> None:
    real = (process_lab.bin / "colima").rename(process_lab.bin / "real-colima")
    said = 'level=fatal msg="instance \\"colima-dev\\" seems running (hint: remove \\"ha.pid\\")"'
    (process_lab.bin / "colima").write_text(
        f"#!/bin/sh\n'{real}' \"$@\" || exit\n[ $1 != start ] || {{ echo '{said}'; exit 1; }}\n"
    )
    (process_lab.bin / "colima").chmod(0o755)
    with pytest.raises(CommandFailed, match="seems running"):
        process_lab.converge(DEV)
    assert not [call for call in process_lab.calls() if "--force" in call]
    assert process_lab.converge(DEV).actions == ()


def test_vms_that_shrink_stop_before_others_grow(lab: ColimaLab) -> None:
    other = {**DEV, "name": "other", "auto_activate": False}
    lab.converge({**DEV, "cpu": 8}, {**other, "cpu": 3})
    lab.calls()
    lab.converge({**other, "cpu": 8}, {**DEV, "cpu": 3})
    verbs = [call[1] for call in lab.calls() if call[0] == "colima" and call[1] in ("stop", "start")]
    assert verbs == ["stop", "stop", "start", "start"]


def test_a_full_disk_is_told_before_a_vm_is_made(lab: ColimaLab) -> None:
    for free, what in ((4000, "refused"), (50_000, "warned")):
        host = replace(lab.host, disk_free_mib=free)
        request = replace(lab.request(DEV, {**DEV, "name": "two", "disk": 100, "auto_activate": False}), host=host)
        if what == "refused":
            with pytest.raises(RefusedStep, match=r"profile 'dev': only 3\.9 GiB are free .* needs 3 GiB\. Free some disk space"):
                converge(lab.colima, request, True)
        else:
            assert "may grow by 120 GiB, and 48 GiB are free" in converge(lab.colima, request, True).warnings[0]


def test_two_plays_at_once_do_the_work_once(lab: ColimaLab) -> None:
    lab.settings["BOOT_SECONDS"] = "1"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'collections'}:{ROOT}"}
    argv = [sys.executable, "-c", RUN, str(lab.root), '[{"name": "dev", "cpu": 2, "memory": 4, "disk": 20}]']
    plays: list[subprocess.Popen[str]] = [
        subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) for _ in range(3)
    ]
    said: list[Any] = sorted(play.communicate(timeout=120)[0].strip() for play in plays)
    assert [play.returncode for play in plays] == [0, 0, 0]
    assert sorted(said, key=len)[:2] == ["[]", "[]"]
    assert sum(call[:2] == ["colima", "start"] for call in lab.calls()) == 1


# -- answers of colima that can't be true: nothing is done on their word, whatever the policy


def let_list_say(lab: ColimaLab, text: str) -> None:
    """A profile runs. From now on `colima list` prints this and exits with 0; all else is colima's own."""
    lab.converge(CONTAINERD)
    real = lab.bin / "real"
    real.mkdir()
    (lab.bin / "colima").rename(real / "colima")
    (lab.root / "list").write_text(text)
    script = f'#!/bin/sh\ncase "$1" in list) cat "{lab.root}/list"; exit 0 ;; esac\nexec "{real}/colima" "$@"\n'
    (lab.bin / "colima").write_text(script)
    (lab.bin / "colima").chmod(0o755)


@pytest.mark.parametrize("state", ["started", "stopped", "absent"])
def test_an_empty_list_beside_a_vm_of_lima_is_refused(process_lab: ColimaLab, state: str) -> None:
    let_list_say(process_lab, "")
    process_lab.calls()
    before = process_lab.tree()
    with pytest.raises(RefusedStep) as refusal:
        process_lab.converge({**CONTAINERD, "cpu": 4, "state": state}, restart="always")
    assert refusal.value.message == (
        "Could not plan profile 'k8s': colima does not list it, and its VM is there (lima.yaml). "
        "Run 'colima list' by hand, repair what it shows, and run again."
    )
    assert process_lab.tree() == before
    assert not [call for call in process_lab.calls() if call[1] in ("start", "stop", "delete") or call[2:3] == ["unlock"]]


@pytest.mark.parametrize(
    "text", ["Segmentation fault\n", '{"name":"k8s","stat', '{"name":"k8s","cpus":"4"}\n', '{"status":"Running"}\n']
)
def test_a_list_that_can_not_be_read_is_a_failure(process_lab: ColimaLab, text: str) -> None:
    let_list_say(process_lab, text)
    before = process_lab.tree()
    with pytest.raises(CommandFailed, match="Could not read the answer of 'colima list --json'"):
        process_lab.converge({**CONTAINERD, "cpu": 4}, restart="always")
    assert process_lab.tree() == before


def test_a_vm_that_is_listed_as_stopped_and_runs_is_left_alone(process_lab: ColimaLab) -> None:
    let_list_say(process_lab, '{"name":"k8s","status":"Stopped","cpus":2}\n')
    with pytest.raises(RefusedStep, match=r"colima lists it as stopped, and its (VM answers|host agent \(process \d+\) runs)"):
        process_lab.converge({**CONTAINERD, "cpu": 4}, restart="always")
