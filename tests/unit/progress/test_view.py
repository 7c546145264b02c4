# SPDX-License-Identifier: GPL-3.0-or-later
"""The live lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.progress import view as progress
from ansible_collections.laptop.containers.plugins.plugin_utils.shell import Shell, Way, typed

from tests.support.terminal import Terminal


def event(profile: str, phase: str, at: float, done: bool = False) -> str:
    return json.dumps({"profile": profile, "phase": phase, "time": at, "done": done}) + "\n"


def test_every_new_phase_is_a_plain_line_without_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress"
    path.write_text("")
    follower = progress.Follower(path, terminal=False)
    with path.open("a") as file:
        file.write(event("k8s", "creating and starting vm", 100.0))
        file.write(event("k8s", "provisioning kubernetes", 142.0))
        file.write('{"profile": "half a li')
    follower.look()
    assert capfd.readouterr().out.splitlines() == [
        "  k8s                  0 s  creating and starting vm",
        "  k8s                 42 s  provisioning kubernetes",
    ]


def test_a_plan_names_playbooks_as_the_reader_types_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress"
    path.write_text("")
    make = Shell(Way.MAKE, verbs=frozenset({"restore"}))
    follower = progress.Follower(path, terminal=False, role="colima", typed=partial(typed, shell=make))
    path.write_text(json.dumps({"plan": ["delete profile 'k8s' (playbooks/restore.yml brings it back for 7 days)"]}) + "\n")
    follower.look()
    assert capfd.readouterr().out == "colima: will delete profile 'k8s' ('make restore' brings it back for 7 days)\n"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Terminal]]:
    """terminal(columns) is where standard output goes from then on."""
    made = []

    def make(columns: int) -> Terminal:
        made.append(Terminal(columns))
        monkeypatch.setattr("sys.stdout", os.fdopen(os.dup(made[-1].other), "w"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def following(path: Path, terminal: bool = True) -> progress.Follower:
    """A follower that looks only when a test tells it."""
    path.write_text("")
    follower = progress.Follower(path, terminal)
    follower.run = lambda: None  # type: ignore[method-assign]
    follower.start()
    return follower


def say(path: Path, *events: str) -> None:
    with path.open("a") as file:
        file.write("".join(events))


def test_a_terminal_shows_one_line_per_profile_redrawn_in_place(tmp_path: Path, terminal: Callable[[int], Terminal]) -> None:
    shown = terminal(80)
    follower = following(tmp_path / "progress")
    say(tmp_path / "progress", event("k8s", "starting", 1.0), event("docker-buildx", "starting", 1.0))
    follower.look()
    say(tmp_path / "progress", event("k8s", "ready", 9.0, True), event("docker-buildx", "ready", 12.0, True))
    follower.look()
    follower.look()
    follower.stop()
    assert shown.lines == ["  k8s                  8 s  ready", "  docker-buildx       11 s  ready"]


def test_what_is_printed_meanwhile_is_never_drawn_over(tmp_path: Path, terminal: Callable[[int], Terminal]) -> None:
    shown = terminal(80)
    follower = following(tmp_path / "progress")
    say(tmp_path / "progress", event("k8s", "booting", 1.0, True))
    follower.look()
    print("[WARNING]: something on the way,\nin two lines")
    follower.look()
    say(tmp_path / "progress", event("k8s", "ready", 31.0, True))
    print("changed: [rehearsal]")
    follower.look()
    follower.stop()
    print("PLAY RECAP")
    sys.stdout.flush()
    assert shown.lines == [
        "  k8s                  0 s  booting",
        "[WARNING]: something on the way,",
        "in two lines",
        "  k8s                 30 s  ready",
        "changed: [rehearsal]",
        "PLAY RECAP",
    ]


def test_lines_are_cut_to_a_narrow_terminal(tmp_path: Path, terminal: Callable[[int], Terminal]) -> None:
    shown = terminal(30)
    follower = following(tmp_path / "progress")
    for phase in ("provisioning kubernetes with a long word", "downloading \x1b[31mthe disk image", "ready"):
        say(tmp_path / "progress", event("docker-buildx", phase, 1.0, True), event("k8s", phase, 1.0, True))
        follower.look()
    follower.stop()
    print("changed: [rehearsal]")
    sys.stdout.flush()
    assert shown.lines == ["  docker-buildx        0 s  r", "  k8s                  0 s  r", "changed: [rehearsal]"]


def test_without_a_terminal_the_last_phases_come_before_what_ansible_prints_of_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    follower = following(tmp_path / "progress", terminal=False)
    say(tmp_path / "progress", event("k8s", "ready", 1.0, True))
    print("changed: [rehearsal]")
    follower.stop()
    print("PLAY RECAP")
    assert capfd.readouterr().out.splitlines() == ["  k8s                  0 s  ready", "changed: [rehearsal]", "PLAY RECAP"]


def test_the_streams_are_given_back(tmp_path: Path) -> None:
    before = sys.stdout, sys.stderr
    follower = following(tmp_path / "progress", terminal=False)
    assert sys.stdout is not before[0]
    assert sys.stdout.isatty() == before[0].isatty()
    follower.stop()
    assert (sys.stdout, sys.stderr) == before


def test_lines_that_are_no_progress_are_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress"
    path.write_text("")
    follower = progress.Follower(path, terminal=False)
    path.write_text("noise\n[]\n{}\n" + event("k8s", "done", 1.0, True))
    follower.look()
    assert len(capfd.readouterr().out.splitlines()) == 1
