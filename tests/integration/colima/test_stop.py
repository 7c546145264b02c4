# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping profiles: side by side, and not under the user's containers unless told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError

from tests.support.colima.standin_laptop import ColimaLab

DOCKER = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}
OTHER = {**DOCKER, "name": "other"}
STOPPED = ({**DOCKER, "state": "stopped"}, {**OTHER, "state": "stopped"})


@pytest.fixture
def lab(process_lab: ColimaLab) -> ColimaLab:
    return process_lab


def status(lab: ColimaLab) -> dict[str, str]:
    return {row.name: row.status for row in lab.colima.rows()}


def test_two_stops_run_side_by_side(lab: ColimaLab, tmp_path: Path) -> None:
    lab.converge(DOCKER, OTHER)
    # Each stop waits for the other one to begin: one after the other, they would never end.
    wrapper = tmp_path / "colima"
    wrapper.write_text(
        f"""#!/bin/sh
if [ "$1" = stop ]; then
  touch {tmp_path}/stopping-$3
  while [ "$(ls {tmp_path} | grep -c stopping-)" -lt 2 ]; do sleep 0.05; done
fi
exec {lab.bin}/colima "$@"
"""
    )
    wrapper.chmod(0o755)
    lab.path = f"{tmp_path}{os.pathsep}{lab.path}"

    done = lab.converge(*STOPPED, stop=30.0)

    assert list(done.actions) == ["stop profile 'dev'", "stop profile 'other'"]
    assert status(lab) == {"dev": "Stopped", "other": "Stopped"}
    assert lab.converge(*STOPPED).actions == ()


def test_a_profile_in_which_containers_run_is_stopped_only_if_told(lab: ColimaLab) -> None:
    lab.converge(DOCKER, K8S)
    lab.containers("web", "db")
    stopped = ({**DOCKER, "state": "stopped"}, {**K8S, "state": "stopped"})

    held = lab.converge(*stopped, stop="if_idle")

    assert [str(item) for item in held.pending] == [
        "profile 'dev': stop is pending because 2 containers run in it (web, db). Run again when nothing runs in it, or with "
        "E(stop=always)."
    ]
    assert [item.kind for item in held.pending] == ["stop"]
    assert status(lab) == {"dev": "Running", "k8s": "Stopped"}
    # What waits is not a failure, and does not wait for another word than the user's.
    assert lab.converge(*stopped, stop="if_idle").actions == ()
    assert list(lab.converge(*stopped).actions) == ["stop profile 'dev'"]


def test_a_stop_that_fails_leaves_the_other_done_and_told(lab: ColimaLab, tmp_path: Path) -> None:
    lab.converge(DOCKER, OTHER)
    wrapper = tmp_path / "colima"
    wrapper.write_text(f'#!/bin/sh\n[ "$1 $3" = "stop other" ] && exit 1\nexec {lab.bin}/colima "$@"\n')
    wrapper.chmod(0o755)
    lab.path = f"{tmp_path}{os.pathsep}{lab.path}"

    with pytest.raises(WorkstationError) as caught:
        lab.converge(*STOPPED)

    assert caught.value.done == ["stop profile 'dev'", "stop profile 'other': not finished"]
    assert status(lab) == {"dev": "Stopped", "other": "Running"}
