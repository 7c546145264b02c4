# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kubelet runs what was just built, finds only complete names, and leaves the machine as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builds.images import context_of
from tests.support.builds.node import Node, machine

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx")


def test_the_next_pod_runs_what_was_just_built_and_edited(node: Node, tmp_path: Path) -> None:
    context = context_of(tmp_path / "app", "cat", ["/words"])
    for words in ("one", "two"):
        (context / "words").write_text(words)
        node.build("docker.io/me/app:dev", context)
        node.run(words, "me/app:dev")
        assert node.cluster.kubelet.said(words) == words


def test_a_name_without_its_registry_is_not_found(node: Node, tmp_path: Path) -> None:
    node.build("me/trap:dev", context_of(tmp_path / "app", "cat", ["/words"]))
    node.run("trap", "me/trap:dev", "{.status.containerStatuses[0].state.waiting.reason}=ErrImageNeverPull")
    assert node.cluster.kubelet.said("trap") == ""


def test_the_kubelet_changes_nothing_of_this_machine(node: Node) -> None:
    assert node.cluster.kubelet.daemon.pid is not None
    assert machine() == node.before
