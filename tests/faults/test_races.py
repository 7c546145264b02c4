# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs that meet, for every module that replaces or removes something of the user's.

Two processes start together, a hundred times in the long form. Whatever they do to each other, undoing everything afterwards must
leave the user's things as they were.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core import command
from ansible_collections.laptop.containers.plugins.module_utils.docker import plugins

from rehearsal.standin.service_manager import install as install_service_manager
from tests.support.pairs import Run, together

ROUNDS = 100 if os.environ.get("LAPTOP_LONG") else 10
Options = dict[str, Any]
# What may stay: notes, locks, and what plays the laptop.
MAY_STAY = (".local/state", ".rehearsal", "bin/")


@dataclass(frozen=True)
class Case:
    """Two runs of a module that want different things, what undoes both, and the user's things before them.

    ready puts back what the undoing needs.
    """

    module: str
    mine: Callable[[Path], None]
    runs: Callable[[Path], tuple[Options, Options]]
    undo: Callable[[Path], list[Options]]
    ready: Callable[[Path], None] = lambda _home: None


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


def users_unit(home: Path) -> None:
    folder = home / ".config/systemd/user"
    folder.mkdir(parents=True)
    (folder / "mine.service").write_text("[Service]\nExecStart=/bin/true\n")
    install_service_manager(home / "bin")


def timer(**options: Any) -> Options:
    return {"name": "refresh", "command": ["/bin/true"], "manager": "systemd", **options}


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
    "user_timer": Case(
        "user_timer",
        users_unit,
        lambda _home: (timer(every=30), timer(every=60)),
        lambda _home: [timer(state="absent")],
    ),
}


def things(home: Path) -> dict[str, str]:
    """Return the files and links in a home, but for those that may stay."""
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


def failures(results: list[dict[str, Any]]) -> list[str]:
    return [str(result["msg"]) for result in results if result.get("failed")]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
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
        second = other if number % 2 else case.undo(home)[0]
        failed += failures(together([run(case.module, options, home) for options in (one, second)]))
        case.ready(home)
        for options in case.undo(home):
            failed += failures(together([run(case.module, options, home)]))
        lost += [f"{name}: {text}" for name, text in sorted(set(things(home).items()) ^ set(before.items()))]
        shutil.rmtree(home)
    assert lost == []
    assert failed == []
