# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades on a laptop with VMs: what runs continues running whatever happens, and the way back leads back."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system import command

from tests.support.colima.brewed_laptop import NEW, OLD, BrewedLaptop, brewed_laptop
from tests.support.colima.standin_laptop import end_machines
from tests.support.in_process_module import ModuleRun


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Iterator[BrewedLaptop]:
    """Two profiles, of which one runs."""
    home = Path(tempfile.mkdtemp(prefix="up-", dir="/tmp"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/brew/bin:/usr/bin:/bin")
    monkeypatch.setenv("COLIMA_HOME", f"{home}/colima")
    monkeypatch.setenv("REHEARSAL_BOOT_SECONDS", "0.05")
    monkeypatch.setattr(command, "USUAL_DIRECTORIES", ())
    (home / "colima").mkdir()
    try:
        laptop = brewed_laptop(home / "brew", os.environ)
        for profile in ("used", "idle"):
            laptop.run("colima", "start", profile, "--runtime", "containerd", "--cpus", "3")
        laptop.run("colima", "stop", "idle")
        yield laptop
    finally:
        end_machines(home / "colima/_lima")
        shutil.rmtree(home)


class Upgrade:
    """Runs of the module, for what Homebrew brought; the apt of this machine is not asked."""

    def __init__(self, run: ModuleRun) -> None:
        self._run = run

    def __call__(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._run("upgrade", check=check, **{"programs": ["limactl", "colima"], **options})


@pytest.fixture
def upgrade(capsys: pytest.CaptureFixture[str]) -> Upgrade:
    return Upgrade(ModuleRun(capsys))


STEPS = [
    "stop profile 'used' (everything in it stays)",
    f"upgrade 'limactl' ({OLD['lima']} to {NEW['lima']})",
    f"upgrade 'colima' ({OLD['colima']} to {NEW['colima']})",
    "start profile 'used'",
]


def test_an_upgrade_stops_and_starts_what_runs_and_there_is_a_way_back(laptop: BrewedLaptop, upgrade: Upgrade) -> None:
    assert laptop.versions() == OLD
    checked = upgrade(check=True, stop=True)
    assert (checked["actions"], laptop.versions()) == (STEPS, OLD)
    settings = laptop.run("cat", f"{laptop.environment['COLIMA_HOME']}/used/colima.yaml")
    done = upgrade(stop=True)
    assert (done["actions"], done["pending"]) == (STEPS, [])
    assert (laptop.versions(), laptop.running()) == (NEW, {"used"})
    assert "cpu: 3" in settings and "cpu: 3" in laptop.run("cat", f"{laptop.environment['COLIMA_HOME']}/used/colima.yaml")
    assert not upgrade(stop=True)["changed"]
    for one in done["upgraded"]:
        laptop.run("sh", "-c", one["back"])
    assert laptop.versions() == OLD


def test_without_the_word_nothing_under_a_vm_is_touched(laptop: BrewedLaptop, upgrade: Upgrade) -> None:
    done = upgrade()
    assert (done["changed"], laptop.versions(), laptop.running()) == (False, OLD, {"used"})
    assert [(one["kind"], one["remedy"]) for one in done["pending"]] == [
        ("running", "To have them stopped and started for it, use stop: true.")
    ] * 2
    laptop.run("colima", "stop", "used")
    assert upgrade()["actions"] == STEPS[1:3]
    assert (laptop.versions(), laptop.running()) == (NEW, set())


@pytest.mark.parametrize("lost", ["colima", "lima"])
def test_an_upgrade_that_fails_leaves_vms_as_they_were(
    lost: str, laptop: BrewedLaptop, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHEARSAL_BREW_MISSING", lost)
    failed = upgrade(stop=True)
    assert failed["failed"] and f'No available formula with the name "{lost}"' in failed["msg"]
    assert "What was stopped for it runs again: 'used'." in failed["msg"]
    assert laptop.running() == {"used"}
    # It says what was upgraded before the failure.
    assert failed["actions"] == [STEPS[0], *(STEPS[1:2] if lost == "colima" else [])]
    assert laptop.versions() == (OLD | {"lima": NEW["lima"]} if lost == "colima" else OLD)
    monkeypatch.delenv("REHEARSAL_BREW_MISSING")
    assert upgrade(stop=True)["actions"][-1] == STEPS[-1]
    assert (laptop.versions(), laptop.running()) == (NEW, {"used"})


def test_who_interrupts_it_is_told_how_to_start_what_was_stopped(laptop: BrewedLaptop, upgrade: Upgrade) -> None:
    brew = laptop.prefix / "bin/brew"
    whole = brew.rename(brew.with_name("brew-itself"))
    brew.write_text('#!/bin/sh\n[ "$1" = upgrade ] && { kill -TERM $PPID; exec sleep 60; }\nexec "$0-itself" "$@"\n')
    brew.chmod(0o755)
    ended = upgrade(stop=True)
    assert ended["failed"] and "the run was interrupted" in ended["msg"]
    assert ended["msg"].endswith("Run again, or start what was stopped for it: colima start used.")
    assert (ended["actions"], laptop.running(), laptop.versions()) == (STEPS[:1], set(), OLD)
    whole.rename(brew)
    laptop.run("colima", "start", "used")
    assert upgrade(stop=True)["actions"] == STEPS


def test_a_vm_that_the_new_version_cannot_start_is_told_with_the_way_back(
    laptop: BrewedLaptop, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    bottle = laptop.prefix / "Bottles/lima/bin/limactl"
    bottle.write_text('#!/bin/sh\n[ "$1" = start ] && { echo "level=fatal msg=no" >&2; exit 1; }\n' + bottle.read_text())
    failed = upgrade(stop=True)
    assert failed["failed"] and "To go back to the versions before: brew unlink lima" in failed["msg"]
    assert failed["actions"] == STEPS[:3]
    back = re.search(r"To go back to the versions before: (.*); then run 'colima start'", failed["msg"])
    assert back is not None
    laptop.run("sh", "-c", back[1])
    laptop.run("colima", "start", "used")
    assert (laptop.versions(), laptop.running()) == (OLD, {"used"})


def test_what_homebrew_cannot_learn_ends_it_before_the_first_step(
    laptop: BrewedLaptop, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHEARSAL_BREW_OFFLINE", "1")
    failed = upgrade(stop=True)
    assert failed["msg"].startswith("Could not ask Homebrew for new versions: Failed to download")
    assert (failed["actions"], laptop.running(), laptop.versions()) == ([], {"used"}, OLD)


def test_a_pinned_formula_stays(laptop: BrewedLaptop, upgrade: Upgrade) -> None:
    (laptop.prefix / "var/homebrew/pinned").mkdir(parents=True)
    (laptop.prefix / "var/homebrew/pinned/colima").symlink_to(laptop.prefix / "Cellar/colima" / OLD["colima"])
    done = upgrade(stop=True, programs=["colima"])
    assert (done["changed"], done["pending"][0]["kind"], laptop.running()) == (False, "held", {"used"})


def test_a_program_of_no_package_is_named(laptop: BrewedLaptop, upgrade: Upgrade) -> None:
    tool = laptop.prefix / "bin/docker"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    done = upgrade(programs=["docker"])
    assert (done["changed"], done["by_hand"]) == (False, {"docker": str(tool)})
