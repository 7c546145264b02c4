# SPDX-License-Identifier: GPL-3.0-or-later
"""When an engine may go from which all was moved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Container, Image, Inventory, Moved, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.retirement import Retirement, in_words, reasons_against

WISH = Retirement("colima", "default", "colima", ("k8s", "docker-buildx"))
WEB, DB = Image("sha256:1", ("web:1", "web:2")), Volume("db")
SOURCE = Inventory(
    "old", images=(WEB, Image("sha256:9")), volumes=(DB, Volume("f00", anonymous=True), Volume("nfs", outside=True))
)
TARGET = Inventory("new", images=(WEB,), volumes=(DB,))
MOVED = {"db": Moved("digest")}
MINE = Container("1", "mine", "web:1", "", "exited")


def test_an_engine_of_which_all_has_moved_may_go() -> None:
    assert list(reasons_against(WISH, SOURCE, TARGET, MOVED)) == []


@pytest.mark.parametrize(
    ("wish", "source", "target", "moved", "why"),
    [
        (replace(WISH, profile="k8s"), SOURCE, TARGET, MOVED, "the settings have profile 'k8s'"),
        (WISH, replace(SOURCE, containers=(replace(MINE, state="running"),)), TARGET, MOVED, "containers run in it: mine"),
        (WISH, SOURCE, replace(TARGET, images=()), MOVED, "not at the target: image 'web:1', image 'web:2'"),
        (WISH, SOURCE, replace(TARGET, images=(Image("sha256:2", WEB.tags),)), MOVED, "not at the target: image 'web:1'"),
        (WISH, SOURCE, TARGET, {}, "not at the target: volume 'db'"),
        (WISH, SOURCE, TARGET, {"db": Moved("digest", "half")}, "not at the target: volume 'db'"),
        (WISH, SOURCE, replace(TARGET, volumes=()), MOVED, "not at the target: volume 'db'"),
        (replace(WISH, confirm=""), SOURCE, TARGET, MOVED, "all that is in it would be lost"),
        (replace(WISH, confirm="coli"), SOURCE, TARGET, MOVED, "all that is in it would be lost"),
    ],
)
def test_an_engine_stays_while_something_of_it_is_needed(
    wish: Retirement, source: Inventory, target: Inventory, moved: dict[str, Moved], why: str
) -> None:
    first = next(reasons_against(wish, source, target, moved))
    assert first.message.startswith(f"Could not retire 'colima': {why}")


def test_what_goes_with_it_is_named() -> None:
    stopped = replace(SOURCE, containers=(MINE,))
    assert list(in_words(WISH, stopped))[1:3] == ["With it go 1 container: mine", "With it go 1 volume without a name"]
    assert "brew uninstall" in list(in_words(replace(WISH, profile=""), SOURCE))[-1]
