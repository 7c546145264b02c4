# SPDX-License-Identifier: GPL-3.0-or-later
"""A Deployment whose pod really runs in docker, by a kubelet of before Kubernetes 1.24, goes to a node on containerd."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.services.apiserver import ApiServer
from rehearsal.services.dockerd import Dockerd
from tests.support.builds.images import context_of
from tests.support.builds.node import PAUSE, Node
from tests.support.migration.docker_node import DockerCluster
from tests.support.migration.engines import docker
from tests.support.migration.move import PROFILE, converge, run_phase
from tests.support.migration.old_cluster import OldCluster, runs_on

pytestmark = pytest.mark.real("kubelet-docker", "node", "registry", "buildkit", "buildx", "docker", "kubernetes", "kubectl")
NAMESPACE = "docker-pods"


@pytest.fixture
def cluster(short_path: Path) -> Iterator[DockerCluster]:
    place = short_path / "in-docker"
    place.mkdir()
    found = DockerCluster(place, PAUSE)
    try:
        found.start_engines()
        yield found
    finally:
        found.stop()


@pytest.fixture
def dockerd(cluster: DockerCluster) -> Dockerd:
    return cluster.kubelet.dockerd


@pytest.fixture
def apiserver(cluster: DockerCluster) -> ApiServer:
    return cluster.api


def test_pods_leave_docker_and_their_data_comes_along(
    node: Node, cluster: DockerCluster, laptop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converge("docker")
    dockerd, path = cluster.kubelet.dockerd, tmp_path / "vm" / "data"
    source = laptop / f"colima/_lima/colima-{PROFILE}/root{path}"
    for place in (source, path.parent):
        place.mkdir(parents=True)
    (source / "words").write_text("kept\n")
    subprocess.run(cluster.share(source, path), check=True)
    node.save(PAUSE, context_of(tmp_path / "pause", "sleep", ["infinity"]), tmp_path / "pause.tar")
    docker(dockerd, "load", "--input", str(tmp_path / "pause.tar"))
    cluster.start_kubelet()
    old = OldCluster(dockerd, cluster.api, NAMESPACE)
    # A pod without a network has no address, and a kubelet makes one without an address again and again.
    old.fill(node, tmp_path, path, hostNetwork=True)
    old.kubectl("rollout", "status", "deployment/web", f"--namespace={NAMESPACE}", "--timeout=120s")
    print(old.kubectl("get", "pods", "--all-namespaces", "--output=wide"))
    print(before := docker(dockerd, "ps", "--format={{.Names}}"))
    assert "k8s_app_web-" in before

    inside = json.loads(os.environ["REHEARSAL_INSIDE"])
    inside["docker"]["stop"] = cluster.rest()
    monkeypatch.setenv("REHEARSAL_INSIDE", json.dumps(inside))
    given = {"directory": str(laptop / "moves"), "namespaces": [NAMESPACE], "secrets": True, "images": []}
    assert run_phase("leave", **given)["archive"]["volumes"] == [f"{NAMESPACE}/data"]
    assert docker(dockerd, "ps", "--format={{.Names}}") == ""
    converge("containerd")
    run_phase("arrive", **given)
    assert run_phase("ready", **given)["verified"]
    runs_on(node, NAMESPACE)
    print(node.cluster.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=wide"))
    node.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
