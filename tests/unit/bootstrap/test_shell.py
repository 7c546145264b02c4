# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts in a real shell: before laptops whose Pythons are scripts, and with a library that is really installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.bootstrap.environment import EnvironmentState, Python, parse
from ansible_collections.laptop.containers.plugins.module_utils.bootstrap.shell import LOOK, LocalShell
from ansible_collections.laptop.containers.plugins.module_utils.core.system import command

from tests.support.in_process_module import ModuleRun
from tests.support.whole_machine.wheels import wheel

# What a run would find on this machine does not belong to these laptops.
TOOLS = ("sh", "find", "wc", "tr", "head", "uname", "readlink", "sed", "mkdir", "chmod", "rm", "rmdir", "ln", "cat")


@pytest.fixture
def laptop(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME, on whose PATH only the tools of any system are."""
    (home / "bin").mkdir(parents=True)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (home / "bin" / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(home / "bin"))
    monkeypatch.setattr(command, "USUAL_DIRECTORIES", ())
    return home


def python(place: Path, version: str, whole: str = "whole") -> Path:
    """Put a program there that answers as a Python."""
    place.write_text(f"#!/bin/sh\nprintf 'python\\t%s\\t%s\\t%s\\t\\n' '{place}' {version} {whole}\n")
    place.chmod(0o755)
    return place


def look(home: Path, digest: str = "new", given: str = "") -> EnvironmentState:
    done = LocalShell().run(LOOK.replace(":/usr/bin:/bin", ""), "~/d", digest, given)
    assert (done.rc, done.stderr) == (0, "")
    return parse(done.stdout)


def test_pythons_are_found_on_the_path_and_a_broken_one_hides_none(laptop: Path) -> None:
    (laptop / "first").mkdir()
    broken = laptop / "first" / "python3.13"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    os.environ["PATH"] = f"{laptop}/first:{os.environ['PATH']}"
    good, old = python(laptop / "bin/python3.13", "3.13.5"), python(laptop / "bin/python3", "3.9.6", "partial")
    found = look(laptop)
    assert found.directory == f"{laptop}/d"
    # Others may be where Homebrew and administrators put theirs.
    assert {Python(str(good), (3, 13, 5), whole=True), Python(str(old), (3, 9, 6), whole=False)} <= {*found.pythons}


def test_a_given_python_is_the_only_one_that_is_asked(laptop: Path) -> None:
    python(laptop / "bin/python3.13", "3.13.5")
    given = python(laptop / "mine", "3.12.1")
    assert look(laptop, given="~/mine").pythons == (Python(str(given), (3, 12, 1), whole=True),)
    assert look(laptop, given=f"{laptop}/none").unusable == f"{laptop}/none"


def test_on_a_mac_without_its_tools_apples_python_is_not_started(laptop: Path) -> None:
    """It would open a window."""
    script = LOOK.replace("/usr/bin/python3", str(python(laptop / "bin/python3", "3.9.6")))
    (laptop / "bin/uname").unlink()
    (laptop / "bin/uname").write_text("#!/bin/sh\necho Darwin\n")
    (laptop / "bin/uname").chmod(0o755)
    for code, there in ((2, False), (0, True)):
        (laptop / "bin/xcode-select").write_text(f"#!/bin/sh\nexit {code}\n")
        (laptop / "bin/xcode-select").chmod(0o755)
        found = parse(LocalShell().run(script, "~/d", "new", "").stdout)
        assert (f"{laptop}/bin/python3" in {one.path for one in found.pythons}) is there


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip finds libraries, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


def test_an_environment_is_made_kept_updated_and_removed(home: Path, index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, directory = ModuleRun(capsys), home / "data" / "ours"
    base: dict[str, Any] = {"directory": str(directory), "python": os.path.realpath(sys.executable)}
    first, second = wheel(index, "1.0"), wheel(index, "2.0")
    made = run("bootstrap", requirements=first, **base)
    assert made["actions"] == [
        f"make Python environment '{directory}/python' (Python {'.'.join(map(str, sys.version_info[:3]))})"
    ]
    assert made["python"] == made["interpreter"] == f"{directory}/python/bin/python"
    assert list(directory.glob("python/lib/*/site-packages/words-1.0.dist-info"))
    assert not run("bootstrap", requirements=first, **base)["changed"]

    before = (directory / "python").readlink()
    assert run("bootstrap", requirements=second, **base)["actions"][0].startswith("update ")
    # What still runs by it continues.
    assert (directory / before / "bin/python").exists() and (directory / "python").readlink() != before

    shutil.rmtree(next(directory.glob("python/lib/*/site-packages/words-2.0.dist-info")))
    broken = run("bootstrap", check=True, requirements=second, **base)
    assert broken["actions"][0].startswith("make ") and broken["interpreter"] == base["python"]

    (directory / "mine").write_text("kept")
    assert run("bootstrap", requirements=second, state="absent", **base)["changed"]
    assert [path.name for path in directory.iterdir()] == ["mine"]
    assert not run("bootstrap", requirements=second, state="absent", **base)["changed"]


def test_a_lock_that_does_not_hold_leaves_nothing_and_says_what_pip_said(
    home: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, directory = ModuleRun(capsys), home / "data" / "ours"
    lock = wheel(index, "1.0").replace("sha256:", "sha256:0")[:-2] + "\n"
    options: dict[str, Any] = {"directory": str(directory), "python": os.path.realpath(sys.executable)}
    failed = run("bootstrap", requirements=lock, **options)
    assert "Could not install the workstation's libraries: THESE PACKAGES DO NOT MATCH THE HASHES" in failed["msg"]
    assert not (home / "data").exists()
