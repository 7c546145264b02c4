# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs that meet, for every module that replaces or removes something of the user's.

Two processes start together, a hundred times in the long form. Whatever they do to each other, undoing everything afterwards must
leave the user's things as they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system import command
from ansible_collections.laptop.containers.plugins.module_utils.docker import plugins
from ansible_collections.laptop.containers.plugins.module_utils.docker.config import surroundings

from rehearsal.standin import docker_cli
from rehearsal.standin.service_manager import install as install_service_manager
from tests.support.builds.buildkit_endpoint import answering
from tests.support.simultaneous_runs import Run, together
from tests.support.test_runs.tiers import times

ROUNDS = times(2, 4, 100)
Options = dict[str, Any]
DESKTOP = hashlib.sha256(b"desktop-linux").hexdigest()
BUILDKIT = Path(f"/tmp/races-{os.getpid()}")
# What may stay: state and programs, backups of config.json, the context with which Docker Desktop comes back, and buildx's lock.
MAY_STAY = (".local/state", ".rehearsal", "bin/", ".bak", DESKTOP, "buildx/.lock")


@dataclass(frozen=True)
class Case:
    """Two runs of a module that want different things, what undoes both, and the user's things before them.

    ready puts back what the undoing needs; meets: whether undoing can meet another run without that.
    """

    module: str
    mine: Callable[[Path], None]
    runs: Callable[[Path], tuple[Options, Options]]
    undo: Callable[[Path], list[Options]]
    ready: Callable[[Path], None] = lambda _home: None
    meets: bool = True


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def wrapper(home: Path, profile: str, **options: Any) -> Options:
    one = {"path": str(home / "nerdctl"), "profile": profile, "move_foreign": True, **options}
    return {"wrappers": [one], "completion": ["bash"], "colima": str(home / "colima")}


def users_nerdctl(home: Path) -> None:
    program(home / "nerdctl", "#!/bin/sh\necho mine\n")
    program(home / "colima", "#!/bin/sh\necho '# nerdctl completion'\n")


def users_plugins(home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"cliPluginsExtraDirs": ["/mine"]}')
    program(home / "bin/docker-buildx")
    program(home / "bin/docker-compose")


def users_docker_config(home: Path) -> None:
    settings = {
        "auths": {"r.example": {"auth": "c2VjcmV0"}},
        "credsStore": "desktop",
        "cliPluginsExtraDirs": ["/Applications/Docker.app/Contents/Resources/cli-plugins", "/mine"],
        "currentContext": "desktop-linux",
    }
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(json.dumps(settings, indent="\t"))
    program(home / "bin/docker-buildx")
    program(home / "bin/docker-compose")


def docker_desktop_is_back(home: Path) -> None:
    program(home / "bin/docker-credential-desktop")
    entry = home / ".docker/contexts/meta" / DESKTOP
    entry.mkdir(parents=True)
    (entry / "meta.json").write_text('{"Name": "desktop-linux", "Endpoints": {"docker": {"Host": "unix:///none"}}}')


def users_context(home: Path) -> None:
    entry = home / ".docker/contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    entry.mkdir(parents=True)
    (entry / "meta.json").write_text(
        '{"Name":"mine","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///m","SkipTLSVerify":false}}}'
    )
    (home / ".docker/config.json").write_text('{\n\t"currentContext": "mine"\n}')
    docker_cli.install(home / "bin")


def users_builder(home: Path) -> None:
    docker_cli.install(home / "bin")
    place = home / ".docker/buildx"
    for folder in ("instances", "activity", "defaults"):
        (place / folder).mkdir(parents=True)
    (home / ".docker/cli-plugins").symlink_to(home / "lib/docker/cli-plugins")
    node = {
        "Name": "mine0",
        "Endpoint": f"unix://{BUILDKIT}",
        "Platforms": None,
        "DriverOpts": None,
        "Flags": None,
        "Files": None,
    }
    (place / "instances/mine").write_text(json.dumps({"Name": "mine", "Driver": "remote", "Nodes": [node], "Dynamic": False}))
    (place / "activity/mine").write_text("2026-01-01T00:00:00Z")
    (place / "current").write_text('{"Key":"unix:///var/run/docker.sock","Name":"mine","Global":false}')


def builder(name: str, platform: str = "linux/amd64", **options: Any) -> Options:
    node = {"name": f"{name}-node", "endpoint": f"unix://{BUILDKIT}", "platforms": [platform]}
    return {"builders": [{"name": name, "driver": "remote", "nodes": [node]}], "timeout": 30, **options}


def users_unit(home: Path) -> None:
    folder = home / ".config/systemd/user"
    folder.mkdir(parents=True)
    (folder / "mine.service").write_text("[Service]\nExecStart=/bin/true\n")
    install_service_manager(home / "bin")


def timer(**options: Any) -> Options:
    return {"name": "refresh", "command": ["/bin/true"], "manager": "systemd", **options}


