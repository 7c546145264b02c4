# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles converged through a colima that keeps the real one's contract, lies included."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.client import retained_vms
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.run_lock import RunLock
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import specs_from
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy
from ansible_collections.laptop.containers.plugins.module_utils.colima.survey import ProfilesSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import (
    CommandFailed,
    NotVerified,
    RefusedStep,
    TimedOut,
    ToolMissing,
    WorkstationError,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run as run_subject
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.task import DiskSnapshot

from tests.support.colima.standin_laptop import ColimaLab, colima_lab, converge
from tests.support.processes import kill, standing_still_until

DOCKER = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}


@pytest.fixture
def progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which another program watches what happens."""
    return watched(tmp_path / "progress", monkeypatch)


def watched(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The watching program makes the file; without it, the run writes nothing.
    file.touch()
    monkeypatch.setenv("LAPTOP_CONTAINERS_PROGRESS", str(file))
    return file


def applied(lab: ColimaLab, name: str) -> dict[str, Any]:
    return yaml.safe_load(lab.paths.applied(parse_name(name)).read_text())  # type: ignore[no-any-return]


def events(progress: Path) -> list[dict[str, Any]]:
    """What a display would show of profiles."""
    return [event for event in map(json.loads, progress.read_text().splitlines()) if "phase" in event]


def change_applied(lab: ColimaLab, name: str, **values: Any) -> None:
    file = lab.paths.applied(parse_name(name))
    file.write_text(yaml.safe_dump({**applied(lab, name), **values}))


def test_check_apply_check_apply(lab: ColimaLab) -> None:
    before = lab.tree()
    planned = lab.converge(DOCKER, K8S, check=True)
    assert lab.tree() == before
    done = lab.converge(DOCKER, K8S)
    assert (
        planned.actions
        == done.actions
        == (
            "create profile 'dev' (docker, 2 CPUs, 4 GiB, disk 20 GiB)",
            "create profile 'k8s' (containerd + Kubernetes, 4 CPUs, 12 GiB, disk 100 GiB)",
        )
    )
    assert planned.diff == done.diff
    before = lab.tree()
    assert lab.converge(DOCKER, K8S, check=True).actions == ()
    again = lab.converge(DOCKER, K8S)
    assert (again.actions, again.pending, lab.tree()) == ((), (), before)
    assert [(p["name"], p["status"], p["kubernetes"]) for p in again.profiles] == [
        ("dev", "running", False),
        ("k8s", "running", True),
    ]


def test_a_run_with_nothing_to_do_asks_as_little_as_possible(lab: ColimaLab) -> None:
    lab.converge(DOCKER, K8S)
    lab.calls()
    lab.converge(DOCKER, K8S)
    assert sorted(lab.calls()) == [
        ["colima", "list", "--json"],
        # No API server is behind this k3s, so its VM is asked: first for a word, as one that hangs would hold up each question.
        ["colima", "ssh", "--profile", "k8s", "--", "sudo", "cat", "/etc/rancher/k3s/k3s.yaml"],
        ["colima", "ssh", "--profile", "k8s", "--", "true"],
        ["colima", "status", "--profile", "k8s", "--json"],
        ["limactl", "disk", "list", "--json"],
    ]


def test_a_change_waits_for_running_containers_and_is_applied_afterwards(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    machine = lab.machine("dev")
    lab.containers("web")
    held = lab.converge({**DOCKER, "cpu": 4})
    assert held.actions == ()
    assert [str(item) for item in held.pending] == [
        "profile 'dev': cpu 2 CPUs -> 4 CPUs is pending because 1 container runs in it (web). Run again when nothing runs in it, "
        "or with E(restart=always)."
    ]
    assert lab.machine("dev") == machine
    lab.containers()
    lab.calls()
    done = lab.converge({**DOCKER, "cpu": 4})
    assert len(done.actions) == 3
    assert [call[1] for call in lab.calls() if call[0] == "colima" and call[1] in ("stop", "start", "restart", "delete")] == [
        "stop",
        "start",
    ]
    assert done.profiles[0]["cpu"] == applied(lab, "dev")["cpu"] == 4
    assert lab.has_marker("dev")


def test_a_container_that_starts_while_another_profile_stops_holds_its_own_restart_back(process_lab: ColimaLab) -> None:
    one = {"name": "one", "cpu": 2, "memory": 4, "disk": 20, "runtime": "containerd"}
    two = {"name": "two", "cpu": 2, "memory": 4, "disk": 20, "auto_activate": False}
    process_lab.converge(one, two)
    # Stopping takes its time; meanwhile the user begins to work in the other one.
    (process_lab.bin / "colima").rename(process_lab.bin / "colima.real")
    listing = json.dumps({"Names": "my-database", "Labels": ""})
    (process_lab.bin / "colima").write_text(
        f"""#!/bin/sh
