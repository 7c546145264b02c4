# SPDX-License-Identifier: GPL-3.0-or-later
"""Real engines for what is done with the docker command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rehearsal.services.dockerd import Dockerd


@pytest.fixture
def buildx(home: Path, engine: Callable[[str], Path]) -> Path:
    """docker with the buildx plugin, in the home of the test."""
    place = home / ".docker/cli-plugins"
    place.mkdir(parents=True)
    (place / "docker-buildx").symlink_to(engine("docker-buildx"))
    return home


@pytest.fixture(scope="module")
def lab(short_path: Path, engine: Callable[[str], Path]) -> Iterator[Dockerd]:
    """A dockerd that holds BuildKit as an image."""
    for name in ("docker", "buildx", "buildkit"):
        engine(name)
    from tests.support.builds.engine_with_buildkit import engine_with_buildkit

    with engine_with_buildkit(short_path / "buildx-dockerd") as running:
        yield running