def context(name: str, **options: Any) -> Options:
    return {"name": name, "docker": {"host": f"unix:///{name}.sock"}, "current": "always", "probe_timeout": 0, **options}


def docker_config(home: Path, *wanted: str, **options: Any) -> Options:
    return {"plugins": list(wanted), "env_file": str(home / "docker.env"), **options}


CASES = {
    "nerdctl_wrapper": Case(
        "nerdctl_wrapper",
        users_nerdctl,
        lambda home: (wrapper(home, "k8s"), wrapper(home, "dev")),
        lambda home: [wrapper(home, "k8s", state="absent")],
    ),
    "nerdctl_wrapper, the same": Case(
        "nerdctl_wrapper",
        users_nerdctl,
        lambda home: (wrapper(home, "k8s"), wrapper(home, "k8s")),
        lambda home: [wrapper(home, "k8s", state="absent")],
    ),
    "docker_socket_link": Case(
        "docker_socket_link",
        lambda home: (home / "docker.sock").symlink_to("/desktop.sock"),
        lambda home: (
            {"path": str(home / "docker.sock"), "target": "/one.sock"},
            {"path": str(home / "docker.sock"), "target": "/two.sock"},
        ),
        lambda home: [{"path": str(home / "docker.sock"), "target": "/one.sock", "state": "absent"}],
    ),
    "docker_cli_config": Case(
        "docker_cli_config",
        users_plugins,
        lambda home: (docker_config(home, "docker-buildx"), docker_config(home, "docker-compose", profile="other")),
        lambda home: [docker_config(home, state="absent")],
    ),
    "docker_cli_config with leftovers of Docker Desktop": Case(
        "docker_cli_config",
        users_docker_config,
        lambda home: (docker_config(home, "docker-buildx"), docker_config(home, "docker-compose", profile="other")),
        lambda home: [docker_config(home, state="absent")],
        docker_desktop_is_back,
        meets=False,
    ),
    "docker_context": Case(
        "docker_context",
        users_context,
        lambda _home: (context("ctx-a"), context("ctx-b")),
        lambda _home: [context("ctx-a", state="absent"), context("ctx-b", state="absent")],
    ),
    "buildx_builder": Case(
        "buildx_builder",
        users_builder,
        lambda _home: (builder("one"), builder("two")),
        lambda _home: [builder("one", state="absent"), builder("two", state="absent")],
    ),
    "buildx_builder, the same": Case(
        "buildx_builder",
        users_builder,
        lambda _home: (builder("one"), builder("one", "linux/arm64")),
        lambda _home: [builder("one", state="absent")],
    ),
    "user_timer": Case(
        "user_timer",
        users_unit,
        lambda _home: (timer(every=30), timer(every=60)),
        lambda _home: [timer(state="absent")],
    ),
}


def things(home: Path) -> dict[str, str]:
    """Return the files and links in a home that must not stay."""
    found = {}
    for path in sorted(home.rglob("*")):
        name = str(path.relative_to(home))
        if any(part in name for part in MAY_STAY):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.name == "config.json":
            # docker adds empty settings, in an order of its own.
            settings = {key: value for key, value in json.loads(path.read_text()).items() if value}
            found[name] = json.dumps(settings, sort_keys=True)
        elif path.is_file():
            found[name] = path.read_text()
    return found


def run(module: str, options: Mapping[str, Any], home: Path) -> Run:
    return Run(module, options, {"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin"})


@pytest.fixture(autouse=True)
def only_our_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "USUAL_DIRECTORIES", ())
    monkeypatch.setattr(plugins, "SYSTEM_DIRECTORIES", ())
    monkeypatch.setattr(plugins, "HOMEBREW_DIRECTORIES", ())
    monkeypatch.setattr(surroundings, "DESKTOP_PLACES", ())


@pytest.fixture(autouse=True, scope="module")
def buildkit() -> Iterator[None]:
    """Something that answers at the endpoint of the builders."""
    with answering(BUILDKIT):
        yield


def failures(results: list[dict[str, Any]]) -> list[str]:
    return [str(result["msg"]) for result in results if result.get("failed")]


@pytest.mark.each_row
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.fault("two runs of {} began at the same moment, and were undone", there="every file and link of the user, as before")
def test_nothing_of_the_users_is_lost_when_two_runs_meet(case: Case, tmp_path: Path) -> None:
    lost: list[str] = []
    failed: list[str] = []
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        home.mkdir()
        case.mine(home)
        before = things(home)
        one, other = case.runs(home)
        # In turn: both make something, or one makes while the other undoes.
        second = case.undo(home)[0] if case.meets and number % 2 else other
        failed += failures(together([run(case.module, options, home) for options in (one, second)]))
        case.ready(home)
        for options in case.undo(home):
            failed += failures(together([run(case.module, options, home)]))
        lost += [f"{name}: {text}" for name, text in sorted(set(things(home).items()) ^ set(before.items()))]
        shutil.rmtree(home)
    assert "\n".join(lost) == ""
    assert failed == []
