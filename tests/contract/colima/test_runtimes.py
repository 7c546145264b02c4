# SPDX-License-Identifier: GPL-3.0-or-later
"""Runtimes: docker's context, sockets and daemon.json, containerd's files, status, commands in the guest, half starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import COLIMA, STANDIN, Rig, spoken


@pytest.fixture
def docker(rig: Rig) -> Rig:
    """A running docker profile."""
    rig.started("lab", "--mount", "none")
    return rig


def endpoint(rig: Rig, name: str) -> str:
    """Where a docker context points to."""
    shown = json.loads(rig.run("docker", "context", "inspect", name).out)
    return str(shown[0]["Endpoints"]["docker"]["Host"])


def test_messages_go_to_stderr_and_the_children_talk_on_stdout(rig: Rig) -> None:
    result = rig.started("lab", "--mount", "none")
    assert [(level, message, context) for level, message, context in spoken(result.err) if "downloading" not in message] == [
        ("info", "starting colima [profile=lab]", ""),
        ("info", "runtime: docker", ""),
        ("info", "creating and starting ...", "vm"),
        ("info", "provisioning ...", "docker"),
        ("info", "starting ...", "docker"),
        ("info", "done", ""),
    ]
    assert "level=info msg=done\n" in result.err
    said = [message for _, message, _ in spoken(result.out)]
    assert said[0] == "Terminal is not available, proceeding without opening an editor"
    assert said[-1] == "READY. Run `limactl shell colima-lab` to open the shell."
    chatter = [line for line in result.out.splitlines() if not line.startswith("time=")]
    expected = ["colima-lab", 'Successfully created context "colima-lab"', "colima-lab", 'Current context is now "colima-lab"']
    assert chatter[-4:] == expected


def test_the_context_is_made_used_and_gone_after_a_stop(docker: Rig) -> None:
    assert docker.contexts() == (["colima-lab", "default"], "colima-lab")
    assert endpoint(docker, "colima-lab") == f"unix://{docker.base}/lab/docker.sock"
    docker.colima("stop", "lab")
    assert docker.contexts() == (["default"], "default")


def test_a_wrong_endpoint_of_an_existing_context_is_not_repaired(rig: Rig) -> None:
    rig.run("docker", "context", "create", "colima-lab", "--docker", "host=unix:///wrong.sock")
    rig.started("lab", "--mount", "none")
    assert endpoint(rig, "colima-lab") == "unix:///wrong.sock"
    assert rig.contexts()[1] == "colima-lab"


def test_without_activation_the_current_context_stays(rig: Rig) -> None:
    rig.started("lab", "--mount", "none", "--activate=false")
    assert rig.contexts() == (["colima-lab", "default"], "default")


def test_without_docker_on_path_a_stop_warns_of_nothing_and_leaves_the_context(docker: Rig) -> None:
    result = docker.colima("stop", "lab", PATH=docker.without("docker"))
    assert result.rc == 0
    assert docker.contexts()[0] == ["colima-lab", "default"]


def test_a_running_profile_has_its_sockets_and_a_stopped_one_has_not(docker: Rig) -> None:
    assert {path.name for path in (docker.base / "lab").glob("*.sock")} == {"docker.sock", "containerd.sock"}
    docker.colima("stop", "lab")
    assert list((docker.base / "lab").glob("*.sock")) == []


def test_the_default_profile_has_the_legacy_socket_too(rig: Rig) -> None:
    rig.started()
    assert (rig.base / "docker.sock").is_socket()
    assert (rig.base / "default" / "docker.sock").is_socket()
    assert rig.rows()["default"]["status"] == "Running"
    assert rig.contexts()[1] == "colima"


def test_the_status_is_json_on_stdout_with_keys_in_order(docker: Rig) -> None:
    result = docker.colima("status", "lab", "--json")
    assert result.err == ""
    status = json.loads(result.out)
    keys = "display_name driver arch runtime mount_type docker_socket containerd_socket kubernetes cpu memory disk"
    assert list(status) == keys.split()
    assert status["docker_socket"] == f"unix://{docker.base}/lab/docker.sock"
    assert status["kubernetes"] is False
    assert (status["cpu"], status["memory"], status["disk"]) == (2, 2 << 30, 100 << 30)


def test_the_status_in_words_is_on_stderr(docker: Rig) -> None:
    result = docker.colima("status", "lab", "--extended")
    assert result.out == ""
    assert result.messages[0].startswith("colima [profile=lab] is running using ")
    assert result.messages[-3:] == ["cpu: 2", "mem: 2GiB", "disk: 100GiB"]


def test_the_list_leaves_out_what_is_zero_and_keeps_the_order(docker: Rig) -> None:
    row = docker.rows()["lab"]
    assert list(row) == ["name", "status", "arch", "cpus", "memory", "disk", "runtime"]
    table = docker.colima("list").out.splitlines()
    assert table[0].split() == ["PROFILE", "STATUS", "ARCH", "CPUS", "MEMORY", "DISK", "RUNTIME", "ADDRESS"]
    assert table[1].split() == ["lab", "Running", row["arch"], "2", "2GiB", "100GiB", "docker"]


def test_the_list_is_in_the_order_of_the_instances(rig: Rig) -> None:
    for name in ("b", "", "a"):
        rig.started(name, "--runtime", "none")
    assert list(rig.rows()) == ["default", "a", "b"]


def test_a_description_that_cannot_be_read_leaves_a_row_with_only_a_name(docker: Rig) -> None:
    docker.colima("stop", "lab")
    (docker.instance("lab") / "lima.yaml").write_text("{")
    (docker.instance("lab") / "colima.yaml").unlink()
    assert docker.rows()["lab"] == {"name": "lab"}
    result = docker.colima("start", "lab")
    assert result.rc == 1
    assert result.fatal.startswith("error starting vm: yaml: line 1: "), result


def test_the_exit_code_of_a_guest_command_becomes_one(docker: Rig) -> None:
    result = docker.colima("ssh", "-p", "lab", "--", "sh", "-c", "exit 3")
    assert (result.rc, result.fatal) == (1, "exit status 3")
    assert docker.colima("ssh", "-p", "lab", "--", "true").rc == 0


def test_nerdctl_is_for_containerd_only(docker: Rig) -> None:
    result = docker.colima("nerdctl", "-p", "lab", "--", "ps")
    assert (result.rc, result.fatal) == (1, "nerdctl only supports containerd runtime")


def test_nerdctl_runs_in_the_guest_of_a_containerd_profile(rig: Rig) -> None:
    result = rig.started("labc", "--runtime", "containerd", "--mount", "none")
    assert "docker" not in [line for line in result.out.splitlines() if not line.startswith("time=")]
    assert rig.contexts() == (["default"], "default")
    assert rig.colima("nerdctl", "-p", "labc", "--", "ps").out.startswith("CONTAINER")
    assert (rig.home / ".config" / "containerd" / "config.toml").exists()
    status = json.loads(rig.colima("status", "labc", "--json").out)
    assert [key for key in status if key.endswith("_socket")] == ["containerd_socket", "buildkitd_socket"]
    assert "unknown" in rig.colima("nerdctl", "-p", "labc", "ps", "--all").fatal


def test_files_of_the_profile_go_before_those_that_all_profiles_share(rig: Rig) -> None:
    own = rig.base / "labc" / "containerd" / "buildkitd.toml"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"# of the profile\r\ndebug = true\r\n")
    rig.started("labc", "--runtime", "containerd", "--mount", "none")
    in_guest = rig.instance("labc") / "root/etc/buildkit/buildkitd.toml"
    assert in_guest.read_bytes() == own.read_bytes()
    settings = rig.home / ".config"
    assert (settings / "containerd" / "config.toml").exists() and not (settings / "buildkit").exists()
    rig.colima("stop", "labc")
    own.unlink()
    rig.colima("start", "labc")
    assert in_guest.read_bytes() == (settings / "buildkit" / "buildkitd.toml").read_bytes()


def test_update_of_docker_finds_nothing_and_others_refuse(docker: Rig) -> None:
    result = docker.colima("update", "lab")
    assert result.rc == 0
    assert result.warnings == ["no updates available"]


def test_colimas_daemon_json_adds_to_the_users_map(rig: Rig) -> None:
    (rig.base / "lab").mkdir(parents=True)
    text = 'runtime: docker\ndocker: {registry-mirrors: ["http://m"], features: {buildkit: false}, host-gateway-ip: 1.2.3.4}\n'
    (rig.base / "lab" / "colima.yaml").write_text(text)
    rig.started("lab", http_proxy="http://proxy.example:3128", no_proxy="localhost")
    written = json.loads((rig.instance("lab") / "root/etc/docker/daemon.json").read_text())
    assert written == {
        "registry-mirrors": ["http://m"],
        "features": {"buildkit": False},
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "proxies": {"http-proxy": "http://proxy.example:3128", "no-proxy": "localhost"},
    }


def broken_docker(rig: Rig) -> str:
    """A PATH on which docker can't create contexts."""
    place = rig.place / "broken"
    place.mkdir()
    (place / "docker").write_text("#!/bin/sh\necho cannot create the context >&2\nexit 1\n")
    (place / "docker").chmod(0o755)
    return f"{place}:{rig.environment['PATH']}"


