# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module promises, held for each of them: one result, no change in check mode, what was done before a failure."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import (
    Interrupted,
    NotVerified,
    RefusedStep,
    WorkstationError,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import Reader, Subject, run
from ansible_collections.laptop.containers.plugins.module_utils.core.system import command
from ansible_collections.laptop.containers.plugins.module_utils.docker import plugins
from ansible_collections.laptop.containers.plugins.module_utils.docker.config import surroundings

from rehearsal.services.certificates import Authority
from rehearsal.standin import brew, colima, docker_cli, service_manager
from rehearsal.standin.colima import guest_reads
from rehearsal.standin.docker_engine.server import Server
from rehearsal.standin.kube_api import KubeApi
from tests.support.builds.buildkit_endpoint import answering
from tests.support.colima.standin_laptop import end_machines
from tests.support.ecr_pull_secret.scenario import HOST
from tests.support.in_process_module import SUBJECTS, ModuleRun, messages

Tell = Callable[[str], None]
Options = dict[str, Any]
COLIMA = "colima-home"


@dataclass(frozen=True)
class Scenario:
    """A laptop on which a module has something to do, and the options with which it does it."""

    prepare: Callable[[Path], object]
    options: Callable[[Path], Options]


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def leftovers(home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(json.dumps({"credsStore": "desktop", "currentContext": "gone"}))
    program(home / "bin/docker-buildx")


def users_nerdctl(home: Path) -> None:
    program(home / "bin/colima")
    program(home / "nerdctl")


def buildx(home: Path) -> None:
    docker_cli.install(home / "bin")
    (home / ".docker").mkdir()
    (home / ".docker/cli-plugins").symlink_to(home / "lib/docker/cli-plugins")


def known_profile(home: Path) -> None:
    colima.install(home / "bin")
    (home / COLIMA / "known").mkdir(parents=True)
    (home / COLIMA / "known/colima.yaml").write_text("runtime: containerd\n")


def run_colima(home: Path, *argv: str) -> None:
    environment = {**os.environ, "REHEARSAL_SYSTEM": "Darwin"}
    done = subprocess.run([home / "bin/colima", *argv], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def stopped_profile(home: Path) -> None:
    known_profile(home)
    for verb in ("start", "stop"):
        run_colima(home, verb, "known")


def kept_machine(home: Path) -> None:
    """A VM that was set aside for one with another runtime."""
    stopped_profile(home)
    place = home / COLIMA / "_lima/_laptop.containers/kept/known-docker"
    place.mkdir(parents=True)
    said = {"name": place.name, "profile": "known", "runtime": "docker", "state": "kept", "parts": {}, "inodes": {}}
    (place / "note.json").write_text(json.dumps(said))


def running_cluster(home: Path) -> None:
    known_profile(home)
    program(home / "bin/kubectl")
    run_colima(home, "start", "known", "--kubernetes")


def two_clusters(home: Path) -> None:
    """An engine whose cluster has a namespace that the one of a profile lacks."""
    running_cluster(home)
    two_engines(home)
    cluster(home).start()
    old_cluster(home).start().namespace("team")
    inside = home / COLIMA / "_lima/colima-known/root/etc/rancher/k3s/k3s.yaml"
    inside.write_text(cluster(home).kubeconfig.read_text().replace("colima-k8s", "default"))
    (home / ".kube").mkdir(exist_ok=True)
    (home / ".kube/config").write_text(old_cluster(home).kubeconfig.read_text())


def old_images(home: Path) -> None:
    """A cluster that runs, with an image that has lost its name to a newer one."""
    running_cluster(home)
    images = home / COLIMA / "_lima/colima-known/root" / guest_reads.CRICTL.format("images").lstrip("/")
    images.parent.mkdir(parents=True, exist_ok=True)
    images.write_text(json.dumps({"images": [{"id": "sha256:1", "repoTags": [], "repoDigests": [], "size": "3000"}]}))


def old_colima(home: Path) -> None:
    """A Homebrew with a newer colima than it has installed."""
    brew.install(home / "bin")
    (home / "Cellar/colima/0.9.1").mkdir(parents=True)


def two_engines(home: Path) -> None:
    """An engine with an image that the other one lacks."""
    for name in ("old", "new"):
        server = Server(home / name, home / ".rehearsal" / name)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    image = {"Id": f"sha256:{'1' * 64}", "RepoTags": ["web:1"], "Size": 5000, "Created": 1700000000}
    (home / ".rehearsal/old/images.json").write_text(json.dumps([image]))


def kept_volume(home: Path) -> None:
    """An engine with a volume, of which there are two snapshots."""
    two_engines(home)
    volume = {"Name": "db", "Driver": "local", "Labels": None, "Mountpoint": "/v/db/_data", "Options": None}
    (home / ".rehearsal/old/volumes.json").write_text(json.dumps([volume]))
    said = {"volume": "db", "digest": "1", "contents": "2", "files": 1, "bytes": 0, "archive_bytes": 512, "labels": {}}
    place = home / "kept" / hashlib.sha256(f"unix://{home}/old".encode()).hexdigest()[:16] / "db"
    for name, made in (("first", "2026-11-01T00:00:00Z"), ("now", "2026-11-02T00:00:00Z")):
        (place / name).mkdir(parents=True)
        (place / name / "manifest.json").write_text(json.dumps({**said, "made": made}))


def migration(home: Path) -> Options:
    return {"source": f"unix://{home}/old", "target": f"unix://{home}/new"}


def cluster(home: Path) -> KubeApi:
    return KubeApi(home / "cluster")


def old_cluster(home: Path) -> KubeApi:
    return KubeApi(home / "old-cluster", name="docker-desktop")


# A Python as far as building an environment goes. It is newer than any that this machine may have.
PYTHON = """\
#!/bin/sh
case "$1 $2" in
  *os.replace*) exec mv -fT "$3" "$4" ;;
  *ensurepip*) printf 'python\\t%s\\t3.14.99\\twhole\\t\\n' "$0" ;;
  "-c "*) echo 3.14.99 ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip") mkdir -p "${0%/bin/python}/lib/words-1.0.dist-info" ;;
esac
"""
BUILDER = {"name": "far", "driver": "remote", "default": True}
SCENARIOS = {
    "brew_bundle": Scenario(
        lambda home: brew.install(home / "bin"), lambda _home: {"brewfile": 'brew "colima"\ncask "iterm2"\n'}
    ),
    "buildx_builder": Scenario(buildx, lambda home: {"builders": [{**BUILDER, "endpoint": f"unix://{home}/s"}], "timeout": 30}),
    "cluster_migration": Scenario(
        two_clusters, lambda home: {"source": f"unix://{home}/old", "context": "docker-desktop", "target": "known"}
    ),
    "colima_disk_snapshot": Scenario(
        stopped_profile, lambda home: {"profile": "known", "name": "now", "directory": f"{home}/kept"}
    ),
    "colima_profile": Scenario(
        known_profile,
        lambda _home: {"name": "dev", "runtime": "containerd", "host": {"cpus": 8, "memory_mib": 16384, "system": "Darwin"}},
    ),
    "colima_profile_info": Scenario(known_profile, lambda _home: {}),
    "move": Scenario(
        kept_machine,
        lambda _home: {"profile": "known", "phase": "retire", "confirm": "known-docker", "leave": ["*"]},
    ),
    "reclaim": Scenario(old_images, lambda _home: {"names": ["known"]}),
    "docker_cli_config": Scenario(
        leftovers, lambda home: {"plugins": ["docker-buildx"], "env_file": f"{home}/docker.env", "testcontainers": True}
    ),
    "docker_context": Scenario(
        lambda home: docker_cli.install(home / "bin"),
        lambda _home: {"name": "work", "docker": {"host": "unix:///w.sock"}, "current": "always", "probe_timeout": 0},
    ),
    "docker_context_info": Scenario(lambda home: docker_cli.install(home / "bin"), lambda _home: {}),
    "docker_migration": Scenario(two_engines, migration),
    "docker_migration_info": Scenario(two_engines, migration),
    "docker_volume_snapshot": Scenario(
        kept_volume,
        lambda home: {"engine": f"unix://{home}/old", "name": "now", "keep": 1, "directory": f"{home}/kept"},
    ),
    "docker_socket_link": Scenario(
        lambda home: (home / "docker.sock").symlink_to("/desktop.sock"),
        lambda home: {"path": f"{home}/docker.sock", "target": "/ours.sock"},
    ),
    "ecr_pull_secret": Scenario(
        lambda home: cluster(home).start().namespace("team"),
        lambda home: {"registries": [HOST], "namespaces": ["team"], "kubeconfig": str(cluster(home).kubeconfig)},
    ),
    "local_registry": Scenario(
        lambda home: cluster(home).start(),
        lambda home: {"host": "localhost:5000", "kubeconfig": str(cluster(home).kubeconfig)},
    ),
    "nerdctl_wrapper": Scenario(
        users_nerdctl,
        lambda home: {
            "wrappers": [
                {"path": f"{home}/nerdctl", "profile": "k8s", "move_foreign": True},
                {"path": f"{home}/lab", "profile": "lab"},
            ]
        },
    ),
    "network": Scenario(
        lambda home: Authority(home / "company"),
        lambda home: {"authorities": [f"{home}/company/ca.crt"]},
    ),
    "bootstrap": Scenario(
        lambda home: program(home / "bin/python3.14", PYTHON),
        lambda home: {"requirements": "words==1.0", "directory": f"{home}/data/ours"},
    ),
    "support": Scenario(leftovers, lambda home: {"path": f"{home}/support.tar.gz"}),
    "toolchain_info": Scenario(lambda home: docker_cli.install(home / "bin"), lambda _home: {}),
    "upgrade": Scenario(old_colima, lambda _home: {"programs": ["colima"]}),
    "user_timer": Scenario(
        lambda home: service_manager.install(home / "bin"),
        lambda _home: {"name": "refresh", "command": ["/bin/true"], "manager": "systemd"},
    ),
    "doctor": Scenario(
        leftovers, lambda _home: {"groups": ["docker", "leftovers"], "docker_cli_config": {"plugins": ["docker-buildx"]}}
    ),
}


@pytest.fixture(autouse=True)
def home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A HOME whose path is short enough for sockets; what a scenario started in it is ended."""
    short = Path(tempfile.mkdtemp(prefix="sk-", dir="/tmp"))
    monkeypatch.setenv("HOME", str(short))
    try:
        yield short
    finally:
        end_machines(short / COLIMA / "_lima")
        for one in (cluster, old_cluster):
            one(short).kill()
        shutil.rmtree(short)


@pytest.fixture
def listening(home: Path) -> Iterator[None]:
    """Something that answers at the endpoint of the builder."""
    with answering(home / "s"):
        yield


@pytest.fixture(autouse=True)
def laptop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    monkeypatch.setenv("COLIMA_HOME", f"{home}/{COLIMA}")
    # colima hands a VM's description to Lima in a file of the profile's name: tests side by side would share it.
    tempfile.gettempdir()
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", f"{home}/tmp")
    monkeypatch.setenv("REHEARSAL_BOOT_SECONDS", "0.05")
    monkeypatch.setattr(command, "USUAL_DIRECTORIES", ())
    monkeypatch.setattr(plugins, "SYSTEM_DIRECTORIES", ())
    monkeypatch.setattr(plugins, "HOMEBREW_DIRECTORIES", ())
    monkeypatch.setattr(surroundings, "DESKTOP_PLACES", ())


@pytest.fixture
def module(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


def prepared(name: str, home: Path) -> Options:
    SCENARIOS[name].prepare(home)
    return SCENARIOS[name].options(home)


def subject_of(name: str) -> type[Subject[Any, Any]]:
    return SUBJECTS[name]


CHANGING = [name for name in SCENARIOS if not issubclass(subject_of(name), Reader)]


def complete(subject: type[Subject[Any, Any]], options: Options) -> Mapping[str, Any]:
    checked = ArgumentSpecValidator(subject.argument_spec, **subject.rules).validate(dict(options))
    assert not checked.error_messages
    parameters: Mapping[str, Any] = checked.validated_parameters
    return parameters


def files(home: Path) -> dict[str, object]:
    """Return every file of a home, but for what stand-ins keep for themselves. Of a disk it is the size."""

    def content(path: Path) -> object:
        if path.is_symlink() or path.is_dir():
            return path.readlink() if path.is_symlink() else "directory"
        return path.read_bytes() if path.stat().st_size < 10**7 else path.stat().st_size

    found = (path for path in sorted(home.rglob("*")) if ".rehearsal" not in path.parts and not path.is_socket())
    return {str(path): content(path) for path in found}


def interfering(name: str, interfere: Tell) -> Subject[Any, Any]:
    """Return a module's subject that calls a function with each step that it has told."""

    class Interfering(subject_of(name)):  # type: ignore[misc]
        def carry_out(self, plan: Plan, tell: Tell) -> None:
            def told(text: str) -> None:
                tell(text)
                interfere(text)

            super().carry_out(plan, told)

    return Interfering()


def failure(name: str, options: Options, interfere: Tell) -> WorkstationError:
    with pytest.raises(WorkstationError) as raised:
        run(interfering(name, interfere), complete(subject_of(name), options), check_mode=False)
    return raised.value


pytestmark = pytest.mark.usefixtures("listening", "aws")


def test_every_module_is_held_to_this() -> None:
    assert set(SCENARIOS) == set(SUBJECTS), "add a row to SCENARIOS in this file, or remove one"


@pytest.mark.parametrize("name", SCENARIOS)
def test_check_mode_shows_what_a_run_does_and_changes_nothing(name: str, home: Path, module: ModuleRun) -> None:
    options = prepared(name, home)
    before = files(home)
    checked = module(name, check=True, **options)
    assert files(home) == before
    applied = module(name, **options)
    for key in ("changed", "actions", "diff", "pending"):
        assert applied[key] == checked[key]
    assert applied["changed"] == (name in CHANGING) == bool(applied["actions"])
    assert set(applied["diff"]) == {"before", "after"} and applied["pending"] == []
    assert all(map(str, messages(applied)))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_second_run_is_unchanged(name: str, home: Path, module: ModuleRun) -> None:
    options = prepared(name, home)
    module(name, **options)
    before = files(home)
    again = module(name, **options)
    assert (again["changed"], again["actions"], again["diff"]) == (False, [], {"before": {}, "after": {}})
    assert files(home) == before


@pytest.mark.parametrize("name", CHANGING)
def test_a_refusal_comes_before_the_first_step(name: str, home: Path) -> None:
    options = prepared(name, home)
    before = files(home)

    class Refusing(subject_of(name)):  # type: ignore[misc]
        def plan(self, spec: Any, current: Any) -> Plan:
            found: Plan = super().plan(spec, current)
            assert found.changed
            return replace(found, refusals=(RefusedStep("go on", "something of the user's is there", "Move it."),))

    with pytest.raises(RefusedStep, match=r"^Could not go on: something of the user's is there\. Move it\.$") as raised:
        run(Refusing(), complete(subject_of(name), options), check_mode=False)
    assert (raised.value.done, files(home)) == ([], before)


@pytest.mark.parametrize("name", CHANGING)
def test_a_failure_tells_the_finished_steps(name: str, home: Path) -> None:
    options = prepared(name, home)
    told: list[str] = []

    def fail(step: str) -> None:
        told.append(step)
        raise OSError(28, "No space left on device", "/the/file")

    error = failure(name, options, fail)
    assert (error.done, error.result["changed"], error.result["actions"]) == (told, True, told)
    assert len(told) == 1
    assert "'/the/file': no space left on device. Free some disk space, and run again." in error.message


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_failure_that_tells_the_finished_steps(name: str, number: int, home: Path) -> None:
    options = prepared(name, home)
    steps: list[str] = []

    def interrupt(step: str) -> None:
        steps.append(step)
        os.kill(os.getpid(), number)

    error = failure(name, options, interrupt)
    assert isinstance(error, Interrupted)
    assert error.done == steps != []
    assert error.message.startswith(f"Could not {subject_of(name).work}: the run was interrupted. Run again: it continues")
    # And it does.
    result = run(subject_of(name)(), complete(subject_of(name), options), check_mode=False)
    assert not run(subject_of(name)(), complete(subject_of(name), options), check_mode=False)["changed"]
    assert not set(result["actions"]) & set(steps) or name == "brew_bundle"


def test_the_second_signal_of_a_ctrl_c_cuts_no_tidying_short(home: Path) -> None:
    ended: list[str] = []

    class Tidy(subject_of("docker_context")):  # type: ignore[misc]
        def apply(self, step: Any) -> None:
            del step
            os.kill(os.getpid(), signal.SIGINT)

        def close(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            ended.append("tidied")

    with pytest.raises(Interrupted):
        run(Tidy(), complete(subject_of("docker_context"), prepared("docker_context", home)), check_mode=False)
    assert ended == ["tidied"]


@pytest.mark.parametrize("name", CHANGING)
def test_what_a_second_look_still_finds_is_a_failure(name: str, home: Path) -> None:
    options = prepared(name, home)

    class Blind(subject_of(name)):  # type: ignore[misc]
        found: Any = None

        def read(self, spec: Any) -> Any:
            self.found = self.found or super().read(spec)
            return self.found

        def read_again(self, spec: Any, applied: object) -> Any:
            del applied
            return self.read(spec)

    with pytest.raises(NotVerified) as raised:
        run(Blind(), complete(subject_of(name), options), check_mode=False)
    left = raised.value.result
    assert left["left"] == left["actions"] and left["changed"]
    said = f"Could not {subject_of(name).work}: every step was carried out, yet a second look still finds this to do: "
    assert left["msg"].startswith(f"{said}{left['left'][0]}. ")


def test_a_reader_plans_nothing() -> None:
    assert issubclass(subject_of("docker_context_info"), Reader)
