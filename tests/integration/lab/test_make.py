# SPDX-License-Identifier: GPL-3.0-or-later
"""The Makefile in unusual folders and locales, and set-ups that do not finish. Nothing here reaches the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.plugin_utils.shell import OF_MAKE

ROOT = Path(__file__).resolve().parents[3]
FILES = ("Makefile", "ansible.cfg", "galaxy.yml")
PARTS = (*FILES, "collections", "inventory", "meta", "playbooks", "plugins", "rehearsal", "requirements", "roles")
FOLDER = 'it\'s a "quoted" (b) ü #1'
# A uv and a Python that make what the Makefile looks for; $STATE says what fails.
UV = """#!/bin/sh
if [ -e "$STATE/offline" ]; then echo "error: network is unreachable" >&2; exit 2; fi
case $1 in
venv) mkdir .venv .venv/bin && ln -s /bin/true .venv/bin/python;;
esac
"""
PYTHON = """#!/bin/sh
case $* in
--version) echo "Python 3.9.6";;
-c*) [ ! -e "$STATE/old" ];;
*venv*) mkdir .venv .venv/bin && cp "$0" .venv/bin/python && [ ! -e "$STATE/killed" ];;
*pip*) [ ! -e "$STATE/offline" ] && cp "$STATE/uv" .venv/bin/uv;;
esac
"""
# A Python that shows the settings behind -e instead of a run.
PLAYBOOK = """#!/bin/sh
[ "$1" != -c ] || exec {python} "$@"
for word; do case $word in {{*) echo "$word";; esac; done
"""


@pytest.fixture(name="outside")
def folder_outside_of_any_private_one() -> Iterator[Path]:
    """A folder that other users can enter, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="lm-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def make(folder: Path, *arguments: str, command: tuple[str, ...] = (), **extra: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MAKE", "VIRTUAL_ENV"))}
    return subprocess.run(
        [*command, "make", "--no-print-directory", *arguments],
        cwd=folder,
        env={**kept, **extra},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def test_a_rehearsal_runs_in_a_folder_of_any_name_and_in_the_c_locale(outside: Path) -> None:
    clone = outside / FOLDER
    clone.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, clone / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, clone / part)
    _borrow_environment(clone / ".venv")
    done = make(clone, "rehearse", f"DIR={outside}/lab", LC_ALL="C")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "secret    default/ecr-creds        expires 20" in done.stdout
    assert not (outside / "lab").exists()


def _borrow_environment(venv: Path) -> None:
    """Make an environment at another path from the environment of this test."""
    venv.mkdir()
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    for part in ("bin", "lib"):
        (venv / part).symlink_to(Path(sys.prefix) / part)
    (venv / ".lab").touch()


class Clone:
    """A clone without an environment, and a uv and a Python that do as told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.programs = folder / "a b", folder / "state", folder / "programs"
        for place in (self.folder, self.state, self.programs):
            place.mkdir()
        shutil.copy(ROOT / "Makefile", self.folder)
        (self.folder / "requirements").mkdir()
        for lock in ("lab.lock", "uv.lock"):
            (self.folder / "requirements" / lock).touch()
        for path, text in ((self.state / "uv", UV), (self.programs / "python3", PYTHON)):
            path.write_text(text)
            path.chmod(0o755)

    def setup(self, *trouble: str, uv: bool = False, command: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        for name in trouble:
            (self.state / name).touch()
        if uv:
            shutil.copy(self.state / "uv", self.programs)
        path = f"{self.programs}:/usr/bin:/bin"
        done = make(self.folder, "setup", command=command, PATH=path, STATE=str(self.state))
        for name in trouble:
            (self.state / name).unlink()
        return done

    @property
    def complete(self) -> bool:
        return (self.folder / ".venv" / ".lab").exists()


@pytest.fixture(name="clone")
def clone_without_environment(outside: Path) -> Clone:
    return Clone(outside)


@pytest.mark.parametrize("uv", [True, False], ids=["with uv", "without uv"])
@pytest.mark.parametrize("trouble", ["offline", "killed"])
def test_an_unfinished_set_up_does_not_break_the_next(clone: Clone, trouble: str, uv: bool) -> None:
    if trouble == "killed" and uv:
        # What uv leaves when it is killed.
        (clone.folder / ".venv" / "bin").mkdir(parents=True)
        (clone.folder / ".venv" / "bin" / "python").touch()
    else:
        assert clone.setup(trouble, uv=uv).returncode != 0
        assert not clone.complete
    done = clone.setup(uv=uv)
    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.complete


def test_a_complete_environment_is_kept(clone: Clone) -> None:
    assert clone.setup(uv=True).returncode == 0
    (clone.folder / ".venv" / "mine").touch()
    assert clone.setup("offline", uv=True).returncode == 0
    assert (clone.folder / ".venv" / "mine").exists()


def test_a_python_that_is_too_old_is_named_with_its_version(clone: Clone) -> None:
    done = clone.setup("old")
    assert done.returncode != 0
    expected = "Could not make .venv: laptop.containers needs Python 3.11 or newer, and python3 is Python 3.9.6. "
    assert done.stderr.startswith(expected + "Use: make PYTHON=/path/to/python3.11, or install uv.\n")
    assert not (clone.folder / ".venv").exists()


# Permissions do not hold root back.
ANOTHER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()


def test_a_read_only_clone_says_so(clone: Clone) -> None:
    clone.folder.chmod(0o555)
    done = clone.setup(uv=True, command=ANOTHER)
    clone.folder.chmod(0o755)
    assert done.returncode != 0
    expected = "Could not make .venv: this folder is read-only. Clone the project to a folder of your own."
    assert done.stderr.splitlines()[0] == expected


def test_ansible_writes_beside_a_clone_that_is_complete_and_read_only(clone: Clone, outside: Path) -> None:
    """Without it each playbook ends in a traceback of Ansible's."""
    assert clone.setup(uv=True).returncode == 0
    probe = ("--eval", 'probe: .venv/.lab; @echo "[$$ANSIBLE_HOME] $$ANSIBLE_CACHE_PLUGIN_CONNECTION"', "probe")
    done = make(clone.folder, *probe, HOME=str(outside))
    assert done.stdout == "[] \n", done.stderr
    clone.folder.chmod(0o555)
    done = make(clone.folder, *probe, command=ANOTHER, HOME=str(outside))
    clone.folder.chmod(0o755)
    assert done.stdout == f"[{outside}/.ansible] {outside}/.ansible/facts\n"