def test_a_half_finished_start_runs_without_being_usable_until_stop_and_start(rig: Rig) -> None:
    result = rig.colima("start", "lab", "--mount", "none", PATH=broken_docker(rig))
    assert (result.rc, result.fatal) == (1, "error provisioning docker: exit status 1"), result
    # The reason is on stdout.
    assert "cannot create the context" in result.out
    assert rig.rows()["lab"]["status"] == "Running"
    status = rig.colima("status", "lab", "--json")
    assert (status.rc, status.fatal) == (1, "error retrieving current runtime: empty value")
    again = rig.colima("start", "lab")
    assert (again.rc, again.messages) == (0, ["already running, ignoring"])
    stopped = rig.colima("stop", "lab")
    assert stopped.warnings == ["error retrieving runtimes: error retrieving current runtime: empty value"]
    rig.started("lab")
    assert rig.colima("status", "lab").rc == 0


@pytest.mark.parametrize("failure", ["docker-provision", "docker-start"])
def test_scripted_failures_of_the_engine_leave_a_half_finished_start(standin: Rig, failure: str) -> None:
    result = standin.colima("start", "lab", REHEARSAL_FAIL=f"{failure}:lab")
    verb = "provisioning" if failure == "docker-provision" else "starting"
    assert (result.rc, result.fatal) == (1, f"error {verb} docker: exit status 1")
    assert standin.rows()["lab"]["status"] == "Running"


