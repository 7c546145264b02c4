# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop that pulls, and a real repository: it follows, and skips where now is not the time. No work is lost."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.whole_machine.pulled_project import PULL, Laptop, Repository, stand_in


@pytest.fixture
def repository(home: Path) -> Repository:
    made = Repository(home / "team")
    made.commit("one")
    return made


@pytest.fixture
def laptop(home: Path, repository: Repository) -> Laptop:
    return Laptop(home, repository.url)


@contextmanager
def at_work(home: Path) -> Iterator[None]:
    """A run of this user's, as far as a pull sees it."""
    handle = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def test_it_clones_and_follows_the_branch_and_runs_each_time(laptop: Laptop, repository: Repository) -> None:
    first = laptop.pull()
    assert (first["result"], laptop.ran) == ("fresh", ["one"])
    assert (laptop.git("branch", "--show-current"), laptop.git("remote", "get-url", "origin")) == ("main", repository.url)
    laptop.pull()
    second = repository.commit("two")
    assert laptop.pull()["commit"] == second
    assert laptop.ran == ["one", "one", "two"]
    # By hand it is a clone as any other.
    third = repository.commit("three")
    laptop.git("pull", "--quiet")
    assert laptop.git("rev-parse", "HEAD")[:12] == laptop.pull()["commit"] == third


def test_it_follows_a_tag_and_then_a_branch_again(laptop: Laptop, repository: Repository) -> None:
    repository.git("tag", "v1")
    repository.commit("two")
    assert (laptop.pull("--version=v1")["result"], laptop.text) == ("fresh", "one")
    laptop.pull("--version=main")
    assert laptop.text == "two"
    laptop.pull("--version=v1")
    laptop.pull()
    assert laptop.ran == ["one", "two", "one", "two"]
    assert laptop.pull("--version=v9", code=1)["message"].startswith("Could not find branch or tag 'v9' in")


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        ("echo mine > text", "files of CLONE were changed"),
        ("echo mine > text && git commit -qam mine", "branch main of CLONE has commits of its own"),
        ("git checkout -q -b mine && echo mine > text && git commit -qam mine", "branch mine is checked out in CLONE"),
        ("git checkout -q --detach && echo mine > text && git commit -qam mine", "a commit is checked out in CLONE"),
    ],
    ids=["a changed file", "a commit", "a branch", "a commit on no branch"],
)
def test_it_leaves_alone_a_clone_in_which_someone_works(laptop: Laptop, repository: Repository, work: str, reason: str) -> None:
    laptop.pull()
    for name, value in (("user.name", "Me"), ("user.email", "me@example.com")):
        laptop.git("config", name, value)
    laptop.git("-c", f"alias.work=!{work}", "work")
    repository.commit("two")

    status = laptop.pull()

    assert status["last_skip"]["message"].startswith(reason.replace("CLONE", str(laptop.clone)))
    assert (laptop.text, laptop.ran) == ("mine\n", ["one"])


def test_files_of_ones_own_beside_the_projects_are_no_work_in_it(laptop: Laptop, repository: Repository) -> None:
    laptop.pull()
    (laptop.clone / "mine.yml").write_text("mine")
    repository.commit("two")
    laptop.pull()
    assert (laptop.text, (laptop.clone / "mine.yml").read_text()) == ("two", "mine")


def test_it_does_not_pull_beside_another_run_and_another_stays_away_from_it(laptop: Laptop, home: Path) -> None:
    with at_work(home):
        assert laptop.pull()["last_skip"]["message"] == "another run is active on this laptop"
        # A skip is one line of the log, as long as its reason is the same.
        laptop.pull()
        assert laptop.log.count("\n") == 1 and laptop.log.endswith(" skipped: another run is active on this laptop\n")
    assert not laptop.ran
    taken = "import fcntl, os, pathlib; fcntl.flock(os.open(pathlib.Path.home(), os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)"
    status = laptop.pull(command=(sys.executable, "-c", f"{taken}"), code=1)
    assert "BlockingIOError" in status["message"]
    assert laptop.pull()["result"] == "fresh"


