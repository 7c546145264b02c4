# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that the tests of this folder share: it starts once per run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.builds.node import Node

if TYPE_CHECKING:
    from rehearsal.services.ecr import Ecr
    from rehearsal.services.registry import Registry


@pytest.fixture(scope="session")
def node(
    short_path: Path, engine: Callable[[str], Path], ecr: Ecr, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A real node, with a builder on its BuildKit."""
    place = short_path / "node"
    place.mkdir()
    node = Node(place, tmp_path_factory.mktemp("node"), ecr, registry.address, engine("docker-buildx"))
    try:
        node.start()
        yield node
    finally:
        node.stop()
