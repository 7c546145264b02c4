# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_cli_config on files of a scratch home."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.file import without_logins

from tests.support.in_process_module import ModuleRun, messages

LEFTOVERS = {
    "auths": {"r.example": {"auth": "c2VjcmV0"}},
    "credsStore": "desktop",
    "cliPluginsExtraDirs": ["/Applications/Docker.app/Contents/Resources/cli-plugins", "/mine"],
    "currentContext": "desktop-linux",
    "HttpHeaders": {"X": "y"},
}

LOGINS = {
    "auths": {
        "r.example": {"auth": "QVdTOmh1bnRlcjI=", "email": "me@example.com"},
        "s.example": {"identitytoken": "hunter2", "registrytoken": "hunter2"},
        "t.example": {},
    },
    "HttpHeaders": {"User-Agent": "x", "Authorization": "Basic aHVudGVyMg==", "X-Api-Key": "hunter2-key"},
    "proxies": {"default": {"httpProxy": "http://me:hunter2@proxy:3128", "noProxy": "localhost"}},
    "credHelpers": {"u.example": "ecr-login"},
}
BARE = {
    "auths": {"r.example": {"email": "me@example.com"}, "s.example": {}, "t.example": {}},
    "HttpHeaders": {"User-Agent": "x"},
    "proxies": {"default": {"httpProxy": "http://proxy:3128", "noProxy": "localhost"}},
    "credHelpers": {"u.example": "ecr-login"},
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


@pytest.fixture
def programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of PATH: no helper, no plugin of this machine is seen."""
    from ansible_collections.laptop.containers.plugins.module_utils.core.system import command as cli
    from ansible_collections.laptop.containers.plugins.module_utils.docker import plugins as docker_plugins
    from ansible_collections.laptop.containers.plugins.module_utils.docker.config import surroundings as docker_surroundings

    place = home / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(cli, "USUAL_DIRECTORIES", ())
    monkeypatch.setattr(docker_plugins, "SYSTEM_DIRECTORIES", ())
    monkeypatch.setattr(docker_plugins, "HOMEBREW_DIRECTORIES", ())
    monkeypatch.setattr(docker_surroundings, "DESKTOP_PLACES", (str(home / "apps/Docker.app"),))
    return place


def program(place: Path, name: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("#!/bin/sh\n")
    (place / name).chmod(0o755)
    return place / name


def links_to(path: Path) -> str:
    return str(path.readlink())


def names(place: Path) -> list[str]:
    return sorted(item.name for item in place.iterdir())


def config(home: Path) -> Any:
    return json.loads((home / ".docker/config.json").read_text())


def leave(home: Path, settings: Any = LEFTOVERS, mode: int = 0o600) -> Path:
    path = home / ".docker/config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings, indent="\t"))
    path.chmod(mode)
    return path


def test_a_backup_keeps_no_login_and_an_older_one_loses_its_own(run: ModuleRun, home: Path) -> None:
    path = leave(home, {**LOGINS, "credsStore": "desktop"}, mode=0o640)
    old = path.with_name("config.json.20250101-120000-1.bak")
    old.write_text(json.dumps(LOGINS, indent=2))
    old.chmod(0o600)
    theirs = path.with_name("config.json.bak")
    theirs.write_text(json.dumps(LOGINS))
    applied = run("docker_cli_config", plugins=[])
    kept = Path(applied["backup_file"])
    assert json.loads(kept.read_text()) == {**BARE, "credsStore": "desktop"}
    assert json.loads(old.read_text()) == BARE
    assert [stat.S_IMODE(file.stat().st_mode) for file in (kept, old)] == [0o640, 0o600]
    # The user's own copy, and the file itself.
    assert json.loads(theirs.read_text()) == LOGINS
    assert json.loads(path.read_text())["auths"] == LOGINS["auths"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"auths": []}', '{"auths": {"r": 1}, "HttpHeaders": 2, "proxies": "x"}', "\ufeff{}"]
)
def test_what_holds_no_login_is_kept_to_the_letter(text: str) -> None:
    assert without_logins(text.encode()) == text.encode()


def context(home: Path, name: str) -> None:
    """A context as Docker Desktop makes it; its engine does not run."""
    entry = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    entry.mkdir(parents=True)
    host = f"unix://{home}/.docker/run/docker.sock"
    (entry / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


# Where Docker Desktop puts things: by itself, by its "User" installation, and into a home without administrator.
INSTALLED = pytest.mark.parametrize(
    "place",
    ["bin/docker-credential-desktop", ".docker/bin/docker-credential-desktop", "apps/Docker.app", "Applications/Docker.app"],
)


def test_docker_desktops_leftovers_are_repaired_with_a_backup(run: ModuleRun, home: Path, programs: Path) -> None:
    path = leave(home, mode=0o640)
    text = path.read_text()
    program(programs, "docker-credential-secretservice")
    checked = run("docker_cli_config", check=True, plugins=[])
    assert path.read_text() == text
    assert names(path.parent) == ["config.json"]
    applied = run("docker_cli_config", plugins=[])
    assert (checked["actions"], checked["diff"]) == (applied["actions"], applied["diff"])
    assert config(home) == {
        "auths": LEFTOVERS["auths"],
        "credsStore": "secretservice",
        "cliPluginsExtraDirs": ["/mine"],
        "HttpHeaders": {"X": "y"},
    }
    assert Path(applied["backup_file"]).read_text() == text.replace('"auth": "c2VjcmV0"', "").replace("{\n\t\t\t\n\t\t}", "{}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not run("docker_cli_config", plugins=[])["changed"]
    assert "c2VjcmV0" not in json.dumps([checked, applied])


def test_without_any_helper_the_consequence_is_told(run: ModuleRun, home: Path, programs: Path) -> None:
    leave(home, {"credsStore": "desktop", "credHelpers": {"a": "desktop", "b": "ecr-login"}})
    result = run("docker_cli_config", plugins=[])
    assert config(home) == {"credHelpers": {"b": "ecr-login"}}
    assert "unencrypted" in messages(result)[0]


@INSTALLED
def test_an_installed_docker_desktop_is_not_touched(run: ModuleRun, home: Path, programs: Path, place: str) -> None:
    program((home / place).parent, Path(place).name)
    settings = {**LEFTOVERS, "credHelpers": {"a": "desktop"}}
    leave(home, settings)
    context(home, "desktop-linux")
    scout = home / ".docker/cli-plugins/docker-scout"
    scout.parent.mkdir()
    scout.symlink_to("/Applications/Docker.app/Contents/Resources/cli-plugins/docker-scout")
    assert not run("docker_cli_config", plugins=[])["changed"]
    assert config(home) == settings
    assert scout.is_symlink()


def test_a_context_without_an_entry_is_repaired_also_where_docker_desktop_is(run: ModuleRun, home: Path, programs: Path) -> None:
    program(programs, "docker-credential-desktop")
    leave(home, {"currentContext": "desktop-linux", "credsStore": "desktop"})
    run("docker_cli_config", plugins=[])
    assert config(home) == {"credsStore": "desktop"}


def test_links_that_docker_desktop_left_do_not_count_as_docker_desktop(run: ModuleRun, home: Path, programs: Path) -> None:
    leave(home)
    context(home, "desktop-linux")
    (home / ".docker/bin").mkdir()
    (home / ".docker/bin/docker-credential-desktop").symlink_to("/Applications/Docker.app/Contents/Resources/bin/gone")
    run("docker_cli_config", plugins=[])
    assert not {"credsStore", "currentContext"} & set(config(home))


def test_repair_can_be_left_out(run: ModuleRun, home: Path, programs: Path) -> None:
    leave(home)
    assert not run("docker_cli_config", plugins=[], repair=False)["changed"]


def test_a_plugin_of_homebrew_is_made_known(run: ModuleRun, home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.docker import plugins as docker_plugins

    brewed = str(home / "brew/cli-plugins")
    program(Path(brewed), "docker-buildx")
    monkeypatch.setattr(docker_plugins, "HOMEBREW_DIRECTORIES", (brewed,))
    leave(home)
    run("docker_cli_config", plugins=["docker-buildx"])
    assert config(home)["cliPluginsExtraDirs"] == ["/mine", brewed]
    assert not run("docker_cli_config", plugins=["docker-buildx"])["changed"]


def test_a_plugin_beside_the_docker_of_any_homebrew_is_made_known(run: ModuleRun, home: Path, programs: Path) -> None:
    program(programs, "docker")
    program(home / "lib/docker/cli-plugins", "docker-compose")
    run("docker_cli_config", plugins=["docker-compose"])
    assert config(home) == {"cliPluginsExtraDirs": [str(home / "lib/docker/cli-plugins")]}


def test_a_plugin_on_path_is_linked_and_a_dead_link_gives_way(run: ModuleRun, home: Path, programs: Path) -> None:
    there = program(programs, "docker-buildx")
    plugins = home / ".docker/cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to("/Applications/Docker.app/Contents/Resources/cli-plugins/docker-buildx")
    (plugins / "docker-scout").symlink_to("/Applications/Docker.app/Contents/Resources/cli-plugins/docker-scout")
    (plugins / "docker-mine").symlink_to("/somewhere/else")
    run("docker_cli_config", plugins=["docker-buildx"])
    assert links_to(plugins / "docker-buildx") == str(there)
    assert names(plugins) == ["docker-buildx", "docker-mine"]
    assert not run("docker_cli_config", plugins=["docker-buildx"])["changed"]


@pytest.mark.parametrize("place", [".docker/cli-plugins", "extra", "system"])
def test_a_plugin_that_docker_finds_is_left_as_it_is(
    run: ModuleRun, home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.docker import plugins as docker_plugins

    monkeypatch.setattr(docker_plugins, "SYSTEM_DIRECTORIES", (str(home / "system"),))
    leave(home, {"cliPluginsExtraDirs": [str(home / "extra")]})
    program(home / place, "docker-compose")
    # Elsewhere, too; but docker has one already.
    program(programs, "docker-compose")
    result = run("docker_cli_config", plugins=["docker-compose"])
    assert not result["changed"]
    assert not messages(result)


@pytest.mark.parametrize("told", ["Darwin: brew install docker-compose", "Linux: package docker-compose-plugin or"])
def test_a_missing_plugin_is_named_with_its_remedy(
    run: ModuleRun, home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    system, _, remedy = told.partition(": ")
    monkeypatch.setattr("platform.system", lambda: system)
    result = run("docker_cli_config", plugins=["docker-compose"])
    assert not result["changed"]
    assert remedy in messages(result)[0]
    assert not (home / ".docker").exists()


def test_a_misspelt_plugin_is_told_with_the_right_name(run: ModuleRun, home: Path, programs: Path) -> None:
    result = run("docker_cli_config", plugins=["docker-buildxx"])
    assert "'docker-buildxx' is not installed. Did you mean 'docker-buildx'? Install it" in messages(result)[0]


@INSTALLED
def test_everything_can_be_taken_back(run: ModuleRun, home: Path, programs: Path, place: str) -> None:
    leave(home)
    program(programs, "docker-buildx")
    options: dict[str, Any] = {"plugins": ["docker-buildx"], "env_file": str(home / "docker.env")}
    run("docker_cli_config", **options)
    assert config(home) != LEFTOVERS
    # What was missing is there again.
    program((home / place).parent, Path(place).name)
    context(home, "desktop-linux")
    result = run("docker_cli_config", **options, state="absent")
    assert config(home) == LEFTOVERS
    assert not (home / "docker.env").exists()
    assert names(home / ".docker/cli-plugins") == []
    assert result["changed"]
    assert not run("docker_cli_config", **options, state="absent")["changed"]


def test_what_docker_would_fail_on_is_not_put_back_and_told(run: ModuleRun, home: Path, programs: Path) -> None:
    leave(home, {**LEFTOVERS, "credHelpers": {"a.example": "desktop", "b.example": "ecr-login"}})
    run("docker_cli_config", plugins=[])
    repaired = config(home)
    checked = run("docker_cli_config", plugins=[], state="absent", check=True)
    result = run("docker_cli_config", plugins=[], state="absent")
    assert config(home) == {**repaired, "cliPluginsExtraDirs": LEFTOVERS["cliPluginsExtraDirs"]}
    assert (checked["actions"], messages(checked)) == (result["actions"], messages(result))
    texts = sorted(messages(result))
    assert [text.split("'")[1] for text in texts] == ["credHelpers", "credsStore", "currentContext"]
    assert "'docker-credential-desktop' is not installed" in texts[0] and "context 'desktop-linux' does not exist" in texts[2]
    again = run("docker_cli_config", plugins=[], state="absent")
    assert (again["changed"], messages(again)) == (False, [])


def test_the_environment_file_serves_shells_and_ides(run: ModuleRun, home: Path, programs: Path) -> None:
    path = home / "a b/docker.env"
    result = run("docker_cli_config", plugins=[], env_file=str(path))
    lines = path.read_text().splitlines()
    assert f"DOCKER_HOST=unix://{result['socket']}" in lines
    assert "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE=/var/run/docker.sock" in lines
    assert not run("docker_cli_config", plugins=[], env_file=str(path))["changed"]
    path.write_text("MINE=1\n")
    assert "it holds something else" in run("docker_cli_config", plugins=[], env_file=str(path))["msg"]
    assert not run("docker_cli_config", plugins=[], env_file=str(path), state="absent")["changed"]


@pytest.mark.parametrize(
    "mine", ["# Zugänge\nKEY=1\n".encode("latin-1"), b"# big\n" + b"x" * (1 << 20)], ids=["Latin-1", "large"]
)
def test_an_environment_file_that_cannot_be_told_is_never_overwritten(
    run: ModuleRun, home: Path, programs: Path, mine: bytes
) -> None:
    path = home / "docker.env"
    path.write_bytes(mine)
    assert "it holds something else" in run("docker_cli_config", plugins=[], env_file=str(path))["msg"]
    assert not run("docker_cli_config", plugins=[], env_file=str(path), state="absent")["changed"]
    assert path.read_bytes() == mine


def test_an_empty_file_becomes_the_environment_file(run: ModuleRun, home: Path, programs: Path) -> None:
    (home / "docker.env").touch()
    assert run("docker_cli_config", plugins=[], env_file=str(home / "docker.env"))["changed"]


def test_a_shell_reads_the_environment_file(run: ModuleRun, home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = home / "my colima"
    place.mkdir()
    monkeypatch.setenv("COLIMA_HOME", str(place))
    result = run("docker_cli_config", plugins=[], env_file=str(home / "docker.env"))
    assert result["socket"] == f"{place}/docker-buildx/docker.sock"
    script = 'set -a; . "$HOME/docker.env"; set +a; /usr/bin/env'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert f"DOCKER_HOST=unix://{place}/docker-buildx/docker.sock" in done.stdout.splitlines()
    assert "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE=/var/run/docker.sock" in done.stdout.splitlines()


def test_leftover_helpers_of_single_registries_go_alone(run: ModuleRun, home: Path, programs: Path) -> None:
    leave(home, {"credHelpers": {"a.example": "desktop", "b.example": "ecr-login"}})
    run("docker_cli_config", plugins=[])
    assert config(home) == {"credHelpers": {"b.example": "ecr-login"}}


def test_a_damaged_file_is_refused(run: ModuleRun, home: Path, programs: Path) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text('{"credsStore": "desktop",}')
    assert run("docker_cli_config", plugins=[])["msg"].startswith("Could not read docker's configuration")
