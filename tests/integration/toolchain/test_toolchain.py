# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a new laptop: playbooks/toolchain.yml against the lab's Homebrew, and the module's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from rehearsal.standin import brew
from tests.support.in_process_module import ModuleRun
from tests.support.lab_playbooks import light_lab, play

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = "playbooks/toolchain.yml"
NAMES = ["colima", "docker", "docker-buildx", "docker-compose", "kubernetes-cli", "uv"]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        yield lab


def test_a_new_laptop_gets_its_programs(lab: Lab) -> None:
    cellar = lab.directory / "Cellar"
    said = play(lab, PLAYBOOK, "--check", "--diff")
    assert all(f"install formula '{name}'" in said for name in NAMES)
    assert not cellar.exists()
    assert "changed=1" in play(lab, PLAYBOOK)
    # lima comes with colima.
    assert sorted(path.name for path in cellar.iterdir()) == sorted([*NAMES, "lima"])
    assert "changed=0" in play(lab, PLAYBOOK, "--check")
    assert "changed=0" in play(lab, PLAYBOOK)


def test_a_brewfile_that_is_not_there_is_told_before_anything_is_changed(lab: Lab) -> None:
    said = play(lab, PLAYBOOK, "-e", "toolchain_brewfile=nosuch", code=2)
    assert said.splitlines()[-1] == (
        "FAILED settings: Could not read 'nosuch' as 'toolchain_brewfile': the file does not exist, or it is not readable text. "
        "Give the path of a file; a bare name is looked for in the role's files. (CLI option '-e')"
    )
    assert not (lab.directory / "Cellar").exists()


def test_the_daily_run_does_not_ask_homebrew() -> None:
    workstation = (ROOT / "playbooks/workstation.yml").read_text()
    # Of this role, only the look at the versions, and that only on request.
    assert workstation.count("containers.toolchain\n") == workstation.count("tasks_from: versions\n") == 1
    assert (ROOT / "Brewfile").resolve() == ROOT / "roles/toolchain/files/Brewfile"


def test_what_is_known_to_break_is_refused_before_the_first_step(lab: Lab) -> None:
    refuse = ("-e", "toolchain_versions=refuse")
    old = json.dumps({"workstation_environment": {**lab.environment, "REHEARSAL_LIMA_VERSION": "1.0.0"}})
    said = play(lab, "playbooks/workstation.yml", *refuse, "-e", old, "--check", code=2)
    assert "Could not accept limactl 1.0.0: it loses forwarded ports" in said
    assert "https://github.com/lima-vm/lima/pull/2864" in said and "Use 1.0.1 or newer" in said
    assert "known to break" not in play(lab, "playbooks/workstation.yml", *refuse, "--check", "--tags", "toolchain")
    # A warning unless it is asked for, and then only where the programs are looked after.
    assert "loses forwarded ports" in play(lab, PLAYBOOK, "-e", old)
    assert "Look at the versions" not in play(lab, "playbooks/workstation.yml", "-e", old, "--check", "--tags", "docker_cli")


@pytest.fixture
def homebrew(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Homebrew that is first on PATH; the answer is its prefix."""
    brew.install(home / "brew/bin")
    monkeypatch.setenv("PATH", f"{home}/brew/bin:/usr/bin:/bin")
    return home / "brew"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


BREWFILE = 'tap "team/tools"\nbrew "colima"\ncask "iterm2"\n'


def test_only_what_is_missing_is_installed(run: ModuleRun, homebrew: Path) -> None:
    (homebrew / "Cellar/colima/0.9.0").mkdir(parents=True)
    checked = run("brew_bundle", check=True, brewfile=BREWFILE)
    applied = run("brew_bundle", brewfile=BREWFILE)
    assert checked["actions"] == applied["actions"] == ["add tap 'team/tools'", "install cask 'iterm2'"]
    # Nothing is upgraded on the way.
    assert [path.name for path in (homebrew / "Cellar/colima").iterdir()] == ["0.9.0"]
    assert not run("brew_bundle", brewfile=BREWFILE)["changed"]


def test_a_failed_installation_names_itself(run: ModuleRun, homebrew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REHEARSAL_BREW_MISSING", "colima")
    failed = run("brew_bundle", brewfile=BREWFILE)
    assert failed["msg"].startswith("Could not install what the Brewfile lists: `brew bundle` failed! 1 Brewfile dependency")
    assert "run again" in failed["msg"]
    # What was installed before is reported, and stays.
    assert (failed["changed"], failed["actions"]) == (True, ["add tap 'team/tools'", "install cask 'iterm2'"])
    monkeypatch.delenv("REHEARSAL_BREW_MISSING")
    assert run("brew_bundle", brewfile=BREWFILE)["actions"] == ["install formula 'colima'"]


def test_without_homebrew_the_remedy_is_told(run: ModuleRun, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.core.system import command as cli

    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(cli, "USUAL_DIRECTORIES", ())
    missing = run("brew_bundle", check=True, brewfile=BREWFILE)
    assert missing["msg"].startswith("Could not find 'brew'")
    assert "leave this role out" in missing["msg"]
    # What the Brewfile lists, by its makers' pages where nothing here has it.
    assert "Install colima the way your system offers it (colima: https://" in missing["msg"]
