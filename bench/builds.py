# SPDX-License-Identifier: GPL-3.0-or-later
"""From an edited file to the end of a pod that has it: built into the cluster, beside pushed to a registry and pulled from it."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench.measure import Row, compare
from rehearsal.engines import find
from rehearsal.services.ecr import Ecr
from rehearsal.services.registry import Registry
from tests.support.builds.images import context_of
from tests.support.builds.node import ABROAD, Node
from tests.support.ecr_pull_secret.scenario import HOST

SECRET = "pull"  # noqa: S105 - its name
# How much of the image an edit changes.
SIZES = {"1 KB": 1 << 10, "50 MB": 50 << 20}


def rows() -> list[Row]:
    """Measure both ways on one node, with a registry on the same machine, which asks for ECR's token."""
    with tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as folder, _node(Path(folder)) as node:
        return [
            compare(f"{name} edited to the pod's end, built into the cluster / through a registry", 1.0, *_ways(node, size))
            for name, size in SIZES.items()
        ]


def _ways(node: Node, size: int) -> tuple[Callable[[], None], Callable[[], None]]:
    context, numbers = context_of(node.home / f"app-{size}", "cat", ["/words"]), count()
    draw = random.Random(size)  # noqa: S311 - not for secrets

    def edited() -> str:
        (context / "words").write_bytes(draw.randbytes(size // 2).hex().encode())
        return f"app-{size}-{next(numbers)}"

    def built() -> None:
        pod, image = edited(), "docker.io/me/app:dev"
        node.build(image, context)
        node.run(pod, image, secret=SECRET)

    def pulled() -> None:
        pod, image = edited(), f"{HOST}/app:dev"
        node.build_and_push(image, context)
        node.run(pod, image, pull="Always", secret=SECRET)

    return built, pulled


@contextmanager
def _node(place: Path) -> Iterator[Node]:
    buildx = find("docker-buildx")
    if buildx is None:
        raise SystemExit("Could not measure builds: docker-buildx is not installed. Run 'make engines'.")
    with Ecr(place / "ecr") as ecr, Registry(place / "one", ecr) as one, Registry(place / "two", ecr, region=ABROAD) as two:
        for folder in ("node", "home"):
            (place / folder).mkdir()
        node = Node(place / "node", place / "home", ecr, (one.address, two.address), buildx)
        try:
            node.start()
            file = place / "config.json"
            file.write_text(json.dumps(node.logins()))
            node.cluster.kubectl(
                *("create", "secret", "generic", SECRET, "--type=kubernetes.io/dockerconfigjson"),
                f"--from-file=.dockerconfigjson={file}",
            )
            yield node
        finally:
            node.stop()
