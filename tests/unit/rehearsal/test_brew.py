# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in Homebrew tells what is installed, checks a Brewfile and installs what it lacks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rehearsal.standin.brew import install

BREWFILE = 'tap "team/tools"\nbrew "colima"\nbrew "kubectl", link: true # for k8s\ncask "iterm2"\n'


@pytest.fixture
def brew(home: Path) -> Path:
    """The program, with a Brewfile in HOME."""
    install(home / "prefix" / "bin")
    (home / "Brewfile").write_text(BREWFILE)
    return home / "prefix" / "bin" / "brew"


def run(brew: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [brew, *arguments],
        cwd=brew.parents[2],
        env={"PATH": os.environ["PATH"], "HOME": str(brew.parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_prefix_is_the_parent_of_bin(brew: Path) -> None:
    assert run(brew, "--prefix")[1] == f"{brew.parent.parent}\n"
    assert run(brew, "--prefix", "docker")[1] == f"{brew.parent.parent}/opt/docker\n"


def test_check_names_missing_formulae_only_when_verbose(brew: Path) -> None:
    code, out, _ = run(brew, "bundle", "check", "--file=Brewfile")
    assert code == 1
    assert out.splitlines() == [
        "brew bundle can't satisfy your Brewfile's dependencies.",
        "Satisfy missing dependencies with `brew bundle install`.",
    ]
    _, out, _ = run(brew, "bundle", "check", "--file", "Brewfile", "--verbose")
    assert out.splitlines()[1:-1] == [
        "→ Tap team/tools needs to be tapped.",
        "→ Formula colima needs to be installed or updated.",
        "→ Formula kubectl needs to be installed or updated.",
        "→ Cask iterm2 needs to be installed or updated.",
    ]


def test_install_then_check_is_satisfied_and_install_again_changes_nothing(brew: Path) -> None:
    code, out, _ = run(brew, "bundle", "install", "--file=Brewfile")
    assert code == 0
    assert out.splitlines() == [
        "Tapping team/tools",
        "Installing colima",
        "Installing kubectl",
        "Installing iterm2",
        "`brew bundle` complete! 4 Brewfile dependencies now installed.",
    ]
    assert run(brew, "bundle", "check") == (0, "The Brewfile's dependencies are satisfied.\n", "")
    assert run(brew, "bundle")[1].splitlines()[:2] == ["Using team/tools", "Using colima"]


def test_versions_are_listed_with_what_a_formula_needed(brew: Path) -> None:
    run(brew, "bundle")
    assert run(brew, "list", "--versions") == (0, "colima 0.10.3\nkubernetes-cli 1.36.3\nlima 2.1.4\n", "")
    assert run(brew, "list", "--versions", "colima", "nope") == (1, "colima 0.10.3\n", "")


def test_a_formula_that_fails_comes_after_the_rest(brew: Path) -> None:
    code, out, err = run(brew, "bundle", REHEARSAL_BREW_MISSING="colima")
    assert code == 1
    assert "Installing iterm2" in out
    assert err.splitlines()[-2:] == [
        "Installing colima has failed!",
        "`brew bundle` failed! 1 Brewfile dependency failed to install",
    ]


def test_a_missing_brewfile_is_an_error(brew: Path) -> None:
    assert run(brew, "bundle", "check", "--file=nope") == (1, "", "Error: No Brewfile found\n")
