# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that the tests of this folder share: it starts once per run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rehearsal.services.registry import Registry
from tests.support.builds.node import ABROAD, Node

if TYPE_CHECKING:
    from rehearsal.services.ecr import Ecr


@pytest.fixture(scope="session")
def node(
    short_path: Path, engine: Callable[[str], Path], ecr: Ecr, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A real node, with a builder on its BuildKit."""
    place = short_path / "node"
    place.mkdir()
    with Registry(place / "registry", ecr, region=ABROAD) as second:
        addresses = (registry.address, second.address)
        node = Node(place, tmp_path_factory.mktemp("node"), ecr, addresses, engine("docker-buildx"))
        try:
            node.start()
            yield node
        finally:
            node.stop()
