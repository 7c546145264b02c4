# SPDX-License-Identifier: GPL-3.0-or-later
"""buildx_builder against the real buildx, a real dockerd, and BuildKit packed into an image that is built here."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import socketserver
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.docker import DockerDisk
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.model import ItemKind, ReclaimItem, ReclaimPolicy

from rehearsal.processes.system import comes_true
from tests.support.builds.engine_with_buildkit import IN_LAB
from tests.support.in_process_module import ModuleRun, messages
from tests.support.processes import standing_still
from tests.support.time_limits import in_time

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.containerd import Containerd

# buildx waits at least as long for an engine that does not answer, whatever it is asked to do.
WAIT_OF_BUILDX = 20.0
# An engine that answers may take its time on a busy machine. The tests that need it set how soon a dead one is given up.
ALIVE: dict[str, Any] = {"timeout": 30.0}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


def docker(*args: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *args], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def context(name: str, host: str) -> None:
    docker("context", "create", name, "--docker", f"host={host}")


def rhythm(run: ModuleRun, home: Path, **options: Any) -> dict[str, Any]:
    """Check, apply, check again, apply again."""
    options = {**ALIVE, **options}

    def records() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (home / ".docker/buildx").rglob("*") if path.is_file()}

    before = records()
    checked = run("buildx_builder", check=True, **options)
    assert records() == before
    applied = run("buildx_builder", **options)
    assert not applied.get("failed"), applied
    for key in ("changed", "actions", "diff"):
        assert checked[key] == applied[key]
    after = records()
    assert run("buildx_builder", check=True, **options)["actions"] == []
    assert not run("buildx_builder", **options)["changed"]
    assert records() == after
    return applied


@pytest.fixture
def silent(short_path: Path) -> Iterator[str]:
    """The address of an engine that accepts and never answers."""
    with socket.socket(socket.AF_UNIX) as listening:
        path = short_path / f"silent-{time.monotonic_ns()}.sock"
        listening.bind(str(path))
        # No client is ever let in, so each one that asked counts to the end.
        listening.listen(1000)
        yield f"unix://{path}"


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of something that accepts and hangs up: enough for buildx to make a record."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


# --- no engine needed: driver remote ------------------------------------------------------------------------------------------


def test_a_remote_builder_comes_changes_and_goes(run: ModuleRun, buildx: Path, listening: str) -> None:
    remote = {"name": "far", "driver": "remote", "endpoint": "tcp://127.0.0.1:1", "driver_opts": {"default-load": True}}
    # Nothing listens there: buildx makes the record all the same, so the refusal is ours.
    refused = run("buildx_builder", builders=[remote])
    assert refused["msg"].startswith("Could not create node 'far0' of builder 'far': 'tcp://127.0.0.1:1': connection refused")
    remote["endpoint"] = listening
    assert rhythm(run, buildx, builders=[remote])["actions"] == [f"create builder 'far' ({listening})"]
    remote["driver_opts"] = {"default-load": False}
    assert "driver options" in rhythm(run, buildx, builders=[remote])["actions"][0]
    rhythm(run, buildx, builders=[{**remote, "default": True}])
    assert json.loads((buildx / ".docker/buildx/current").read_text())["Name"] == "far"
    rhythm(run, buildx, builders=[{"name": "far", "state": "absent"}])
    assert not list((buildx / ".docker/buildx/instances").iterdir())


@pytest.mark.real("containerd", "buildkit")
def test_a_build_by_a_remote_buildkitd(run: ModuleRun, buildx: Path, containerd: Containerd, tmp_path: Path) -> None:
    endpoint = f"unix://{containerd.buildkit_socket}"
    remote = {
        "name": "far",
        "driver": "remote",
        "endpoint": endpoint,
        "platforms": ["linux/amd64", "linux/arm64"],
        "bootstrap": True,
    }
    made = rhythm(run, buildx, builders=[remote])
    assert made["builders"][0]["nodes"][0]["status"] == "running"
    assert made["builders"][0]["nodes"][0]["offers"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    archive = f"type=oci,dest={tmp_path}/image.tar"
    docker("buildx", "--builder", "far", "build", "--platform", "linux/amd64,linux/arm64", "-o", archive, str(tmp_path))
    assert (tmp_path / "image.tar").exists()
    rhythm(run, buildx, builders=[{"name": "far", "state": "absent"}])
    # The daemon is not the builder's, and continues.
    assert containerd.running


def test_a_damaged_record_is_named(run: ModuleRun, buildx: Path) -> None:
    record(buildx, "far", "tcp://127.0.0.1:1", "remote")
    (buildx / ".docker/buildx/instances/far").write_text('{"Name": "far", "Dri')
    result = run("buildx_builder", builders=[{"name": "far", "driver": "remote", "endpoint": "tcp://127.0.0.1:1"}])
    assert result["msg"].startswith("Could not read builder 'far': buildx's record of it is damaged")
    assert run("buildx_builder", prune_stale="unreachable")["stale"] == []


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        ({"name": "1st"}, "Could not use builder name '1st'"),
        ({"name": "default"}, "Could not use builder name 'default'"),
        ({"name": "x", "platforms": ["arm64"]}, "Could not use platform 'arm64'"),
        ({"name": "x", "nodes": [{"endpoint": "a"}, {"endpoint": "a"}]}, "two nodes have one endpoint"),
        ({"name": "x", "nodes": [{"name": "a", "endpoint": "b"}, {"name": "A", "endpoint": "c"}]}, "two nodes are called 'a'"),
        ({"name": "x", "driver": "remote"}, "driver remote needs an endpoint"),
        ({"name": "x", "driver": "remote", "endpoint": "tcp://h:99999"}, "it is an invalid address"),
        ({"name": "x", "driver": "kubernetes", "endpoint": "kubernetes://[h"}, "it is an invalid address"),
        ({"name": "x", "driver": "docker", "endpoint": "y"}, "the docker context of the same name"),
        (
            {"name": "x", "buildkitd_config": {"registry": {"r": {"ca": ["/proc/nowhere.pem"]}}}},
            "Could not read '/proc/nowhere.pem'",
        ),
        ({"name": "x", "endpoint": "nowhere"}, "docker context 'nowhere' does not exist"),
    ],
)
def test_an_invalid_builder_is_refused(run: ModuleRun, buildx: Path, builder: dict[str, Any], said: str) -> None:
    assert said in run("buildx_builder", builders=[builder])["msg"]


def test_a_missing_plugin_is_named_with_its_remedy(run: ModuleRun, home: Path, listening: str) -> None:
    result = run("buildx_builder", builders=[{"name": "far", "driver": "remote", "endpoint": listening}])
    assert result["msg"].startswith("Could not find 'docker buildx'")
    assert "docker_cli" in result["msg"]


def test_check_mode_plans_on_a_laptop_where_nothing_is_there(run: ModuleRun, home: Path) -> None:
    builders = [{"name": "multi", "endpoint": "colima-buildx", "platforms": ["linux/amd64", "linux/arm64"], "default": True}]
    result = run("buildx_builder", check=True, builders=builders)
    assert result["actions"] == [
        "create builder 'multi' (colima-buildx)",
        "use builder 'multi' (in docker context 'colima-buildx')",
    ]
    assert not (home / ".docker").exists()


# --- dead engines --------------------------------------------------------------------------------------------------------------


def record(home: Path, name: str, endpoint: str, driver: str = "docker-container") -> None:
    """A builder as buildx keeps it, whose engine need not be there."""
    place = home / ".docker/buildx/instances"
    place.mkdir(parents=True, exist_ok=True)
    node = {"Name": f"{name}0", "Endpoint": endpoint, "Platforms": None, "DriverOpts": None, "Flags": None, "Files": None}
    (place / name).write_text(json.dumps({"Name": name, "Driver": driver, "Nodes": [node], "Dynamic": False}))


def test_dead_builders_are_reported_within_five_seconds_and_pruned_on_request(
    run: ModuleRun, buildx: Path, silent: str, short_path: Path
) -> None:
    context("hangs", silent)
    context("stopped", f"unix://{short_path}/none.sock")
    for name in ("hangs", "stopped", "vanished"):
        record(buildx, f"on-{name}", name)
    for number in range(10):
        record(buildx, f"hangs-{number}", silent)
    record(buildx, "far", silent, "remote")
    result = in_time(5.0, lambda: run("buildx_builder"))
    assert not result["changed"]
    reasons = {item["name"]: item["reason"] for item in result["stale"]}
    assert len(reasons) == 14
    assert reasons["on-hangs"] == "engine of 'hangs': nothing answered within 3 s"
    assert reasons["on-stopped"] == "engine of 'stopped': the socket does not exist"
    assert reasons["on-vanished"] == "docker context 'vanished' does not exist"
    assert "nothing answered within 3 s" in reasons["far"]
    gone = run("buildx_builder", prune_stale="gone", timeout=0.3)
    assert gone["actions"] == ["remove stale builder 'on-vanished' (docker context 'vanished' does not exist)"]
    kept = {"name": "on-stopped", "endpoint": "stopped"}
    began = time.monotonic()
    pruned = run("buildx_builder", prune_stale="unreachable", timeout=0.3, builders=[kept])
    assert time.monotonic() - began < WAIT_OF_BUILDX
    assert len(pruned["actions"]) == 12
    assert [path.name for path in (buildx / ".docker/buildx/instances").iterdir()] == ["on-stopped"]


# What buildx's records and the user's kubeconfig may hold.
@pytest.mark.parametrize(
    ("driver", "odd"),
    [
        ("remote", "tcp://h:99999"),
        ("remote", "tcp://[h"),
        ("remote", f"tcp://{'h' * 70}.example:1"),
        ("docker-container", "tcp://h:99999"),
        ("kubernetes", "kubernetes://[h"),
        ("kubernetes", "contexts: [a]\ncurrent-context: x"),
        ("kubernetes", "contexts: [{name: x, context: 5}]\ncurrent-context: x"),
        ("kubernetes", "contexts: [{name: x, context: {user: u}}]\nusers: [{name: u, user: me}]\ncurrent-context: x"),
    ],
)
def test_another_builder_with_odd_settings_stops_nothing(
    run: ModuleRun, buildx: Path, listening: str, driver: str, odd: str
) -> None:
    (buildx / "kubeconfig").write_text(odd)
    record(buildx, "odd", odd if "://" in odd else f"kubernetes:///odd?kubeconfig={buildx}/kubeconfig", driver)
    ours = {"name": "ours", "driver": "remote", "endpoint": listening}
    result = run("buildx_builder", builders=[ours], prune_stale="unreachable")
    assert result["actions"] == [f"create builder 'ours' ({listening})"]
    assert not result["stale"]


def test_a_builder_that_goes_needs_no_certificates(run: ModuleRun, buildx: Path, listening: str) -> None:
    record(buildx, "far", listening, "remote")
    settings = {"registry": {"r.example": {"ca": ["/proc/nowhere.pem"]}}}
    assert run("buildx_builder", builders=[{"name": "far", "state": "absent", "buildkitd_config": settings}])["changed"]


def test_a_builder_of_a_dead_engine_can_be_removed(run: ModuleRun, buildx: Path, silent: str) -> None:
    record(buildx, "dead", silent)
    began = time.monotonic()
    assert run("buildx_builder", builders=[{"name": "dead", "state": "absent"}], timeout=0.5)["changed"]
    assert time.monotonic() - began < WAIT_OF_BUILDX


def test_a_builder_can_be_removed_where_docker_does_not_find_buildx(
    run: ModuleRun, buildx: Path, listening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a rollback, which takes the folder of plugins out of docker's configuration again."""
    record(buildx, "mine", listening, "remote")
    plugin = buildx / ".docker/cli-plugins/docker-buildx"
    plugin.rename(buildx / "docker-buildx")
    monkeypatch.setenv("PATH", f"{buildx}:{os.environ['PATH']}")
    refused = run("buildx_builder", builders=[{"name": "other", "driver": "remote", "endpoint": listening}])
    assert "Could not find 'docker buildx'" in refused["msg"]
    assert run("buildx_builder", builders=[{"name": "mine", "state": "absent"}])["changed"]
    assert not (buildx / ".docker/buildx/instances/mine").exists()


