# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding real engines, and saying how to get the missing ones."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rehearsal import engines
from rehearsal.engines import install


def program(path: Path, content: bytes = b"\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is first on PATH."""
    place = tmp_path / "path"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return place


def test_the_usual_variable_of_kubernetes_test_tools_comes_first(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path / "etcd")
    assets = program(tmp_path / "assets" / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets.parent))
    assert engines.find("etcd") == assets
    named = program(tmp_path / "named-etcd")
    monkeypatch.setenv("TEST_ASSET_ETCD", str(named))
    assert engines.find("etcd") == named


def test_the_cache_is_used_when_path_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = program(tmp_path / "docker-buildx")
    monkeypatch.setenv("REHEARSAL_ENGINES", str(tmp_path))
    assert engines.find("docker-buildx") == cached


def test_a_wrapper_script_does_not_count_as_an_engine(path: Path) -> None:
    wrapper = program(path / "nerdctl", b'#!/bin/sh\nexec colima nerdctl -- "$@"\n')
    assert engines.find("nerdctl") != wrapper


def test_programs_of_a_lab_do_not_count_as_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = program(tmp_path / "bin" / "colima")
    (tmp_path / "environment.json").write_text("{}")
    monkeypatch.setenv("PATH", str(stand_in.parent))
    assert engines.find("colima") != stand_in


def test_a_file_that_is_not_executable_is_not_found(path: Path) -> None:
    program(path / "runc").chmod(0o644)
    assert engines.find("runc") != path / "runc"


def test_a_missing_engine_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engines, "find", lambda _name: None)
    # "docker" is asked for as the group: engine and command line.
    for name in set(engines.ENGINES) - {"docker"}:
        reason = engines.missing(name)
        assert reason is not None
        assert " is not installed: " in reason
        assert len(reason.partition(": ")[2]) > 10


def test_every_group_names_known_engines() -> None:
    assert {name for group in engines.GROUPS.values() for name in group} <= set(engines.ENGINES)


@pytest.mark.parametrize(("systemd", "installed"), [("there", False), ("not there", True)])
def test_an_ssh_server_is_not_installed_where_it_would_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: str, installed: bool
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setattr(install, "SYSTEMD", tmp_path / systemd)
    wanted = install.packages_wanted()
    assert ("openssh-server" in wanted) == installed
    assert "docker.io" in wanted


def test_a_second_installation_waits_for_the_first_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REHEARSAL_ENGINES", str(tmp_path / "bin"))
    did: list[str] = []

    def second() -> None:
        with install.lock():
            did.append("second")

    waiting = threading.Thread(target=second)
    said = ""
    with install.lock():
        waiting.start()
        while "\n" not in said:
            said += capfd.readouterr().out
        did.append("first")
    waiting.join()
    assert did == ["first", "second"]
    assert said == "engines: another 'make engines' is running: this one waits until it has ended\n"


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        (None, "builds kubelet, buildkitd; that takes some 10 min on two cores"),
        ("no JSON", "builds kubelet, buildkitd; that takes some 10 min on two cores"),
        ("[1]", "builds kubelet, buildkitd; that takes some 10 min on two cores"),
        ('{"kubelet": 120, "other": 9}', "builds kubelet, buildkitd; the last build of some of them took 2.0 min"),
        ('{"kubelet": 120, "buildkitd": 30.5}', "builds kubelet, buildkitd; the last build took 2.5 min"),
    ],
)
def test_what_is_built_is_said_with_how_long_it_took_last_time(
    noted: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REHEARSAL_ENGINES", str(tmp_path / "bin"))
    if noted is not None:
        (tmp_path / ".took.json").write_text(noted)
    install.announce([engines.ENGINES["kubelet"], engines.ENGINES["buildkitd"]])
    assert capsys.readouterr().out == f"engines: {said}\n"
