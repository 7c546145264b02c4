# SPDX-License-Identifier: GPL-3.0-or-later
"""When an engine may be removed that was moved from, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import (
    Image,
    Inventory,
    MoveState,
    Volume,
    VolumePair,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.retirement import (
    Retirement,
    in_words,
    lost_with,
    reasons_against,
)

from tests.support.migration.two_engines import BYTES, DB, FOUND, MINE, ROW, WEB, at_source, at_target, volume

SPEC = Retirement("colima", "default", "colima", ("k8s", "docker-buildx"))


def test_an_engine_of_which_all_has_moved_may_go() -> None:
    assert list(reasons_against(SPEC, FOUND, ())) == []


@pytest.mark.parametrize(
    ("spec", "found", "why"),
    [
        (replace(SPEC, profile="k8s"), FOUND, "the settings have profile 'k8s'"),
        (SPEC, at_source(containers=(replace(MINE, state="running"),)), "containers run in it, or are paused: mine (running)"),
        (SPEC, at_source(containers=(replace(MINE, state="paused"),)), "containers run in it, or are paused: mine (paused)"),
        (SPEC, at_target(images=()), "not at the target: image 'web:1', image 'web:2'"),
        (SPEC, at_target(images=(replace(WEB, id="sha256:2", config="other"),)), "different on both sides: image 'web:1'"),
        (SPEC, volume(None), "not at the target: volume 'db'"),
        (SPEC, volume(None, ROW), "no longer at the target: volume 'db'"),
        (SPEC, volume(VolumePair(Fingerprint("new"), ROW.target), ROW), "changed at the source since it was copied: volume 'db'"),
        (SPEC, volume(VolumePair(BYTES, Fingerprint("other", "other"))), "different on both sides: volume 'db'"),
        (SPEC, at_source(volumes=(Volume("nfs", outside="it is far"),)), "not movable: volume 'nfs' (it is far)"),
        (SPEC, at_source(images=(Image("sha256:3", digests=("a@sha256:3",)),)), "not at the target: image 'a@sha256:3'"),
        (replace(SPEC, confirm=""), FOUND, "its whole content would be lost"),
        (replace(SPEC, confirm="coli"), FOUND, "its whole content would be lost"),
    ],
)
def test_an_engine_stays_while_something_of_it_is_needed(spec: Retirement, found: MoveState, why: str) -> None:
    first = next(reasons_against(spec, found, ()))
    assert first.message.startswith(f"Could not retire 'colima': {why}")


def test_what_the_user_left_behind_by_name_keeps_no_engine() -> None:
    lacking = replace(at_source(images=(WEB,), volumes=(DB, Volume("nfs", outside="far"))), volumes={}, target=Inventory("new"))
    assert len(list(reasons_against(SPEC, lacking, ("nfs",)))) == 1
    assert list(reasons_against(SPEC, lacking, ("nfs", "d?", "web:*"))) == []


def test_a_day_at_the_target_keeps_no_engine() -> None:
    assert list(reasons_against(SPEC, volume(VolumePair(BYTES, Fingerprint("a day", "first")), ROW), ())) == []


def test_what_goes_with_it_is_named() -> None:
    lost = lost_with(SPEC, at_source(containers=(MINE,)), ())
    assert lost[:2] == [
        "what has no name: image 9, volume f00",
        "containers, with what they hold outside of volumes: mine (2 KiB)",
    ]
    assert in_words(SPEC, lost)[1] == "Lost with it: what has no name: image 9, volume f00"
    assert "brew uninstall" in in_words(replace(SPEC, profile=""), lost)[-1]
