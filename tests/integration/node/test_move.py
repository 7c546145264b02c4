# SPDX-License-Identifier: GPL-3.0-or-later
"""A Deployment with a pull secret and a volume goes from a cluster on docker to a real node on containerd, and runs there.

The old cluster is a real API server without a kubelet, beside a real dockerd with the images. With LAPTOP_LONG=1,
test_move_out_of_docker.py has one whose pods run in docker.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.migration.move import PROFILE, converge, run_phase
from tests.support.migration.old_cluster import OldCluster, runs_on

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.dockerd import Dockerd
    from tests.support.builds.node import Node

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx", "docker", "kubernetes", "kubectl")
NAMESPACE = "moved"


def test_a_deployment_with_its_secret_and_its_data_runs_on_containerd(
    node: Node, dockerd: Dockerd, apiserver: ApiServer, laptop: Path, tmp_path: Path
) -> None:
    path = tmp_path / "vm" / "data"
    old = OldCluster(dockerd, apiserver, NAMESPACE)
    old.fill(node, tmp_path, path)
    converge("docker")
    source = laptop / f"colima/_lima/colima-{PROFILE}/root{path}"
    source.mkdir(parents=True)
    (source / "words").write_text("kept\n")

    given = {"directory": str(laptop / "moves"), "namespaces": [NAMESPACE], "secrets": True, "images": []}
    found = run_phase("leave", **given)
    assert found["archive"]["images"] == [old.image] and found["archive"]["volumes"] == [f"{NAMESPACE}/data"]
    converge("containerd")
    run_phase("arrive", **given)
    assert run_phase("ready", **given)["verified"]

    runs_on(node, NAMESPACE)
    ps = ["docker", "--host", dockerd.host, "ps", "--all", "--format", "{{.Names}}"]
    assert b"web" not in subprocess.run(ps, capture_output=True, check=True).stdout
    assert run_phase("arrive", **given)["changed"] is False
    node.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