def test_a_builder_is_not_torn_down_when_its_new_engine_is_dead(
    run: ModuleRun, buildx: Path, silent: str, short_path: Path
) -> None:
    context("hangs", silent)
    record(buildx, "mine", f"unix://{short_path}/none.sock")
    result = run("buildx_builder", builders=[{"name": "mine", "endpoint": "hangs"}], timeout=0.3)
    assert "nothing answered within 0.3 s" in result["msg"]
    assert (buildx / ".docker/buildx/instances/mine").exists()


# --- a real dockerd ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_context(lab: Any, buildx: Path) -> Path:
    context("colima-buildx", lab.host)
    docker("context", "use", "colima-buildx")
    return buildx


def test_a_multi_platform_image_is_built_by_the_default_builder(run: ModuleRun, with_context: Path, tmp_path: Path) -> None:
    builder: dict[str, Any] = {
        "name": "multi-platform",
        "endpoint": "colima-buildx",
        "platforms": ["linux/amd64", "linux/arm64"],
        "driver_opts": IN_LAB,
        "default": True,
    }
    made = rhythm(run, with_context, builders=[builder])
    assert made["builders"][0]["nodes"][0]["status"] == "inactive"
    assert made["builders"][0]["missing_platforms"] == []
    started = rhythm(run, with_context, builders=[{**builder, "bootstrap": True}])
    assert started["actions"] == ["start builder 'multi-platform'"]
    node = started["builders"][0]["nodes"][0]
    assert node["status"] == "running"
    missing = {"linux/amd64", "linux/arm64"} - set(node["offers"])
    assert set(started["builders"][0]["missing_platforms"]) == missing
    # Nothing emulates this one anywhere.
    lacking = run("buildx_builder", builders=[{**builder, "platforms": ["linux/amd64", "plan9/386"]}], **ALIVE)
    assert not lacking["changed"]
    assert "plan9/386" in lacking["builders"][0]["missing_platforms"]
    for word in ("does not offer", "plan9/386", "binfmt: true", "rosetta: true", "tonistiigi/binfmt --install"):
        assert word in messages(lacking)[0]

    source = tmp_path / "source"
    source.mkdir()
    (source / "hello").write_text("hello")
    (source / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY hello /hello-$TARGETARCH\n")
    archive = tmp_path / "image.tar"
    # No --builder: the one that the module made the default.
    docker("buildx", "build", "--platform", "linux/amd64,linux/arm64", "-o", f"type=oci,dest={archive}", str(source))
    with tarfile.open(archive) as tar:

        def read(name: str) -> Any:
            file = tar.extractfile(name)
            assert file is not None
            return json.load(file)

        index = read("index.json")["manifests"][0]["digest"].replace(":", "/")
        platforms = {
            f"{item['platform']['os']}/{item['platform']['architecture']}" for item in read(f"blobs/{index}")["manifests"]
        }
    assert {"linux/amd64", "linux/arm64"} <= platforms


def test_the_cache_in_a_builders_container_goes_by_its_age(run: ModuleRun, with_context: Path, lab: Any, tmp_path: Path) -> None:
    rhythm(run, with_context, builders=[{"name": "full", "endpoint": "colima-buildx", "driver_opts": IN_LAB, "bootstrap": True}])
    (tmp_path / "hello").write_text("hello")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY hello /hello\n")
    docker("buildx", "build", "--builder", "full", str(tmp_path))
    disk = DockerDisk(str(lab.socket), "docker-buildx")

    def cache() -> list[ReclaimItem]:
        return [item for item in disk.inventory(ReclaimPolicy()).items if item.namespace == "buildx_buildkit_full0"]

    # BuildKit notes the use of a record some time after the build.
    assert comes_true(lambda: all(item.since for item in cache()), 60)
    before = cache()
    assert before and {item.kind for item in before} == {ItemKind.CACHE} and sum(item.size for item in before)
    disk.prune_cache(86400, before)
    assert {item.id for item in cache()} == {item.id for item in before}
    disk.prune_cache(0, before)
    assert cache() == []
    docker("stop", "buildx_buildkit_full0")
    assert disk.inventory(ReclaimPolicy()).notes == ()


def volumes(name: str) -> list[str]:
    return docker("volume", "ls", "-q", "--filter", f"name=buildx_buildkit_{name}").splitlines()


def test_a_differing_builder_is_created_again_and_keeps_its_cache(run: ModuleRun, with_context: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "company.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    builder: dict[str, Any] = {"name": "drift", "endpoint": "colima-buildx", "driver_opts": IN_LAB, "bootstrap": True}
    rhythm(run, with_context, builders=[builder])
    docker("cp", str(certificate), "buildx_buildkit_drift0:/var/lib/buildkit/of-the-first-one")
    builder["buildkitd_flags"] = ["--debug"]
    builder["bootstrap"] = False
    assert "buildkitd flags" in rhythm(run, with_context, builders=[builder])["actions"][0]
    builder["buildkitd_config"] = {
        "debug": True,
        "registry": {
            "docker.io": {"mirrors": ["mirror.example.org"]},
            "r.example.org:5000": {"http": True, "insecure": True, "ca": [str(certificate)]},
        },
    }
    assert "buildkitd configuration" in rhythm(run, with_context, builders=[builder])["actions"][0]
    certificate.write_text("-----BEGIN CERTIFICATE-----\nrenewed\n")
    builder["bootstrap"] = True
    assert "buildkitd configuration" in rhythm(run, with_context, builders=[builder])["actions"][0]
    inside = docker("cp", "buildx_buildkit_drift0:/etc/buildkit/certs/r.example.org_5000/company.pem", "-")
    assert "renewed" in inside
    docker("cp", "buildx_buildkit_drift0:/var/lib/buildkit/of-the-first-one", str(tmp_path / "kept"))
    rhythm(run, with_context, builders=[{"name": "drift", "state": "absent"}])
    assert volumes("drift") != []
    run("buildx_builder", builders=[builder])
    rhythm(run, with_context, builders=[{"name": "drift", "state": "absent", "keep_state": False}])
    assert volumes("drift") == []


@pytest.fixture
def far(lab: Any) -> Iterator[str]:
    """The same engine over TCP, as one on another machine."""

    class Bridge(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(str(lab.socket))
                ends = [self.request, engine]
                with contextlib.suppress(OSError):
                    while ready := select.select(ends, [], [])[0]:
                        for end in ready:
                            content = end.recv(65536)
                            if not content:
                                return
                            ends[1 - ends.index(end)].sendall(content)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Bridge) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("place", ["here", "far"])
def test_a_running_build_is_not_interrupted(run: ModuleRun, with_context: Path, far: str, place: str) -> None:
    context("farm", far)
    endpoint = {"here": "colima-buildx", "far": "farm"}[place]
    builder: dict[str, Any] = {"name": "busy", "endpoint": endpoint, "driver_opts": IN_LAB, "bootstrap": True}
    rhythm(run, with_context, builders=[builder])
    client = subprocess.Popen(
        ["docker", "exec", "-i", "buildx_buildkit_busy0", "buildctl", "dial-stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert comes_true(lambda: "dial-stdio" in docker("top", "buildx_buildkit_busy0"), 60)
        changed = {**builder, "buildkitd_flags": ["--debug"]}
        held = run("buildx_builder", builders=[changed], **ALIVE)
        assert not held["changed"]
        assert held["pending"][0]["reason"] == "a build is running"
        assert "recreate: always" in held["pending"][0]["remedy"]
    finally:
        client.kill()
        client.wait()
        if client.stdin:
            client.stdin.close()
    assert comes_true(lambda: "dial-stdio" not in docker("top", "buildx_buildkit_busy0"), 60)
    assert rhythm(run, with_context, builders=[changed])["changed"]
    run("buildx_builder", builders=[{"name": "busy", "state": "absent", "keep_state": False}])


def test_two_nodes_with_fixed_platforms(run: ModuleRun, with_context: Path, lab: Any) -> None:
    nodes = [
        {"endpoint": "colima-buildx", "platforms": ["linux/arm64"]},
        {"endpoint": lab.host, "platforms": ["linux/amd64"], "name": "emulated"},
    ]
    builder = {"name": "pair", "nodes": nodes, "driver_opts": IN_LAB}
    made = rhythm(run, with_context, builders=[builder])
    assert [node["name"] for node in made["builders"][0]["nodes"]] == ["pair0", "emulated"]
    shown = docker("buildx", "inspect", "pair")
    assert "linux/arm64*" in shown
    assert "linux/amd64*" in shown
    nodes[1]["platforms"] = ["linux/amd64", "linux/386"]
    assert "platforms linux/amd64 ->" in rhythm(run, with_context, builders=[builder])["actions"][0]
    rhythm(run, with_context, builders=[{"name": "pair", "state": "absent"}])


def test_a_dead_node_neither_hangs_nor_fails_the_removal_of_its_builder(run: ModuleRun, with_context: Path, silent: str) -> None:
    run("buildx_builder", builders=[{"name": "pair", "endpoint": "colima-buildx", "driver_opts": IN_LAB, "bootstrap": True}])
    file = with_context / ".docker/buildx/instances/pair"
    known = json.loads(file.read_text())
    known["Nodes"].append({**known["Nodes"][0], "Name": "hangs", "Endpoint": silent})
    file.write_text(json.dumps(known))
    reported = run("buildx_builder", prune_stale="unreachable", timeout=0.5)["stale"]
    assert [(item["name"], item["removed"]) for item in reported] == [("pair", False)]
    assert "nothing answered within 0.5 s" in reported[0]["reason"]
    began = time.monotonic()
    gone = rhythm(run, with_context, builders=[{"name": "pair", "state": "absent", "keep_state": False}], timeout=0.5)
    assert time.monotonic() - began < WAIT_OF_BUILDX
    assert gone["actions"] == ["leave out node 'hangs' of builder 'pair'", "remove builder 'pair'"]
    assert "buildx_buildkit_pair0" not in docker("ps", "--all", "--format", "{{.Names}}")


def test_a_contexts_own_builder_can_be_the_default_again(run: ModuleRun, with_context: Path) -> None:
    rhythm(run, with_context, builders=[{"name": "other", "driver_opts": IN_LAB, "default": True}])
    rhythm(run, with_context, builders=[{"name": "colima-buildx", "driver": "docker", "default": True}])
    assert docker("buildx", "inspect").splitlines()[0].split() == ["Name:", "colima-buildx"]
    rhythm(run, with_context, builders=[{"name": "other", "state": "absent"}])


@pytest.mark.real("docker")
def test_a_builder_whose_daemon_was_killed(run: ModuleRun, buildx: Path, short_path: Path) -> None:
    """First the daemon hangs, then it is killed: reported in time both times, pruned on request, and nothing else touched."""
    from rehearsal.services.dockerd import Dockerd

    with Dockerd(short_path / "doomed", configuration={"storage-driver": "vfs"}) as doomed:
        context("doomed", doomed.host)
        run("buildx_builder", builders=[{"name": "mine", "endpoint": "doomed", "default": True}])
        assert run("buildx_builder")["stale"] == []
        pid = int((short_path / "doomed/inner.pid").read_text()) if (short_path / "doomed/inner.pid").exists() else 0
        daemon = find_daemon(short_path / "doomed") or pid
        with standing_still(daemon):
            stale = in_time(5.0, lambda: run("buildx_builder")["stale"])
        assert stale[0]["reason"] == "engine of 'doomed': nothing answered within 3 s"
        os.kill(daemon, signal.SIGKILL)
        began = time.monotonic()
        while not (stale := run("buildx_builder")["stale"]):
            assert time.monotonic() - began < 20.0
        assert "engine of 'doomed'" in stale[0]["reason"]
        result = run("buildx_builder", prune_stale="unreachable")
        assert [item["removed"] for item in result["stale"]] == [True]
        assert run("buildx_builder")["stale"] == []
        assert docker("context", "ls", "-q").split() == ["default", "doomed"]


def find_daemon(directory: Path) -> int | None:
    """Return the process of the dockerd that works in a directory, seen from here."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words and words[0].endswith(b"dockerd") and any(str(directory).encode() in word for word in words[1:]):
                return int(entry.name)
    return None


# --- driver kubernetes: a real API server ---------------------------------------------------------------------------------------


@pytest.fixture
def cluster(apiserver: ApiServer, buildx: Path, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """The cluster that KUBECONFIG names."""
    monkeypatch.setenv("KUBECONFIG", str(apiserver.kubeconfig))
    return apiserver


def in_pods(**options: Any) -> dict[str, Any]:
    return {
        "name": "pods",
        "driver": "kubernetes",
        "driver_opts": {"namespace": "builds", "replicas": 2, "timeout": "1s", **options},
    }


def objects(apiserver: ApiServer, kind: str = "deployments", namespace: str = "builds") -> list[dict[str, Any]]:
    status, found = apiserver.request("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind}")
    assert status == 200, found
    return list(found["items"])


def test_a_builder_in_pods_comes_changes_and_goes(run: ModuleRun, buildx: Path, cluster: ApiServer) -> None:
    noted = f"kubernetes:///pods?deployment=pods0&kubeconfig={quote(str(cluster.kubeconfig), safe='')}"
    made = rhythm(run, buildx, builders=[in_pods()])
    assert made["actions"] == [f"create builder 'pods' ({noted})"]
    node = made["builders"][0]["nodes"][0]
    assert (node["endpoint"], node["status"]) == (noted, "inactive")
    assert node["driver_opts"] == {"namespace": "builds", "replicas": "2", "timeout": "1s"}
    assert noted in docker("buildx", "inspect", "pods")
    record(buildx, "other", "unix:///proc/nowhere.sock")
    other = (buildx / ".docker/buildx/instances/other").read_bytes()
    changed = rhythm(run, buildx, builders=[in_pods(labels="team=a,tier=b", rootless=True)])
    assert changed["actions"][0] == "remove builder 'pods' (to create it again: driver options)"
    assert changed["builders"][0]["nodes"][0]["driver_opts"]["labels"] == "team=a,tier=b"
    # What is not stated stays.
    assert not run("buildx_builder", builders=[{"name": "pods", "driver": "kubernetes"}])["changed"]
    rhythm(run, buildx, builders=[{**in_pods(), "driver_opts": None, "default": True, "platforms": ["linux/arm64"]}])
    rhythm(run, buildx, builders=[{"name": "pods", "state": "absent"}])
    assert (buildx / ".docker/buildx/instances/other").read_bytes() == other


def test_a_kubeconfig_can_be_named_and_is_kept(
    run: ModuleRun, buildx: Path, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builder = in_pods() | {"endpoint": str(apiserver.kubeconfig)}
    missing = run("buildx_builder", builders=[in_pods()])
    assert missing["msg"].startswith("Could not create node 'pods0' of builder 'pods': kubeconfig")
    made = rhythm(run, buildx, builders=[builder])
    # As buildx shows it, and not stated at all: the same cluster, whatever KUBECONFIG says by now.
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "elsewhere"))
    for same in (made["builders"][0]["nodes"][0]["endpoint"], f"kubernetes:///any?kubeconfig={apiserver.kubeconfig}", None):
        assert not run("buildx_builder", builders=[builder | {"endpoint": same}])["changed"]
    changed = rhythm(run, buildx, builders=[in_pods(replicas=3)])
    assert changed["builders"][0]["nodes"][0]["endpoint"] == made["builders"][0]["nodes"][0]["endpoint"]
    moved = tmp_path / "kube config"
    moved.write_bytes(apiserver.kubeconfig.read_bytes())
    assert "endpoint kubernetes:///pods" in rhythm(run, buildx, builders=[builder | {"endpoint": str(moved)}])["actions"][0]
    run("buildx_builder", builders=[{"name": "pods", "state": "absent"}])
    monkeypatch.setenv("KUBECONFIG", f"{moved}:{apiserver.kubeconfig}")
    listed = run("buildx_builder", builders=[in_pods()])
    assert "KUBECONFIG names several files" in listed["msg"]
    assert "Set endpoint" in listed["msg"]


def test_several_nodes_in_pods(run: ModuleRun, buildx: Path, cluster: ApiServer) -> None:
    nodes = [
        {"name": "arm", "platforms": ["linux/arm64"], "driver_opts": {"nodeselector": "kubernetes.io/arch=arm64"}},
        {"name": "intel", "platforms": ["linux/amd64"], "driver_opts": {"nodeselector": "kubernetes.io/arch=amd64"}},
    ]
    builder = {"name": "both", "driver": "kubernetes", "nodes": nodes}
    made = rhythm(run, buildx, builders=[builder])
    assert [node["name"] for node in made["builders"][0]["nodes"]] == ["arm", "intel"]
    rhythm(run, buildx, builders=[{"name": "both", "state": "absent"}])


def test_what_a_start_made_in_the_cluster_goes_with_the_builder(run: ModuleRun, buildx: Path, cluster: ApiServer) -> None:
    """The objects are real; no pod of them runs, as a kubelet would be needed."""
    cluster.namespace("builds")
    started = {**in_pods(), "bootstrap": True, "buildkitd_config": {"debug": True}}
    refused = run("buildx_builder", builders=[started])
    assert refused["msg"].startswith("Could not start builder 'pods': expected 2 replicas to be ready, got 0")
    deployment = objects(cluster)[0]
    assert deployment["metadata"]["name"] == "pods0"
    assert deployment["spec"]["replicas"] == 2
    # The builder is there, and only its pods are not: nothing differs.
    assert not run("buildx_builder", builders=[{**started, "bootstrap": False}])["changed"]
    rhythm(run, buildx, builders=[in_pods(replicas=1)])
    assert objects(cluster) == []
    volume = {"persistent-volume-claim.requests.storage": "1Gi"}
    run("buildx_builder", builders=[{**in_pods(**volume), "bootstrap": True}])
    assert [item["metadata"]["name"] for item in objects(cluster, "statefulsets")] == ["pods0"]
    gone = rhythm(run, buildx, builders=[{"name": "pods", "state": "absent"}])
    assert gone["actions"] == ["remove builder 'pods' (its cache is kept)"]
    assert objects(cluster, "statefulsets") == []


def test_a_builder_whose_cluster_is_gone_is_reported_in_time_and_pruned(
    run: ModuleRun, buildx: Path, cluster: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "kubeconfig"
    copy.write_bytes(cluster.kubeconfig.read_bytes())
    copied = {"name": "copied", "driver": "kubernetes", "endpoint": str(copy)}
    assert run("buildx_builder", builders=[in_pods(), copied])["changed"]
    assert run("buildx_builder")["stale"] == []
    copy.unlink()
    pid = cluster.daemon.pid
    assert pid is not None
    with standing_still(pid):
        stale = {item["name"]: item["reason"] for item in in_time(5.0, lambda: run("buildx_builder")["stale"])}
    assert stale["pods"].startswith("cluster of kube context 'colima-k8s': no answer in time at https://127.0.0.1:")
    assert stale["copied"] == f"kubeconfig '{copy}' does not exist"
    assert run("buildx_builder", prune_stale="gone")["actions"][0].startswith("remove stale builder 'copied'")
    cluster.daemon.kill()
    try:
        left = in_time(5.0, lambda: run("buildx_builder")["stale"])
        assert left[0]["reason"].startswith("cluster of kube context 'colima-k8s': connection re")
        began = time.monotonic()
        torn = run("buildx_builder", builders=[in_pods(replicas=5)])
        assert torn["msg"].startswith("Could not create node 'pods0' of builder 'pods': cluster of kube context 'colima-k8s'")
        pruned = run("buildx_builder", prune_stale="unreachable")
        assert time.monotonic() - began < WAIT_OF_BUILDX
    finally:
        cluster.restart()
    assert [item["removed"] for item in pruned["stale"]] == [True]
    assert list((buildx / ".docker/buildx/instances").iterdir()) == []


if shutil.which("docker") is None:
    pytestmark = pytest.mark.skip(reason="docker is not installed: run 'make engines' as root, or: apt-get install docker.io")
