# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of colima that can't be true: nothing is done on their word, whatever the policy."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, RefusedStep

from tests.support.colima.standin_laptop import ColimaLab

K8S = {"name": "k8s", "runtime": "containerd"}


@pytest.fixture
def lab(process_lab: ColimaLab) -> ColimaLab:
    process_lab.converge(K8S)
    return process_lab


def let_list_say(lab: ColimaLab, text: str) -> None:
    """From now on `colima list` prints this and exits with 0; all else is colima's own."""
    real = lab.bin / "real"
    real.mkdir()
    (lab.bin / "colima").rename(real / "colima")
    (lab.root / "list").write_text(text)
    script = f'#!/bin/sh\ncase "$1" in list) cat "{lab.root}/list"; exit 0 ;; esac\nexec "{real}/colima" "$@"\n'
    (lab.bin / "colima").write_text(script)
    (lab.bin / "colima").chmod(0o755)


@pytest.mark.parametrize("state", ["started", "stopped", "absent"])
def test_an_empty_list_beside_a_vm_of_lima_is_refused(lab: ColimaLab, state: str) -> None:
    let_list_say(lab, "")
    lab.calls()
    before = lab.tree()
    with pytest.raises(RefusedStep) as refusal:
        lab.converge({**K8S, "cpu": 4, "state": state}, restart="always")
    assert refusal.value.message == (
        "Could not plan profile 'k8s': colima does not list it, and its VM is there (lima.yaml). "
        "Run 'colima list' by hand, repair what it shows, and run again."
    )
    assert lab.tree() == before
    assert not [call for call in lab.calls() if call[1] in ("start", "stop", "delete") or call[2:3] == ["unlock"]]


@pytest.mark.parametrize(
    "text", ["Segmentation fault\n", '{"name":"k8s","stat', '{"name":"k8s","cpus":"4"}\n', '{"status":"Running"}\n']
)
def test_a_list_that_can_not_be_read_is_a_failure(lab: ColimaLab, text: str) -> None:
    let_list_say(lab, text)
    before = lab.tree()
    with pytest.raises(CommandFailed, match="Could not read the answer of 'colima list --json'"):
        lab.converge({**K8S, "cpu": 4}, restart="always")
    assert lab.tree() == before


def test_a_vm_that_is_listed_as_stopped_and_runs_is_left_alone(lab: ColimaLab) -> None:
    let_list_say(lab, '{"name":"k8s","status":"Stopped","cpus":2}\n')
    with pytest.raises(RefusedStep, match=r"colima lists it as stopped, and its (VM answers|host agent \(process \d+\) runs)"):
        lab.converge({**K8S, "cpu": 4}, restart="always")