def test_an_incus_disk_is_wiped_where_the_old_colima_gets_no_answer(standin: Rig) -> None:
    (standin.place / "b").mkdir()
    (standin.place / "b" / "incus").write_text("#!/bin/sh\nexit 0\n")
    (standin.place / "b" / "incus").chmod(0o755)
    path = f"{standin.place / 'b'}:{standin.environment['PATH']}"
    for version, survives in (("0.10.3", True), ("0.10.1", False)):
        name = "new" if survives else "old"
        standin.started(name, "--runtime", "incus", PATH=path, REHEARSAL_COLIMA_VERSION=version)
        (standin.contents(name) / "pool").touch()
        standin.colima("delete", name, "--force", PATH=path)
        result = standin.started(name, "--runtime", "incus", PATH=path, REHEARSAL_COLIMA_VERSION=version)
        asked = "existing Incus data found, would you like to recover the storage pool(s)" in result.out
        assert asked is not survives
        assert (standin.contents(name) / "pool").exists() is survives


def test_the_ssh_files_follow_the_machines(docker: Rig) -> None:
    assert "Host colima-lab\n" in docker.colima("ssh-config", "lab").out
    assert (docker.home / ".ssh" / "config").read_text() == f"Include {docker.base}/ssh_config"
    assert "colima-lab" in (docker.base / "ssh_config").read_text()
    docker.colima("stop", "lab")
    assert (docker.base / "ssh_config").read_text() == ""
    assert (docker.home / ".ssh" / "config").exists()


def test_every_call_is_counted_where_that_is_wanted(standin: Rig, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    standin.colima("list", REHEARSAL_CALLS=str(calls))
    standin.run("limactl", "info", REHEARSAL_CALLS=str(calls))
    assert [json.loads(line)["argv"] for line in calls.read_text().splitlines()] == [["colima", "list"], ["limactl", "info"]]


def test_the_version_of_a_running_profile_names_its_runtime(docker: Rig) -> None:
    out = docker.colima("version", "lab").out
    assert "runtime: docker" in out
    if docker.subject in (STANDIN, COLIMA):
        assert "arch: " in out