def test_it_skips_on_battery(laptop: Laptop, home: Path) -> None:
    tools = home / "tools"
    laptop.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    stand_in(tools, "pmset", """echo "Now drawing from 'Battery Power'"; echo " -InternalBattery-0 (id=1) 80%; discharging" """)
    assert laptop.pull("--on-power")["last_skip"]["message"] == "on battery"
    assert laptop.pull()["result"] == "fresh"
    stand_in(tools, "pmset", """echo "Now drawing from 'AC Power'"; echo " -InternalBattery-0 (id=1) 80%; charging" """)
    assert laptop.pull("--on-power")["result"] == "fresh"
    assert laptop.ran == ["one", "one"]


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("battery", "others", "found"),
    [
        ("Discharging", {"AC": {"type": "Mains", "online": "0"}}, True),
        ("Discharging", {"AC": {"type": "Mains", "online": "1"}}, False),
        ("Not charging", {"ucsi": {"type": "USB", "online": "1"}}, False),
        ("Full", {}, False),
        ("Full", {"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, False),
        (None, {}, False),
    ],
)
def test_what_linux_says_of_the_power(home: Path, battery: str | None, others: dict[str, dict[str, str]], found: bool) -> None:
    if battery:
        supply(home / "power", "BAT0", type="Battery", status=battery)
    for name, files in others.items():
        supply(home / "power", name, **files)
    # A driver that refuses to tell.
    (home / "power/hid").mkdir(parents=True)
    (home / "power/hid/status").symlink_to("/proc/self/mem")
    script = "import pathlib, sys; from laptop import on_battery; sys.exit(on_battery(pathlib.Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", script, str(home / "power")], cwd=PULL.parent, check=False)
    assert done.returncode == int(found)


@pytest.mark.real("ssh-keygen")
def test_it_skips_without_a_network_and_fails_without_a_repository(laptop: Laptop, home: Path) -> None:
    with socket.socket() as silent:
        # Bound, and nothing listens.
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        away = f"no network: 127.0.0.1 port {port}: connection refused"
        laptop.environment |= {"no_proxy": "*", "NO_PROXY": "*"}
        for url in (f"http://127.0.0.1:{port}/team.git", f"ssh://127.0.0.1:{port}/team.git"):
            laptop.repository = url
            assert laptop.pull()["last_skip"]["message"] == away
        # A proxy is what git connects to.
        through = {"https_proxy": f"http://127.0.0.1:{port}", "HTTPS_PROXY": "", "no_proxy": "", "NO_PROXY": ""}
        laptop.environment |= through
        laptop.repository = "https://git.example.invalid/team.git"
        assert laptop.pull()["last_skip"]["message"] == away
        laptop.repository = f"file://{home}/nowhere"
        status = laptop.pull(code=1)
        assert status["message"].startswith(f"Could not read repository '{laptop.repository}': ")
        assert status["last_failure"]["message"] == status["message"]
        laptop.repository = f"https://127.0.0.1:{port}0000/team.git"
        assert laptop.pull(code=1)["message"].startswith(f"Could not read repository '{laptop.repository}': ")
        # A later skip leaves what is known of the failure.
        laptop.repository = "https://git.example.invalid/team.git"
        assert laptop.pull()["result"] == "failed"


def test_a_place_that_can_take_no_clone_is_named(laptop: Laptop) -> None:
    laptop.clone.write_text("mine")
    message = laptop.pull(code=1)["message"]
    assert message == f"Could not clone into '{laptop.clone}': file exists. Choose another pull_timer_project."
    assert laptop.clone.read_text() == "mine"


def test_a_failure_of_the_playbook_and_of_what_goes_before_it_is_told(laptop: Laptop, repository: Repository) -> None:
    assert laptop.pull('--setup=["true"]')["result"] == "fresh"
    status = laptop.pull('--setup=["sh", "-c", "echo no space left >&2; exit 1"]', code=1)
    assert "echo no space left" in status["message"] and f"no space left. Run it in '{laptop.clone}'." in status["message"]
    assert laptop.ran == ["one"]
    failed = laptop.pull(command=("/bin/sh", "-c", "echo ERROR no; exit 4"), code=1)
    assert (failed["message"], failed["failures"]) == ("ERROR no", 2)
    assert laptop.pull('--setup=["true"]')["last_failure"]["message"] == "ERROR no"
