# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_context against the real docker command and a real engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_module import ModuleRun, messages
from tests.support.time_limits import in_time

pytestmark = pytest.mark.skipif(
    shutil.which("docker") is None, reason="docker is not installed: run 'make engines' as root, or: apt-get install docker.io"
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


def docker(*args: str, check: bool = True) -> str:
    return subprocess.run(["docker", *args], capture_output=True, text=True, check=check).stdout.strip()


def current() -> str:
    # 'docker context show' came after version 20.10.
    return docker("context", "ls", "--format", "{{if .Current}}{{.Name}}{{end}}")


def inspect(name: str) -> Any:
    return json.loads(docker("context", "inspect", name))[0]


def snapshot(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def rhythm(run: ModuleRun, home: Path, **options: Any) -> dict[str, Any]:
    """Check, apply, check again, apply again: check mode tells the truth and writes nothing; the second run is unchanged."""
    before = snapshot(home)
    checked = run("docker_context", check=True, **options)
    assert snapshot(home) == before
    applied = run("docker_context", **options)
    # What the engine says may differ by the time; all else must be what check mode promised.
    assert not applied.get("failed"), applied
    for key in ("changed", "actions", "diff", "current"):
        assert checked[key] == applied[key]
    after = snapshot(home)
    assert run("docker_context", check=True, **options)["actions"] == []
    assert not run("docker_context", **options)["changed"]
    assert snapshot(home) == after
    return applied


def test_a_context_is_created_and_made_current(run: ModuleRun, home: Path) -> None:
    result = rhythm(run, home, name="work", docker={"host": "unix:///tmp/w.sock"}, description="a, b", current="always")
    assert result["actions"] == [
        "create docker context 'work' (unix:///tmp/w.sock)",
        "use docker context 'work' (instead of 'default')",
    ]
    assert current() == "work"
    assert inspect("work")["Metadata"]["Description"] == "a, b"


def test_a_moved_endpoint_is_updated_in_place(run: ModuleRun, home: Path) -> None:
    docker("context", "create", "work", "--description", "mine", "--docker", "host=unix:///old.sock")
    entry = next((home / ".docker/contexts/meta").glob("*/meta.json"))
    inode = entry.parent.stat().st_ino
    result = rhythm(run, home, name="work", docker={"host": "unix:///new.sock"})
    assert result["actions"] == ["update docker context 'work' (endpoint unix:///old.sock -> unix:///new.sock)"]
    assert inspect("work")["Endpoints"]["docker"]["Host"] == "unix:///new.sock"
    assert inspect("work")["Metadata"]["Description"] == "mine"
    assert entry.parent.stat().st_ino == inode


@pytest.mark.parametrize(
    ("policy", "before", "after"),
    [("always", "other", "work"), ("if_unset", "other", "other"), ("if_unset", "", "work"), ("never", "", "default")],
)
def test_the_current_policy(run: ModuleRun, home: Path, policy: str, before: str, after: str) -> None:
    docker("context", "create", "other", "--docker", "host=unix:///o.sock")
    if before:
        docker("context", "use", before)
    rhythm(run, home, name="work", docker={"host": "unix:///w.sock"}, current=policy)
    assert current() == after


def test_removing_the_current_one_goes_back_to_the_one_before(run: ModuleRun, home: Path) -> None:
    docker("context", "create", "mine", "--docker", "host=unix:///m.sock")
    docker("context", "use", "mine")
    rhythm(run, home, name="work", docker={"host": "unix:///w.sock"}, current="always")
    result = rhythm(run, home, name="work", state="absent")
    assert result["actions"] == ["use docker context 'mine' (instead of 'work')", "remove docker context 'work'"]
    assert current() == "mine"


def test_one_option_switches_back_to_dockers_own(run: ModuleRun, home: Path) -> None:
    contexts = [{"name": "work", "docker": {"host": "unix:///w.sock"}, "current": "always"}]
    rhythm(run, home, contexts=contexts)
    rhythm(run, home, contexts=contexts, current_context="default")
    assert current() == "default"


def test_a_context_that_is_current_and_gone_can_be_left(run: ModuleRun, home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"currentContext": "gone"}')
    rhythm(run, home, name="gone", state="absent")
    assert current() == "default"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"),
            *("-days", "2", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    shutil.copy(tmp_path / "cert.pem", tmp_path / "ca.pem")
    return tmp_path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: apt-get install openssl")
def test_a_tls_endpoint_keeps_its_files_and_shows_none(run: ModuleRun, home: Path, certificates: Path) -> None:
    files = {kind: str(certificates / f"{kind}.pem") for kind in ("ca", "cert", "key")}
    created = rhythm(run, home, name="far", docker={"host": "tcp://127.0.0.1:2376", **files})
    moved = rhythm(run, home, name="far", docker={"host": "tcp://127.0.0.1:2377"})
    assert inspect("far")["TLSMaterial"] == {"docker": ["ca.pem", "cert.pem", "key.pem"]}
    (certificates / "ca.pem").write_text((certificates / "ca.pem").read_text() + "\n")
    renewed = rhythm(run, home, name="far", docker=files)
    assert renewed["actions"] == ["update docker context 'far' (TLS files)"]
    stored = Path(inspect("far")["Storage"]["TLSPath"]) / "docker"
    for kind, path in files.items():
        assert (stored / f"{kind}.pem").read_bytes() == Path(path).read_bytes()
    secret = (certificates / "key.pem").read_text().splitlines()[1]
    assert secret not in json.dumps([created, moved, renewed])
    assert "BEGIN" not in json.dumps([created, moved, renewed])
    bare = rhythm(run, home, name="far", docker={"key": "", "cert": "", "ca": "", "skip_tls_verify": True})
    assert bare["contexts"][0]["tls"] == {}
    assert inspect("far")["TLSMaterial"] == {}


def test_an_ssh_endpoint_is_kept_as_it_was_written(run: ModuleRun, home: Path) -> None:
    rhythm(run, home, name="farm", docker={"host": "ssh://me@farm.example.org:2222"})
    assert inspect("farm")["Endpoints"]["docker"]["Host"] == "ssh://me@farm.example.org:2222"


def test_a_hundred_contexts_in_one_task(run: ModuleRun, home: Path) -> None:
    contexts = [{"name": f"ctx-{number}", "docker": {"host": f"unix:///tmp/{number}.sock"}} for number in range(100)]
    contexts[42]["current"] = "always"
    result = rhythm(run, home, contexts=contexts)
    assert len(result["actions"]) == 101
    assert len(docker("context", "ls", "--quiet").splitlines()) == 101
    rhythm(run, home, contexts=[{"name": item["name"], "state": "absent"} for item in contexts])
    assert docker("context", "ls", "--quiet").splitlines() == ["default"]


def test_docker_config_is_honoured(run: ModuleRun, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "cfg"))
    run("docker_context", name="work", docker={"host": "unix:///w.sock"}, current="always")
    assert json.loads((tmp_path / "cfg/config.json").read_text())["currentContext"] == "work"
    assert not (home / ".docker").exists()


def test_variables_that_redirect_docker_do_not_mislead_and_are_named(
    run: ModuleRun, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".zshrc").write_text("# mine\nexport DOCKER_HOST=tcp://elsewhere:2375\n")
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    result = rhythm(run, home, name="work", docker={"host": "unix:///w.sock"}, current="always")
    said = messages(result)
    assert any(f"{home}/.zshrc line 2" in text for text in said)
    assert any("DOCKER_CONTEXT=nowhere is set in the environment" in text for text in said)
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.delenv("DOCKER_CONTEXT")
    assert current() == "work"


def test_a_damaged_configuration_is_not_overwritten(run: ModuleRun, home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"auths": {"r.example": {"auth": "secret"}},}')
    result = run("docker_context", name="work", docker={"host": "unix:///w.sock"}, current="always")
    assert result["failed"]
    assert result["msg"].startswith("Could not read docker's configuration")
    assert "secret" in (home / ".docker/config.json").read_text()


def test_an_unreadable_entry_is_replaced(run: ModuleRun, home: Path) -> None:
    docker("context", "create", "work", "--docker", "host=unix:///w.sock")
    next((home / ".docker/contexts/meta").glob("*/meta.json")).write_text("{ torn")
    if docker("--version").startswith("Docker version 20."):
        refused = run("docker_context", name="work", docker={"host": "unix:///w.sock"})
        assert "Delete the directory" in refused["msg"]
        return
    result = rhythm(run, home, name="work", docker={"host": "unix:///w.sock"})
    assert result["actions"] == ["remove unreadable docker context 'work'", "create docker context 'work' (unix:///w.sock)"]


def test_check_mode_works_before_docker_is_installed(run: ModuleRun, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.core.system import command as cli

    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(cli, "USUAL_DIRECTORIES", ())
    options: dict[str, Any] = {"name": "work", "docker": {"profile": "docker-buildx"}, "current": "always"}
    checked = run("docker_context", check=True, **options)
    assert checked["actions"][1] == "use docker context 'work' (instead of 'default')"
    assert any("not installed here yet" in text for text in messages(checked))
    applied = run("docker_context", **options)
    assert applied["failed"]
    assert applied["msg"].startswith("Could not find 'docker'")
    assert not run("docker_context", name="work", state="absent")["changed"]


@pytest.mark.real("docker")
def test_a_profiles_context_returns_the_engines_version(
    run: ModuleRun, home: Path, dockerd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = home / ".colima/docker-buildx"
    place.mkdir(parents=True)
    (place / "docker.sock").symlink_to(dockerd.socket)
    result = rhythm(run, home, name="colima-buildx", docker={"profile": "colima-docker-buildx"}, current="always")
    assert result["contexts"][0]["host"] == f"unix://{place}/docker.sock"
    assert result["contexts"][0]["engine"]["reachable"] is True
    assert result["contexts"][0]["engine"]["version"] == docker("version", "--format", "{{.Server.Version}}")


def test_a_stopped_profile_is_told_apart_from_one_that_hangs(run: ModuleRun, home: Path, short_path: Path) -> None:
    place = home / ".colima/dev"
    place.mkdir(parents=True)
    options: dict[str, Any] = {"name": "dev", "docker": {"profile": "dev"}, "probe_timeout": 0.3}
    stopped = run("docker_context", **options)
    assert stopped["contexts"][0]["engine"]["reason"] == "the socket does not exist"
    assert not messages(stopped)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(short_path / "silent.sock"))
        listening.listen()
        (place / "docker.sock").symlink_to(short_path / "silent.sock")
        hanging = in_time(2.0, lambda: run("docker_context", **options))
    assert "nothing answered within 0.3 s" in hanging["contexts"][0]["engine"]["reason"]
    assert "colima profile 'dev' does not answer" in messages(hanging)[0]


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_run_killed_at_any_moment_is_completed_by_the_next(run: ModuleRun, home: Path, moment: float, tmp_path: Path) -> None:
    contexts = [{"name": f"ctx-{number}", "docker": {"host": f"unix:///tmp/{number}.sock"}} for number in range(10)]
    contexts[0]["current"] = "always"
    program = tmp_path / "run.py"
    program.write_text(
        "import json, sys\n"
        "from ansible.module_utils.testing import patch_module_args\n"
        "from ansible_collections.laptop.containers.plugins.modules import docker_context\n"
        "print('ready', flush=True)\n"
        "with patch_module_args(json.loads(sys.argv[1])):\n"
        "    docker_context.main()\n"
    )
    import sys

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(program), json.dumps({"contexts": contexts})], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert "msg" not in run("docker_context", contexts=contexts)
    assert not run("docker_context", contexts=contexts)["changed"]
    assert current() == "ctx-0"


def test_info_reads_all_contexts_and_fails_for_none_that_is_missing(run: ModuleRun, home: Path) -> None:
    assert [item["name"] for item in run("docker_context_info")["contexts"]] == ["default"]
    run("docker_context", name="work", docker={"host": "unix:///tmp/none.sock"}, current="always")
    result = run("docker_context_info", reachability=True, names=["work", "nowhere"])
    assert result["current"] == "work"
    assert [(item["name"], item["current"], item["engine"]["reachable"]) for item in result["contexts"]] == [
        ("work", True, False)
    ]
    assert [item["name"] for item in run("docker_context_info")["contexts"]] == ["default", "work"]


def test_info_waits_for_a_silent_engine_no_longer_than_it_is_told(run: ModuleRun, home: Path, short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent, socket.socket() as far:
        silent.bind(str(short_path / "quiet.sock"))
        silent.listen()
        far.bind(("127.0.0.1", 0))
        far.listen()
        contexts = [
            {"name": "near", "docker": {"host": f"unix://{short_path}/quiet.sock"}},
            {"name": "far", "docker": {"host": f"tcp://127.0.0.1:{far.getsockname()[1]}"}},
        ]
        run("docker_context", contexts=contexts, probe_timeout=0)
        asked: dict[str, Any] = {"reachability": True, "names": ["near", "far"], "timeout": 0.5}
        result = in_time(4.0, lambda: run("docker_context_info", **asked))
        assert [item["engine"]["reason"] for item in result["contexts"]] == ["nothing answered within 0.5 s"] * 2


@pytest.mark.real("docker")
def test_info_asks_a_real_engine(run: ModuleRun, home: Path, dockerd: Any) -> None:
    run("docker_context", name="lab", docker={"host": dockerd.host})
    result = run("docker_context_info", reachability=True, names=["lab"])
    assert result["contexts"][0]["engine"]["reachable"] is True
