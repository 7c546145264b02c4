# SPDX-License-Identifier: GPL-3.0-or-later
"""The live lines and the summary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils import progress_view as progress


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


def test_a_terminal_shows_one_line_per_profile_redrawn_in_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress"
    path.write_text("")
    follower = progress.Follower(path, terminal=True)
    path.write_text(event("k8s", "starting", 1.0, True) + event("docker-buildx", "starting", 1.0, True))
    follower.look()
    follower.look()
    shown = capfd.readouterr().out
    assert shown.count("\x1b[2K  k8s") == 2
    assert shown.count("\x1b[2A") == 1


def test_lines_that_are_no_progress_are_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress"
    path.write_text("")
    follower = progress.Follower(path, terminal=False)
    path.write_text("noise\n[]\n{}\n" + event("k8s", "done", 1.0, True))
    follower.look()
    assert len(capfd.readouterr().out.splitlines()) == 1


def test_hints_name_profiles_with_sizes_and_the_current_context() -> None:
    profile = {
        "name": "k8s", "instance": "colima-k8s", "status": "Running", "runtime": "containerd", "cpu": 4, "memory": 12,
        "kubernetes": True, "containerd_socket": "unix:///h/.colima/k8s/containerd.sock",
    }  # fmt: skip
    assert progress.hints_of({"profiles": [profile], "contexts": [{}], "current": "colima-buildx"}) == [
        "profile k8s: containerd, 4 CPUs, 12 GiB unix:///h/.colima/k8s/containerd.sock",
        "kubectl --context colima-k8s get pods",
        "docker uses context colima-buildx",
    ]


def test_a_pending_change_is_one_sentence() -> None:
    item = {"target": "profile 'k8s'", "change": "cpu 2 -> 4", "reason": "1 container runs", "remedy": "Stop it."}
    assert progress.pending_line(item) == "profile 'k8s': cpu 2 -> 4, because 1 container runs. Stop it."
