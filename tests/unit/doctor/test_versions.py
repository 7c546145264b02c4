# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor says of versions and of KVM: nothing of good ones, a note of an untried colima, a finding of what breaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.doctor.groups.kubernetes import answers
from ansible_collections.laptop.containers.plugins.module_utils.doctor.groups.tools import judged, kvm
from ansible_collections.laptop.containers.plugins.module_utils.doctor.model import CheckKind
from ansible_collections.laptop.containers.plugins.module_utils.toolchain.judge import findings

KIND = CheckKind("tools.version", "versions")


@pytest.mark.parametrize(
    ("tool", "version", "status", "found"),
    [
        ("colima", (0, 10, 3), "ok", "0.10.3"),
        ("colima", (0, 11, 0), "note", "0.11.0: newer than 0.10.3, the newest that was tried"),
        ("limactl", (0, 20, 1), "note", "0.20.1: not tried with this collection yet"),
        ("docker", (29, 1, 0), "ok", "29.1.0: newer than 28.2.2, the newest that was tried"),
        ("limactl", (0, 17, 2), "broken", "0.17.2 is refused by colima, which needs Lima 0.18.0 or newer"),
    ],
)
def test_a_version_is_a_check(tool: str, version: tuple[int, ...], status: str, found: str) -> None:
    (one,) = findings({tool: version})
    check = judged(KIND, tool, one, "/proc/nowhere")
    assert (check.status, check.found, check.about) == (status, found, tool)
    assert bool(check.remedy) == (status == "broken")


@pytest.mark.parametrize(
    ("version", "status", "found"),
    [
        ("v1.35.0+k3s1", "ok", "v1.35.0+k3s1 answers"),
        ("v1.40.1+k3s1", "ok", "v1.40.1+k3s1 answers"),
        ("", "ok", " answers"),
        ("v1.24.3+k3s1", "warning", "v1.24.3+k3s1 answers, and gets no node in a profile with runtime docker"),
    ],
)
def test_a_k3s_that_is_known_to_break_is_told(version: str, status: str, found: str) -> None:
    check = answers(version, "colima-k8s")
    assert (check.status, check.found, check.about) == (status, found, "colima-k8s")
    assert ("1.24.4" in check.remedy) == (status == "warning")


def test_what_keeps_linux_from_starting_vms_is_told(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    missing = kvm(device)
    assert (missing.status, missing.remedy[:13]) == ("broken", "sudo modprobe") and "no VM can start" in missing.found
    device.touch()
    assert kvm(device).status == "ok"


def test_kvm_of_another_group_is_told_with_the_group_to_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "kvm"
    device.touch()
    # Root may use everything, so the answer of the system is what is tried here.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    forbidden = kvm(device)
    assert forbidden.status == "broken" and 'usermod -aG kvm "$USER"' in forbidden.remedy
