# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that the tests of this folder share: it starts once per run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rehearsal.engines import find
from rehearsal.services.registry import Registry
from rehearsal.standin import colima
from tests.support.builds.node import ABROAD, Node
from tests.support.migration import guest
from tests.support.migration.move import PROFILE

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.dockerd import Dockerd
    from rehearsal.services.ecr import Ecr

# Its kubelet is built only for the long tests.
collect_ignore = [] if os.environ.get("LAPTOP_LONG") else ["test_move_out_of_docker.py"]


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


@pytest.fixture
def laptop(node: Node, dockerd: Dockerd, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose docker profile has the one cluster, and whose containerd profile has the node."""
    place = Path(tempfile.mkdtemp(prefix="mv-", dir="/tmp"))
    colima.install(place / "bin")
    for name in ("docker", "kubectl"):
        program = find(name) or shutil.which(name)
        assert program
        (place / "bin" / name).symlink_to(program)
    script = place / "bin" / "guest"
    script.write_text(f"#!{sys.executable}\n{Path(guest.__file__).read_text()}")
    script.chmod(0o755)
    engine = node.cluster.kubelet.containerd
    ends = {
        "docker": {"sockets": {"docker.sock": str(dockerd.socket)}, "kubeconfig": str(apiserver.kubeconfig), "nerdctl": []},
        "containerd": {
            "sockets": {"containerd.sock": str(engine.socket), "buildkitd.sock": str(engine.buildkit_socket)},
            "kubeconfig": str(node.cluster.api.kubeconfig),
            "nerdctl": engine.nerdctl([]),
        },
    }
    variables = {
        "PATH": f"{place}/bin:{os.environ['PATH']}",
        "HOME": str(place / "home"),
        "DOCKER_CONFIG": str(place / "home/.docker"),
        "KUBECONFIG": str(place / "home/.kube/config"),
        "COLIMA_HOME": str(place / "colima"),
        "REHEARSAL_SYSTEM": "Darwin",
        "REHEARSAL_GUEST": str(script),
        "REHEARSAL_INSIDE": json.dumps(ends),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for directory in ("home", "colima"):
        (place / directory).mkdir()
    try:
        yield place
    finally:
        subprocess.run(["colima", "stop", "--force", PROFILE], capture_output=True, check=False)
        shutil.rmtree(place)
