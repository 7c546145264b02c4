# SPDX-License-Identifier: GPL-3.0-or-later
"""A builder whose BuildKit runs in pods of a real node."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds.engine_with_buildkit import packed
from tests.support.builds.node import Node
from tests.support.in_process_module import ModuleRun

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx")
IMAGE = "docker.io/me/buildkit:packed"
# What a busy machine may need for a pod that starts.
PATIENT = 180.0


@pytest.mark.long("builds in pods; tests/contract/docker/test_builders.py keeps its contract")
def test_a_builder_in_pods_builds_for_two_platforms_and_goes(
    node: Node, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: Any
) -> None:
    run = ModuleRun(capsys)
    plugins = home / ".docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(engine("docker-buildx"))
    image = tmp_path / "buildkit"
    image.mkdir()
    (image / "root.tar").write_bytes(packed())
    (image / "Dockerfile").write_text('FROM scratch\nADD root.tar /\nENV PATH=/usr/bin\nENTRYPOINT ["/usr/bin/buildkitd"]\n')
    node.build(IMAGE, image)
    options = {"image": IMAGE}
    builder = {"name": "pods", "driver": "kubernetes", "endpoint": str(node.cluster.api.kubeconfig), "bootstrap": True}
    made = run("buildx_builder", builders=[{**builder, "driver_opts": options}], timeout=PATIENT)
    assert not made.get("failed"), made
    assert made["builders"][0]["nodes"][0]["status"] == "running"
    more = {**builder, "driver_opts": {**options, "replicas": 2}}
    held = run("buildx_builder", builders=[more], timeout=PATIENT)
    assert "does not tell whether a build is running" in held["pending"][0]["reason"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    archive = tmp_path / "image.tar"
    argv = ["docker", "buildx", "--builder", "pods", "build", "--platform", "linux/amd64,linux/arm64"]
    subprocess.run([*argv, "-o", f"type=oci,dest={archive}", str(tmp_path)], check=True, timeout=PATIENT)
    assert archive.exists()
    gone = run("buildx_builder", builders=[{"name": "pods", "state": "absent"}], timeout=PATIENT)
    assert gone["actions"] == ["remove builder 'pods'"]
    assert node.cluster.kubectl("get", "deployments", "--output=name") == ""