case "$*" in stop*one*) echo '{listing}' > {process_lab.root}/containers ;; esac
exec {process_lab.bin}/colima.real "$@"
"""
    )
    (process_lab.bin / "colima").chmod(0o755)
    machine = process_lab.machine("two")
    done = process_lab.converge({**one, "cpu": 3}, {**two, "cpu": 3})
    assert process_lab.machine("two") == machine
    assert [str(item.target) for item in done.pending] == ["profile 'two'"]
    assert "my-database" in done.pending[0].reason
    assert not [action for action in done.actions if "'two'" in action]
    process_lab.containers()
    assert any("stop profile 'two'" in action for action in process_lab.converge({**one, "cpu": 3}, {**two, "cpu": 3}).actions)


def test_pods_of_kubernetes_itself_do_not_hold_a_restart_back(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.containers("k8s_coredns", labels="a=b,io.kubernetes.pod.namespace=kube-system")
    assert lab.converge({**DOCKER, "cpu": 4}).pending == ()


HEAD = "UID    PID    PPID    C    STIME    TTY    TIME    CMD"
AT_REST = f"{HEAD}\nroot   1234   1200    0    10:00    ?    00:00:01    buildkitd --oci-worker-no-process-sandbox"
BUILDING = f"{AT_REST}\nroot   1300   1234    0    10:01    ?    00:00:00    runc run"


def let_builder_be(lab: ColimaLab, top: str) -> None:
    (lab.root / "top").write_text(top)
    (lab.bin / "docker").write_text(
        '#!/bin/sh\ncase "$1 $3" in "-H ps") cat "$LAB/containers";; "-H top") [ -s "$LAB/top" ] && cat "$LAB/top";; '
        '"context "*) [ "$2" != inspect ];; esac\n'
    )


def test_a_builder_that_builds_nothing_does_not_hold_a_restart_back(process_lab: ColimaLab) -> None:
    process_lab.converge(DOCKER)
    process_lab.containers("buildx_buildkit_multi-platform0")
    for top in (BUILDING, HEAD, ""):
        let_builder_be(process_lab, top)
        (held,) = process_lab.converge({**DOCKER, "cpu": 4}).pending
        assert held.reason == "1 container runs in it (buildx_buildkit_multi-platform0)", top
    let_builder_be(process_lab, AT_REST)
    process_lab.containers("buildx_buildkit_multi-platform0", "web")
    (held,) = process_lab.converge({**DOCKER, "cpu": 4}).pending
    assert held.reason == "1 container runs in it (web)"
    process_lab.containers("buildx_buildkit_multi-platform0")
    assert process_lab.converge({**DOCKER, "cpu": 4}).profiles[0]["cpu"] == 4


def test_instances_of_incus_hold_a_restart_back_and_so_does_an_answer_that_is_none(lab: ColimaLab) -> None:
    (lab.bin / "incus").write_text("#!/bin/sh\nexit 0\n")
    (lab.bin / "incus").chmod(0o755)
    wanted = {**DOCKER, "runtime": "incus"}
    lab.converge(wanted)
    answer = lab.paths.instance(parse_name("dev")) / "root/var/lib/rehearsal/incus.json"
    for text, reason in (
        ('[{"name": "web", "status": "Running"}]', "1 instance runs in it (web)"),
        ("Error: not now", "it is unknown whether instances run in it"),
    ):
        answer.write_text(text)
        held = lab.converge({**wanted, "cpu": 3})
        assert (held.actions, [item.reason for item in held.pending]) == ((), [reason])
    answer.write_text('[{"name": "web", "status": "Stopped"}]')
    assert lab.converge({**wanted, "cpu": 3}).profiles[0]["cpu"] == 3


def test_a_restart_for_kubernetes_that_does_not_run_waits_for_running_containers_too(lab: ColimaLab) -> None:
    wanted = {**DOCKER, "kubernetes": {"enabled": True}}
    lab.converge(wanted)
    lab.run("colima", "kubernetes", "stop", "--profile", "dev")
    lab.containers("web")
    machine = lab.machine("dev")
    held = lab.converge(wanted)
    assert (held.actions, lab.machine("dev")) == ((), machine)
    assert "(Kubernetes is not running in it) is pending because 1 container runs in it (web)" in str(held.pending[0])
    lab.containers()
    assert lab.converge(wanted).profiles[0]["status"] == "running"


def test_kubernetes_is_refused_where_the_runtime_that_is_there_has_none(lab: ColimaLab) -> None:
    lab.converge({**DOCKER, "runtime": "none"})
    with pytest.raises(RefusedStep, match=r"colima has no Kubernetes on runtime none\. Use runtime containerd or docker"):
        lab.converge({**DOCKER, "kubernetes": {"enabled": True}})
    # colima itself takes the flag, and drops it without a word.
    lab.run("colima", "stop", "dev")
    lab.run("colima", "start", "dev", "--kubernetes")
    lab.calls()
    assert lab.converge(DOCKER).actions == ()


def test_restart_never_holds_back_and_always_does_not_ask(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.containers("web")
    assert lab.converge({**DOCKER, "memory": 6}, restart="never").pending
    assert lab.converge({**DOCKER, "memory": 6}, restart="always").profiles[0]["memory"] == 6


def test_a_setting_that_needs_no_restart_is_written_at_once(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.containers("web")
    machine = lab.machine("dev")
    done = lab.converge({**DOCKER, "auto_activate": False, "cpu": 3})
    assert done.actions == ("write the settings of profile 'dev' (auto_activate on -> off)",)
    assert done.pending
    assert lab.machine("dev") == machine
    assert lab.converge({**DOCKER, "auto_activate": False}).actions == ()


def test_what_colima_start_was_told_behind_our_back_is_seen(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    # colima exits with 0, changes nothing in the VM, and has rewritten colima.yaml.
    assert lab.run("colima", "start", "dev", "--cpus", "6").returncode == 0
    assert lab.converge({**DOCKER, "cpu": 6}, restart="always").actions
    assert applied(lab, "dev")["cpu"] == 6


def test_options_left_out_keep_what_is_there(lab: ColimaLab) -> None:
    lab.converge({**DOCKER, "env": {"A": "1"}, "mounts": [{"location": "none"}], "docker": {"debug": True}})
    lab.converge({"name": "dev", "cpu": 3})
    settings = applied(lab, "dev")
    assert (settings["cpu"], settings["memory"], settings["env"], settings["mounts"], settings["docker"]["debug"]) == (
        3,
        4,
        {"A": "1"},
        None,
        True,
    )


def test_stop_and_start(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    assert lab.converge({"name": "dev", "state": "stopped"}).actions == ("stop profile 'dev'",)
    assert lab.converge({"name": "dev", "state": "stopped"}).actions == ()
    assert lab.converge({"name": "dev", "state": "present", "cpu": 3}).profiles[0]["status"] == "stopped"
    assert lab.converge({"name": "dev"}).profiles[0]["cpu"] == 3


@pytest.mark.parametrize("state", ["absent", "stopped"])
def test_a_note_of_a_disk_that_was_never_made_goes_with_what_it_belongs_to(lab: ColimaLab, state: str) -> None:
    lab.settings["FAIL"] = "docker-start:dev"
    with pytest.raises(CommandFailed):
        lab.converge(DOCKER)
    note = lab.paths.fresh(parse_name("dev"))
    assert note.exists()
    lab.run("colima", "delete", "dev", "--force", "--data")
    shutil.rmtree(lab.paths.data_disk(parse_name("dev")), ignore_errors=True)
    lab.converge({"name": "dev", "state": state})
    assert not note.exists()


def test_the_disk_grows_and_its_true_size_counts(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    assert lab.converge({**DOCKER, "disk": 30}).profiles[0]["disk"] == 30
    with pytest.raises(RefusedStep, match="disk 30 GiB -> 20 GiB of profile 'dev': fixed"):
        lab.converge({**DOCKER, "disk": 20})
    # colima itself now claims 10 GiB everywhere.
    lab.run("colima", "stop", "dev")
    lab.run("colima", "start", "dev", "--disk", "10")
    assert applied(lab, "dev")["disk"] == 10
    with pytest.raises(RefusedStep, match="30 GiB -> 10 GiB"):
        lab.converge({**DOCKER, "disk": 10})
    assert lab.converge({**DOCKER, "disk": 30}).profiles[0]["disk"] == 30
    assert lab.has_marker("dev")


def test_a_disk_that_failed_to_grow_is_grown(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    change_applied(lab, "dev", disk=40)
    done = lab.converge({**DOCKER, "disk": 40})
    assert "enlarge the data disk of profile 'dev' (20 GiB -> 40 GiB)" in done.actions
    assert done.profiles[0]["disk"] == 40


def test_fixed_settings_are_refused_with_both_ways_forward(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    before = lab.tree()
    with pytest.raises(RefusedStep) as refused:
        lab.converge({**DOCKER, "cpu": 4, "vm_type": "qemu", "mount_type": "sshfs"})
    assert refused.value.message == (
        "Could not change vm_type vz -> qemu, mount_type virtiofs -> sshfs of profile 'dev': fixed for the life of its VM. "
        "Keep the old value, or set O(on_fixed_change=recreate) (replaces the VM; images and volumes stay). W(dev.vm_type)"
    )
    assert lab.tree() == before


def on_port(port: int, enabled: bool = True) -> dict[str, Any]:
    return {**K8S, "kubernetes": {"enabled": enabled, "port": port}}


def kube_port(lab: ColimaLab) -> int:
    cluster = yaml.safe_load((lab.home / ".kube" / "config").read_text())["clusters"][0]["cluster"]
    return int(cluster["server"].rpartition(":")[2])


def test_k3s_keeps_its_port_for_the_life_of_the_vm_also_while_it_is_off(lab: ColimaLab) -> None:
    lab.converge(on_port(7001, enabled=False))
    # Nothing is installed yet, so the port is free.
    lab.converge(on_port(7002))
    assert kube_port(lab) == 7002
    lab.converge(on_port(7003, enabled=False))
    for run in ("running", "behind our back"):
        if run == "behind our back":
            # colima takes the port into both of its files, and k3s does not.
            lab.run("colima", "stop", "k8s")
            lab.run("colima", "start", "k8s", "--kubernetes", "--k3s-listen-port", "7003")
            assert (applied(lab, "k8s")["kubernetes"]["port"], kube_port(lab)) == (7003, 7002)
        with pytest.raises(RefusedStep, match=r"Could not change kubernetes\.port 7002 -> 7003 of profile 'k8s': fixed"):
            lab.converge(on_port(7003))
    assert lab.converge(on_port(7002)).actions == ("write the settings of profile 'k8s' (kubernetes.port 7003 -> 7002)",)
    warned = lab.converge(on_port(7003), on_fixed_change="warn")
    assert (warned.actions, warned.warnings) == (
        (),
        ("Profile 'k8s' keeps kubernetes.port 7002 instead of 7003: it is fixed for the life of its VM.",),
    )
    lab.converge(on_port(7003), on_fixed_change="recreate")
    assert kube_port(lab) == 7003
    lab.calls()
    assert lab.converge(on_port(7003)).actions == ()
    assert not [call for call in lab.calls() if "/etc/colima/colima.json" in call]


def test_a_port_that_is_left_alone_stays_unwritten_where_the_files_do_not_name_it(lab: ColimaLab) -> None:
    lab.converge(on_port(0))
    port = kube_port(lab)
    lab.converge({**on_port(0), "state": "stopped"})
    # While the VM is down its port is unknown; what the start shows does not cause a write.
    assert lab.converge(on_port(7003), on_fixed_change="warn").profiles[0]["status"] == "running"
    assert (kube_port(lab), lab.converge(on_port(7003), on_fixed_change="warn").actions) == (port, ())


def test_a_port_that_a_stopped_vm_could_not_tell_is_told_when_it_is_up(lab: ColimaLab) -> None:
    lab.converge(on_port(7001))
    lab.converge(on_port(7001, enabled=False))
    lab.converge({"name": "k8s", "state": "stopped"})
    with pytest.raises(RefusedStep, match=r"kubernetes\.port 7001 -> 7002 of profile 'k8s': fixed for the life of its VM"):
        lab.converge(on_port(7002))
    assert lab.converge(on_port(7001)).profiles[0]["status"] == "running"
    assert lab.converge(on_port(7001)).actions == ()


def test_recreate_keeps_the_data(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    wanted = {**DOCKER, "vm_type": "qemu", "mount_type": "sshfs", "disk": 30}
    lab.converge(wanted, on_fixed_change="recreate")
    assert (applied(lab, "dev")["vmType"], lab.has_marker("dev")) == ("qemu", True)
    again = lab.converge(wanted, on_fixed_change="recreate")
    assert (again.actions, again.profiles[0]["disk"]) == ((), 30)


def test_another_runtime_needs_the_name_repeated(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    wanted = {**DOCKER, "runtime": "containerd"}
    for policy in ("refuse", "recreate_with_data_loss"):
        with pytest.raises(RefusedStep, match="confirm_data_loss"):
            lab.converge(wanted, on_fixed_change=policy)
    waits = lab.converge(wanted, on_fixed_change="recreate")
    assert (waits.actions, [one.kind for one in waits.pending]) == ((), ["move"])
    assert lab.has_marker("dev")
    lab.converge(wanted, on_fixed_change="recreate_with_data_loss", confirm_data_loss=["dev"])
    assert (applied(lab, "dev")["runtime"], lab.has_marker("dev")) == ("containerd", False)


def test_warn_leaves_fixed_settings_and_applies_the_rest(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    done = lab.converge({**DOCKER, "vm_type": "qemu", "cpu": 4}, on_fixed_change="warn")
    assert (applied(lab, "dev")["vmType"], applied(lab, "dev")["cpu"]) == ("vz", 4)
    assert done.warnings == ("Profile 'dev' keeps vm_type vz instead of qemu: it is fixed for the life of its VM.",)
    assert lab.converge({**DOCKER, "vm_type": "qemu", "cpu": 4}, on_fixed_change="warn").actions == ()


def test_absent_keeps_the_data_for_the_next_profile_of_that_name(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    gone = lab.converge({"name": "dev", "state": "absent"})
    assert gone.actions[0] == "delete the VM of profile 'dev' (the data disk stays: 20 GiB)"
    assert not lab.paths.profile(parse_name("dev")).exists()
    assert lab.converge({"name": "dev", "state": "absent"}).actions == ()
    with pytest.raises(RefusedStep, match="holds the images and volumes of runtime docker"):
        lab.converge({**DOCKER, "runtime": "containerd"})
    assert lab.converge({"name": "dev"}).profiles[0]["disk"] == 20
    assert lab.has_marker("dev")


def test_absent_with_data(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    with pytest.raises(RefusedStep, match=r"not in O\(confirm_data_loss\)"):
        lab.converge({"name": "dev", "state": "absent"}, delete_data=True)
    lab.converge({"name": "dev", "state": "absent"}, delete_data=True, confirm_data_loss=["dev"])
    assert not lab.paths.data_disk(parse_name("dev")).exists()
    assert lab.converge({"name": "dev", "state": "absent"}, delete_data=True, confirm_data_loss=["dev"]).actions == ()


def test_what_was_deleted_with_its_data_comes_back(lab: ColimaLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    name = parse_name("dev")
    gone: dict[str, Any] = {"delete_data": True, "confirm_data_loss": ["dev"], "keep_deleted": 7}
    done = lab.converge({"name": "dev", "state": "absent"}, **gone)
    assert "playbooks/restore.yml brings it back for 7 days" in done.actions[0]
    (there,) = retained_vms.deleted(lab.paths, name)
    assert done.actions[-1] == f"keep what was deleted as '{there.name}' until {there.lasts}"
    assert not any(path.exists() for path in retained_vms.homes(lab.paths, name).values())
    lab.converge({**DOCKER, "runtime": "containerd"})
    lab.run("colima", "stop", "dev")
    given = {"profile": "dev", "name": there.name, "state": "restored", "confirm": "dev"}
    for variable, value in lab.environment.items():
        monkeypatch.setenv(variable, value)
    assert run_subject(DiskSnapshot(), complete(DiskSnapshot.argument_spec, given), check_mode=False)["changed"]
    lab.converge(DOCKER)
    assert (applied(lab, "dev")["runtime"], lab.has_marker("dev")) == ("docker", True)
    # What made room for it is kept in its turn.
    assert len(retained_vms.deleted(lab.paths, name)) == 1


def test_what_was_deleted_long_ago_goes_with_the_next_run(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.converge({"name": "dev", "state": "absent"}, delete_data=True, confirm_data_loss=["dev"], keep_deleted=1e-9)
    (there,) = retained_vms.deleted(lab.paths)
    planned = lab.converge(DOCKER, check=True)
    assert planned.actions[0] == f"remove what was deleted as '{there.name}' (it was kept until {there.lasts})"
    assert retained_vms.deleted(lab.paths) == (there,)
    lab.converge(DOCKER)
    assert retained_vms.everything(lab.paths) == ()


def test_absent_removes_what_colima_leaves(lab: ColimaLab) -> None:
    lab.converge(K8S)
    kubeconfig = lab.home / ".kube" / "config"
    config = yaml.safe_load(kubeconfig.read_text())
    config["contexts"].append({"name": "work", "context": {"cluster": "work", "user": "me"}})
    kubeconfig.write_text(yaml.safe_dump(config))
    lab.run("colima", "stop", "k8s")
    wrapper = lab.bin / "nerdctl"
    wrapper.write_text('#!/usr/bin/env sh\n\n/opt/colima nerdctl --profile k8s -- "$@"\n')
    done = lab.converge({"name": "k8s", "state": "absent"})
    assert done.actions[1:] == (
        "remove kubeconfig entry 'colima-k8s'",
        "remove colima's copies of the kubeconfig from before profile 'k8s' (the kubeconfig still has everything in them)",
        f"remove '{lab.home / '.config/containerd/config.toml'}' (as colima wrote it; no profile is left)",
        f"remove '{lab.home / '.config/buildkit/buildkitd.toml'}' (as colima wrote it; no profile is left)",
        f"remove line 'Include {lab.paths.base / 'ssh_config'}' from ~/.ssh/config (no profile is left)",
        f"remove nerdctl wrapper '{wrapper}' (for profile 'k8s')",
    )
    left = yaml.safe_load(kubeconfig.read_text())
    assert ([context["name"] for context in left["contexts"]], left["users"]) == (["work"], [])
    assert not wrapper.exists()


def test_a_script_of_the_users_that_calls_nerdctl_stays(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    helper = lab.bin / "nerdctl"
    text = '#!/bin/bash\ncolima nerdctl --profile dev -- build .\ncolima nerdctl --profile k8s -- "$@"\n'
    helper.write_text(text)
    gone = lab.converge({"name": "dev", "state": "absent"})
    assert not [action for action in gone.actions if "wrapper" in action]
    assert helper.read_text() == text


def test_a_wrapper_is_removed_where_it_is_whatever_its_path_looks_like(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    folder = lab.root / "o'brien" / "bin"
    folder.mkdir(parents=True)
    unrelated = lab.root / "o"
    unrelated.write_text("not ours")
    wrapper = folder / "nerdctl"
    wrapper.write_text('#!/usr/bin/env sh\n\n/opt/colima nerdctl --profile dev -- "$@"\n')
    lab.path = f"{folder}:{lab.bin}"
    lab.converge({"name": "dev", "state": "absent"})
    assert not wrapper.exists()
    assert unrelated.read_text() == "not ours"


def test_the_rest_of_the_ssh_settings_stays_to_the_byte(lab: ColimaLab) -> None:
    mine = b"Host office\r\n  # B\xfcro\r\n  User me\r\n"
    lab.converge(DOCKER)
    ssh = lab.home / ".ssh" / "config"
    ssh.write_bytes(ssh.read_bytes() + b"\n\n" + mine)
    ssh.chmod(0o640)
    assert "remove line 'Include" in lab.converge({"name": "dev", "state": "absent"}).actions[-1]
    assert (ssh.read_bytes(), ssh.stat().st_mode & 0o777) == (mine, 0o640)


def test_with_the_last_profile_go_the_traces_of_all(lab: ColimaLab) -> None:
    ssh = lab.home / ".ssh" / "config"
    ssh.parent.mkdir()
    ssh.write_text("Host mine\n  User me\n")
    lab.converge(DOCKER, K8S)
    assert "Include" in ssh.read_text()
    lab.converge({"name": "dev", "state": "absent"})
    assert "Include" in ssh.read_text()
    settings = lab.home / ".config"
    assert (settings / "containerd" / "config.toml").exists()
    (settings / "buildkit" / "buildkitd.toml").write_text("# mine\n")
    gone = lab.converge({"name": "k8s", "state": "absent"}, {"name": "dev", "state": "absent"})
    written = settings / "containerd" / "config.toml"
    assert gone.actions[-2] == f"remove '{written}' (as colima wrote it; no profile is left)"
    assert not written.parent.exists()
    assert (settings / "buildkit" / "buildkitd.toml").read_text() == "# mine\n"
    assert gone.actions[-1] == f"remove line 'Include {lab.paths.base / 'ssh_config'}' from ~/.ssh/config (no profile is left)"
    assert ssh.read_text() == "Host mine\n  User me\n"
    assert lab.converge({"name": "k8s", "state": "absent"}, {"name": "dev", "state": "absent"}).actions == ()


def test_an_ssh_settings_file_with_nothing_but_colimas_line_goes_with_it(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    assert (lab.home / ".ssh" / "config").read_text().startswith("Include")
    lab.converge({"name": "dev", "state": "absent"})
    assert not (lab.home / ".ssh" / "config").exists()


def test_the_notes_that_buildx_made_of_colimas_docker_context_go_with_it(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    records = lab.home / ".docker" / "buildx"
    for part in ("activity", "refs"):
        (records / part).mkdir(parents=True)
    (records / "activity" / "colima-dev").write_text("")
    (records / "refs" / "colima-dev" / "node").mkdir(parents=True)
    (records / "activity" / "mine").write_text("")
    gone = lab.converge({"name": "dev", "state": "absent"})
    assert "remove buildx's notes of docker context 'colima-dev'" in gone.actions
    assert sorted(path.name for path in records.rglob("*")) == ["activity", "mine", "refs"]


# -- healing


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_a_vm_whose_applied_settings_are_lost_is_not_taken_for_one_that_never_came_up(lab: ColimaLab, state: str) -> None:
    lab.converge(DOCKER)
    if state == "stopped":
        lab.run("colima", "stop", "dev")
    lab.paths.applied(parse_name("dev")).unlink()
    before = lab.tree()
    with pytest.raises(RefusedStep, match="vm_type"):
        lab.converge({**DOCKER, "vm_type": "qemu"}, restart="always")
    assert lab.tree() == before


def test_a_start_by_another_program_is_waited_for(process_lab: ColimaLab, progress: Path) -> None:
    process_lab.settings["BOOT_SECONDS"] = "3"
    environment = {**os.environ, **process_lab.environment}
    theirs = subprocess.Popen(
        ["colima", "start", "dev", "--cpus", "2"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (process_lab.paths.instance(parse_name("dev")) / "ha.pid").exists():
        assert theirs.poll() is None
        time.sleep(0.05)
    machine = process_lab.machine("dev")
    with standing_still_until(machine, lambda: "waiting for" in progress.read_text()):
        process_lab.converge({"name": "dev", "cpu": 2})
    assert theirs.wait() == 0
    assert process_lab.machine("dev") == machine
    phases = [event["phase"] for event in events(progress)]
    assert phases == ["waiting for another program, which is starting it"]


def test_a_half_started_profile_is_stopped_and_started(lab: ColimaLab) -> None:
    lab.settings["FAIL"] = "docker-start:dev"
    with pytest.raises(CommandFailed, match=r"Could not start profile 'dev': .*error starting docker"):
        lab.converge(DOCKER)
    del lab.settings["FAIL"]
    done = lab.converge(DOCKER)
    assert done.actions[0] == "stop profile 'dev' (its last start did not finish)"
    assert done.profiles[0]["status"] == "running"


def test_a_vm_that_never_came_up_is_stopped_by_force(process_lab: ColimaLab, progress: Path) -> None:
    process_lab.settings["FAIL"] = "hang:dev"
    with pytest.raises(TimedOut):
        process_lab.converge(DOCKER, stall=1.5)
    del process_lab.settings["FAIL"]
    process_lab.calls()
    done = process_lab.converge(DOCKER)
    assert done.actions[0].startswith("stop by force profile 'dev' (its VM never came up")
    assert [call[4:] for call in process_lab.calls() if call[:2] == ["colima", "stop"]] == [["--force"]]
    process_lab.converge({**DOCKER, "state": "stopped"})
    assert "stop, waiting up to 3 minutes for its guest to shut down" in progress.read_text()


@pytest.mark.parametrize("killed", ["ha.pid", "qemu.pid"])
def test_a_broken_profile_is_repaired(lab: ColimaLab, killed: str) -> None:
    wanted = {**DOCKER, "vm_type": "qemu"}
    lab.converge(wanted)
    lab.put_marker("dev")
    kill(lab.machine("dev", killed))
    lab.converge(wanted)
    assert lab.converge(wanted).profiles[0]["status"] == "running"
    assert lab.has_marker("dev")


def test_after_a_crash_of_everything_the_profile_starts_again(lab: ColimaLab) -> None:
    lab.settings["LIMA_VERSION"] = "2.0.0"
    lab.converge(DOCKER)
    lab.put_marker("dev")
    kill(lab.machine("dev"))
    done = lab.converge(DOCKER)
    assert any("unlock the data disk" in action for action in done.actions)
    assert lab.has_marker("dev")


def test_lost_settings_are_restored_from_the_running_vm(lab: ColimaLab) -> None:
    lab.converge({**DOCKER, "runtime": "containerd"})
    machine = lab.machine("dev")
    lab.paths.configured(parse_name("dev")).unlink()
    done = lab.converge({"name": "dev"})
    assert done.actions == ("write the settings of profile 'dev' (colima.yaml is missing)",)
    assert lab.machine("dev") == machine
    lab.paths.configured(parse_name("dev")).write_text("cpu: [")
    lab.run("limactl", "stop", "colima-dev")
    lab.converge({"name": "dev"}, restart="always")
    assert applied(lab, "dev")["runtime"] == "containerd"


def test_a_lost_note_of_the_data_disk_does_not_format_it(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    lab.run("colima", "stop", "dev")
    lab.paths.store(parse_name("dev")).unlink()
    done = lab.converge(DOCKER)
    assert "restore colima's note of the data disk of profile 'dev' (else it would be formatted)" in done.actions
    assert lab.has_marker("dev")
    # Without the VM its content is unknown.
    lab.converge({"name": "dev", "state": "absent"})
    lab.paths.store(parse_name("dev")).unlink()
    with pytest.raises(RefusedStep, match="would format the disk"):
        lab.converge(DOCKER)
    assert lab.has_marker("dev")


def test_a_vm_with_a_damaged_definition_is_set_aside(lab: ColimaLab) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    lab.run("colima", "stop", "dev")
    (lab.paths.instance(parse_name("dev")) / "lima.yaml").write_text("{")
    done = lab.converge(DOCKER)
    assert done.profiles[0]["status"] == "running"
    assert any("set aside the VM" in action for action in done.actions)
    assert lab.has_marker("dev")
    assert lab.converge(DOCKER).actions == ()


def test_an_interrupted_creation_is_started_over(lab: ColimaLab) -> None:
    lab.paths.instance(parse_name("dev")).mkdir(parents=True)
    assert lab.converge(DOCKER).profiles[0]["status"] == "running"


@pytest.mark.parametrize("size", [None, 0], ids=["no disk in its directory", "a disk without a size"])
def test_a_data_disk_whose_creation_was_interrupted_is_made(lab: ColimaLab, size: int | None) -> None:
    disk = lab.paths.data_disk(parse_name("dev"))
    disk.mkdir(parents=True)
    if size is not None:
        (disk / "datadisk").touch()
        (disk / "data").mkdir()
    assert lab.converge(DOCKER).profiles[0]["disk"] == 20
    assert (disk / "datadisk").stat().st_size == 20 << 30
    assert lab.converge(DOCKER).actions == ()


def test_what_is_left_of_an_interrupted_creation_goes_with_the_profile(lab: ColimaLab) -> None:
    lab.paths.data_disk(parse_name("dev")).mkdir(parents=True)
    gone = lab.converge({"name": "dev", "state": "absent"})
    assert gone.actions == ("set aside the unfinished data disk of profile 'dev' (its creation was interrupted)",)
    assert not lab.paths.data_disk(parse_name("dev")).exists()
    assert lab.converge({"name": "dev", "state": "absent"}).actions == ()


def test_a_failed_download_leaves_nothing_in_the_way(lab: ColimaLab) -> None:
    lab.settings["FAIL"] = "offline"
    with pytest.raises(CommandFailed, match=r"DNS lookup failed.*Check the network"):
        lab.converge(DOCKER)
    del lab.settings["FAIL"]
    assert lab.converge(DOCKER).profiles[0]["status"] == "running"


def test_a_damaged_kubeconfig_entry_is_repaired_without_a_restart(lab: ColimaLab) -> None:
    lab.converge(K8S)
    machine = lab.machine("k8s")
    kubeconfig = lab.home / ".kube" / "config"
    good = yaml.safe_load(kubeconfig.read_text())
    mine = {"name": "work", "context": {"cluster": "work", "user": "me"}}
    kubeconfig.write_text(yaml.safe_dump({"contexts": [mine], "current-context": "work"}))
    done = lab.converge(K8S)
    assert done.actions == ("repair kubeconfig entry 'colima-k8s' (from the running k3s)",)
    now = yaml.safe_load(kubeconfig.read_text())
    assert (now["clusters"], now["users"]) == (good["clusters"], good["users"])
    assert (now["current-context"], mine in now["contexts"]) == ("work", True)
    assert (lab.machine("k8s"), kubeconfig.stat().st_mode & 0o777) == (machine, 0o600)
    kubeconfig.write_text(yaml.safe_dump({**good, "current-context": "gone"}))
    assert lab.converge(K8S).actions == ("make current kubeconfig entry 'colima-k8s' (the current context is not there)",)
    assert yaml.safe_load(kubeconfig.read_text())["current-context"] == "colima-k8s"


@pytest.mark.parametrize("part", ["server", "certificate-authority-data"])
def test_a_complete_kubeconfig_entry_of_another_k3s_is_repaired_without_a_restart(lab: ColimaLab, part: str) -> None:
    lab.converge(K8S)
    machine, kubeconfig = lab.machine("k8s"), lab.home / ".kube" / "config"
    good = yaml.safe_load(kubeconfig.read_text())
    stale = yaml.safe_load(kubeconfig.read_text())
    stale["clusters"][0]["cluster"][part] = {"server": "https://127.0.0.1:1"}.get(part, "b2xk")
    kubeconfig.write_text(yaml.safe_dump(stale))
    assert lab.converge(K8S, check=True).actions == ("repair kubeconfig entry 'colima-k8s' (it is of another k3s)",)
    assert lab.converge(K8S).actions == ("repair kubeconfig entry 'colima-k8s' (it is of another k3s)",)
    assert yaml.safe_load(kubeconfig.read_text())["clusters"] == good["clusters"]
    assert lab.machine("k8s") == machine
    assert lab.converge(K8S).actions == ()


# -- limits, locks and side by side


def test_a_hanging_start_ends_with_its_cause_and_deletes_nothing(process_lab: ColimaLab) -> None:
    process_lab.settings["FAIL"] = "hang:dev"
    with pytest.raises(TimedOut, match=r"profile 'dev'.*Nothing was deleted"):
        process_lab.converge(DOCKER, stall=1.5)
    del process_lab.settings["FAIL"]
    assert process_lab.converge(DOCKER).profiles[0]["status"] == "running"


def test_the_very_first_download_is_told_as_it_grows(process_lab: ColimaLab, progress: Path) -> None:
    process_lab.settings.update(BOOT_SECONDS="6", IMAGE_CACHED="0")
    caches = process_lab.home / "Library" / "Caches" / "colima" / "caches"
    stop = threading.Event()

    def grow() -> None:
        # The stand-in's own download has a few bytes: another one beside it, once colima has made the directory.
        while not stop.wait(0.05):
            if caches.is_dir():
                (caches / "more.downloading").touch()
                os.truncate(caches / "more.downloading", 200 << 20)
                return

    assert not caches.parent.exists()
    growing = threading.Thread(target=grow)
    growing.start()
    process_lab.converge(DOCKER)
    stop.set()
    growing.join()
    phases = [event["phase"] for event in events(progress)]
    assert "downloading the disk image, 200 MiB" in phases


def test_two_first_starts_take_the_time_of_the_slower_one(progress: Path) -> None:
    # One start takes a quarter more than the boot, because the runtime is set up after it: 16 s of boot are a start of 20 s.
    boot = 16 if os.environ.get("LAPTOP_LONG") else 3
    with colima_lab(BOOT_SECONDS=str(boot)) as lab:
        began = time.monotonic()
        lab.converge(DOCKER, K8S)
        took = time.monotonic() - began
    times = {(event["profile"], event["phase"]): event["time"] for event in events(progress)}
    assert times["k8s", "starting"] < times["k8s", "booting"] <= times["dev", "starting"] + 0.2 < times["k8s", "booted"]
    if boot == 16:
        assert times["dev", "ready"] - times["dev", "starting"] >= 20
        assert took <= 24


def test_kubernetes_is_set_up_one_after_the_other_and_started_again_side_by_side(
    process_lab: ColimaLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [{**K8S, "memory": 4}, {**K8S, "name": "two", "memory": 4, "auto_activate": False}]

    def times(name: str) -> dict[str, float]:
        progress = watched(tmp_path / name, monkeypatch)
        process_lab.converge(*two)
        return {f"{event['profile']} {event['phase']}": event["time"] for event in events(progress)}

    first = times("first")
    assert first["k8s kubernetes: updating config"] <= first["two starting"]
    process_lab.converge(*({"name": one["name"], "state": "stopped"} for one in two))
    process_lab.settings["RESUME_SECONDS"] = "2"
    again = times("again")
    assert again["k8s booting"] <= again["two starting"] + 0.2
    assert again["two starting"] < again["k8s kubernetes: starting"]
    contexts = yaml.safe_load((process_lab.home / ".kube" / "config").read_text())["contexts"]
    assert sorted(context["name"] for context in contexts) == ["colima-k8s", "colima-two"]


def test_first_downloads_do_not_spoil_each_other() -> None:
    with colima_lab(BOOT_SECONDS="2", IMAGE_CACHED="0") as lab:
        lab.converge(DOCKER, {"name": "two", "cpu": 2, "memory": 4, "disk": 20, "auto_activate": False})
        assert [p["status"] for p in lab.converge(DOCKER, {"name": "two"}).profiles] == ["running", "running"]


def test_one_failing_profile_does_not_stop_the_other(lab: ColimaLab) -> None:
    lab.settings["FAIL"] = "docker-start:dev"
    with pytest.raises(CommandFailed, match="profile 'dev'"):
        lab.converge(DOCKER, K8S)
    assert lab.converge(K8S).actions == ()


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ([{"name": "a", "cpu": 7}, {"name": "b", "cpu": 6}], "together they want 13 CPUs .a 7, b 6., and the laptop has 12"),
        ([{"name": "a", "memory": 20}, {"name": "b", "memory": 16}], "36 GiB of memory .* less the reserve of 1024 MiB, has 35"),
        ([{"name": "a", "ssh_port": 2222}, {"name": "b", "ssh_port": 2222}], "Could not use ssh port 2222 for profile 'b'"),
        (
            [{"name": "a", "network": {"gateway_address": "10.0.0.2"}}, {"name": "b"}],
            "different gateway addresses .a 10.0.0.2, b 192.168.5.2.",
        ),
        (
            [{"name": "a", "auto_activate": True}, {"name": "b", "auto_activate": True}],
            "only one can be the current docker context",
        ),
        ([{"name": "colima-default"}], "profile name 'colima-default'"),
        ([{"name": "_store"}], "profile name '_store'"),
        ([{"name": "dev"}, {"name": "colima-dev"}], "'dev' is the same profile"),
        ([{"name": "dev", "cpu": 0}], "'cpu' of profile 'dev' to '0': it is too small"),
        ([{"name": "dev", "runtime": "podman"}], "Use one of docker, containerd, incus, none"),
    ],
)
def test_refusals_come_before_any_step(lab: ColimaLab, profiles: list[dict[str, Any]], message: str) -> None:
    before = lab.tree()
    with pytest.raises(WorkstationError, match=message):
        lab.converge(*profiles)
    assert (lab.tree(), lab.calls()) == (before, [])


def test_without_colima_a_plan_is_possible_and_a_run_says_what_is_missing(lab: ColimaLab) -> None:
    for program in ("colima", "limactl", "lima"):
        (lab.bin / program).unlink()
    before = lab.tree()
    planned = lab.converge(DOCKER, check=True)
    assert planned.actions
    assert planned.warnings == (ToolMissing("colima").message,)
    with pytest.raises(ToolMissing, match=r"Could not find 'colima': it is not installed or not on PATH\. \w+"):
        lab.converge(DOCKER)
    assert lab.tree() == before


@pytest.mark.parametrize("change", ["absent", "absent with data", "recreate", "refused"])
def test_without_colima_nothing_is_said_of_data_that_can_not_be_seen(lab: ColimaLab, change: str) -> None:
    lab.converge(DOCKER)
    lab.put_marker("dev")
    lab.run("colima", "stop", "dev")
    (lab.bin / "colima").unlink()
    gone, moved = {"name": "dev", "state": "absent"}, {**DOCKER, "vm_type": "qemu", "mount_type": "sshfs"}
    asked: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "absent": (gone, {}),
        "absent with data": (gone, {"delete_data": True, "confirm_data_loss": ["dev"]}),
        "recreate": (moved, {"on_fixed_change": "recreate"}),
        "refused": (moved, {}),
    }
    profile, policy = asked[change]
    for check in (True, False):
        with pytest.raises(ToolMissing, match=r"'colima'.*\. .*the data of profile 'dev' is unknown"):
            lab.converge(profile, check=check, **policy)
    assert lab.converge({**DOCKER, "cpu": 3}, check=True).actions
    assert lab.has_marker("dev")


def test_where_nothing_is_left_absent_needs_no_colima(lab: ColimaLab) -> None:
    (lab.bin / "colima").unlink()
    assert lab.converge({"name": "dev", "state": "absent"}).actions == ()


def test_check_mode_names_the_programs_that_the_run_would_miss(process_lab: ColimaLab) -> None:
    (process_lab.bin / "lima").unlink()
    wanted = {"name": "dev", "runtime": "incus"}
    assert process_lab.converge(wanted, check=True).warnings == (ToolMissing("lima", "incus").message,)
    with pytest.raises(ToolMissing, match="'lima'"):
        process_lab.converge(wanted)
    assert process_lab.converge({"name": "other", "state": "absent"}, check=True).warnings == ()


def test_an_old_colima_is_named_before_anything_is_done(lab: ColimaLab) -> None:
    lab.settings["COLIMA_VERSION"] = "0.9.1"
    with pytest.raises(RefusedStep, match=r"'model_runner' of profile 'dev': it needs colima 0.10.1, and 0.9.1 is installed"):
        lab.converge({**DOCKER, "model_runner": "ramalama"})
    assert not lab.paths.configured(parse_name("dev")).exists()


@pytest.mark.parametrize("state", ["new", "running", "stopped"])
def test_a_colima_that_does_not_tell_whether_a_set_up_is_finished_is_refused(lab: ColimaLab, state: str) -> None:
    lab.settings["COLIMA_VERSION"] = "0.8.0"
    if state != "new":
        lab.run("colima", "start", "dev", "--disk", "20")
    if state == "stopped":
        lab.run("colima", "stop", "dev")
    lab.calls()
    with pytest.raises(RefusedStep) as told:
        lab.converge(DOCKER, K8S)
    assert told.value.message == (
        "Could not use colima 0.8.0: it does not tell whether a VM's set-up is finished, as colima 0.8.1 and newer do. "
        "Run 'brew upgrade colima'."
    )
    assert not [call for call in lab.calls() if call[1] in ("start", "stop")]
    assert lab.converge({"name": "dev", "state": "absent"}, delete_data=True, confirm_data_loss=["dev"]).actions or state == "new"


def test_before_0_9_data_are_destroyed_without_an_option_that_colima_lacks(lab: ColimaLab) -> None:
    lab.settings["COLIMA_VERSION"] = "0.8.4"
    lab.converge(DOCKER)
    gone = {"name": "dev", "state": "absent"}
    with pytest.raises(RefusedStep, match="no separate data disk, so all its images and volumes would be lost"):
        lab.converge(gone)
    assert lab.converge(gone, delete_data=True, confirm_data_loss=["dev"]).profiles[0]["status"] == "absent"
    assert ["colima", "delete", "--profile", "dev", "--force"] in lab.calls()


@pytest.mark.parametrize("made_by", ["0.8.4", "0.10.3"])
def test_before_0_9_a_vm_is_made_anew_whatever_lies_where_later_ones_keep_disks(lab: ColimaLab, made_by: str) -> None:
    lab.settings["COLIMA_VERSION"] = made_by
    lab.converge(DOCKER)
    lab.settings["COLIMA_VERSION"] = "0.8.4"
    name = parse_name("dev")
    lab.paths.data_disk(name).mkdir(parents=True, exist_ok=True)
    other = {**DOCKER, "vm_type": "qemu"}
    given: dict[str, Any] = {"on_fixed_change": "recreate_with_data_loss", "confirm_data_loss": ["dev"]}
    assert lab.converge(other, **given).profiles[0]["status"] == "running"
    assert not lab.paths.data_disk(name).exists() and not lab.paths.store(name).exists()
    assert lab.converge(other, **given).actions == ()


@pytest.mark.parametrize("damage", ["deleted", "damaged", "lost"])
def test_a_storage_pool_that_an_old_colima_would_wipe_is_kept(lab: ColimaLab, damage: str) -> None:
    lab.settings["COLIMA_VERSION"] = "0.10.1"
    (lab.bin / "incus").write_text("#!/bin/sh\n")
    (lab.bin / "incus").chmod(0o755)
    lab.converge({"name": "dev", "runtime": "incus"})
    lab.put_marker("dev")
    definition = lab.paths.instance(parse_name("dev")) / "lima.yaml"
    if damage == "deleted":
        lab.converge({"name": "dev", "state": "absent"})
    else:
        lab.run("colima", "stop", "dev")
        definition.write_text("{") if damage == "damaged" else definition.unlink()
    with pytest.raises(
        RefusedStep, match=r"colima before 0\.10\.2 wipes that when it makes a new VM\. Run 'brew upgrade colima'"
    ):
        lab.converge({"name": "dev", "runtime": "incus"})
    lab.settings["COLIMA_VERSION"] = "0.10.3"
    lab.converge({"name": "dev", "runtime": "incus"})
    assert lab.has_marker("dev")


@pytest.mark.parametrize("state", ["started", "stopped", "absent"])
def test_a_vm_that_runs_unseen_is_refused_before_anything_is_done(lab: ColimaLab, state: str) -> None:
    lab.run("colima", "start", "dev")
    lab.converge(K8S)
    definition = lab.paths.instance(parse_name("dev")) / "lima.yaml"
    definition.write_text("{")
    before = lab.tree()
    with pytest.raises(RefusedStep, match=rf"its host agent still runs\. Shut it down with 'kill {lab.machine('dev')}'"):
        lab.converge({"name": "dev", "state": state}, {"name": "k8s", "state": "stopped"})
    # Nor can it be made again, even when the options allow that.
    allowed: dict[str, Any] = {"on_fixed_change": "recreate_with_data_loss", "confirm_data_loss": ["dev"]}
    with pytest.raises(RefusedStep, match="its host agent still runs"):
        lab.converge({"name": "dev", "state": "present", "vm_type": "qemu"}, **allowed)
    assert lab.tree() == before
    assert lab.converge({"name": "dev", "state": "present"}).actions == ()


def test_what_colima_did_not_take_is_reported(lab: ColimaLab) -> None:
    # The module assumes a Mac, and colima finds a Linux laptop: it resets the keys of a Mac without a word.
    lab.settings["SYSTEM"] = "Linux"
    mac = Host("Darwin", "aarch64", str(lab.home), 12, 36864)
    wanted = {**DOCKER, "vm_type": "qemu", "mount_type": "sshfs", "network": {"address": True}}
    with pytest.raises(NotVerified, match=r"still finds this to do: .*network.address"):
        converge(lab.colima, ProfilesSpec(tuple(specs_from([wanted], mac)), ChangePolicy(), mac), False)


def test_another_run_is_waited_for_and_named(process_lab: ColimaLab, progress: Path) -> None:
    process_lab.paths.own.mkdir(parents=True)
    with (
        RunLock(process_lab.paths.own, 1.0),
        pytest.raises(RefusedStep, match=rf"another run \(process {os.getpid()}\) has held"),
    ):
        process_lab.converge(DOCKER, timeout=0.3)
    assert [event["phase"] for event in events(progress)] == [f"waiting for another run (process {os.getpid()})"]
    with (process_lab.paths.own / "lock").open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        with pytest.raises(RefusedStep, match="another run has held"):
            process_lab.converge(DOCKER, timeout=0.3)
    assert process_lab.converge(DOCKER).actions


def test_what_a_killed_run_left_at_work_is_waited_for_and_named(process_lab: ColimaLab, progress: Path) -> None:
    process_lab.settings["BOOT_SECONDS"] = "2"
    environment = {**os.environ, **process_lab.environment}
    theirs = subprocess.Popen(
        ["colima", "start", "dev", "--cpus", "2"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    reaper = threading.Thread(target=theirs.wait)
    reaper.start()
    process_lab.paths.own.mkdir(parents=True)
    (process_lab.paths.own / "colima-dev.pid").write_text(str(theirs.pid))
    with standing_still_until(theirs.pid, lambda: "waiting for" in progress.read_text()):
        process_lab.converge({"name": "dev", "cpu": 2})
    reaper.join()
    phases = [event["phase"] for event in events(progress)]
    assert phases[0] == f"waiting for process {theirs.pid}, which an earlier run started"