@pytest.mark.parametrize(
    ("arguments", "word", "reason"),
    [
        ("converge --check", "--check", "make took it for itself"),
        ("teardown --check", "--check", "make took it for itself"),
        ("converge -i inventory/mine", "inventory/mine", "make took it for itself"),
        ("converge -i", "-i", "make took it for itself"),
        ("converge --no-print-directory -k -t", "-t", "make took it for itself"),
        ("stop -l laptop", "laptop", "make took it for itself"),
        ("converge -e colima_restart=always", "colima_restart", "make converge does not take it. It takes ARGS; settings"),
        ("converge ARG=--check", "ARG", "make converge does not take it. It takes ARGS; settings"),
        ("stop PROFILE=k8s", "PROFILE", "make stop does not take it. It takes ARGS; settings"),
        ("migrate PROFILE=k8s", "PROFILE", "make migrate does not take it. It takes ARGS SOURCE; settings go into"),
        ("quick KEEP=1", "KEEP", "make quick does not take it. It takes no variable."),
    ],
)
def test_what_a_verb_does_not_take_is_refused_at_once(clone: Clone, arguments: str, word: str, reason: str) -> None:
    done = make(clone.folder, *arguments.split())
    assert done.returncode == 2
    assert f"Could not use {word}: {reason}" in done.stderr
    assert not (clone.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("converge ARGS=--check AWS_PROFILE=mine https_proxy=http://p:1", "playbooks/workstation.yml --check"),
        ("restore", "playbooks/restore.yml"),
        ("rehearse KEEP=1", "rehearsal run --keep"),
        ("rehearse KEEP=0", "rehearsal run"),
    ],
)
def test_what_a_verb_takes_reaches_its_command(clone: Clone, arguments: str, command: str) -> None:
    done = make(clone.folder, "--dry-run", *arguments.split())
    last = " ".join(done.stdout.splitlines()[-1].split())
    assert f" {command}" in last and (command != "rehearsal run" or last.endswith(command)), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("verb", "settings"),
    [
        ("snapshot", {"PROFILE": "k8s", "NAME": "../../an 'odd' \"name\""}),
        ("restore", {"PROFILE": "k8s", "NAME": "before"}),
        ("move", {"PROFILE": "k8s"}),
        ("migrate", {"SOURCE": "unix:///tmp/a b.sock"}),
        ("doctor", {"REPORT": "/tmp/$HOME, it (is)"}),
    ],
)
def test_a_variable_of_make_is_a_setting_as_it_was_typed(clone: Clone, verb: str, settings: dict[str, str]) -> None:
    """One of the environment is none: WSL has its machine's name as NAME, say."""
    venv = clone.folder / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(PLAYBOOK.format(python=sys.executable))
    python.chmod(0o755)
    for stamp in (".base", ".lab"):
        (venv / stamp).touch()
    words = (f"{name}={value.replace('$', '$$')}" for name, value in settings.items())
    done = make(clone.folder, verb, *words, NAME="wsl", SOURCE="other", REPORT="x", PROFILE="y")
    assert done.returncode == 0, done.stderr
    found = {name: value for line in done.stdout.splitlines() for name, value in json.loads(line).items()}
    assert found == {setting: settings[name] for setting, name in OF_MAKE[verb].items() if name in settings}
