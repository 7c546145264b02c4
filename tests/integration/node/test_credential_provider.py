# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kubelet asks AWS' own credential provider, set up as the profile option does it, and needs no secret."""

from __future__ import annotations

import hashlib
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.ecr_credentials import (
    ARGUMENTS,
    PROGRAM,
    SCRIPTS,
    ecr_settings,
)

from rehearsal.services.ecr import REGION
from tests.support.builds.node import Node
from tests.support.ecr_pull_secret.scenario import HOST

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx", "ecr-credential-provider")
PROFILE = "dev"


def with_aws(node: Node, home: Path) -> None:
    """Give a home directory the AWS profile."""
    keys = node.ecr.environment
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(f"[profile {PROFILE}]\nregion = {REGION}\nendpoint_url = {node.ecr.url}\n")
    (home / ".aws" / "credentials").write_text(
        f"[{PROFILE}]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
    )


@pytest.fixture
def provided(node: Node, engine: Callable[[str], Path], tmp_path: Path) -> Iterator[None]:
    """The kubelet with the arguments that k3s hands on to it, after the script that a VM runs at its start."""
    program, place = engine("ecr-credential-provider"), str(tmp_path / "provider")
    with_aws(node, tmp_path)
    settings = ecr_settings(PROFILE, Host(system="Linux", home=str(tmp_path)), [], [])
    (script,) = (one["script"] for one in settings[SCRIPTS])
    # It takes only the release of AWS; here, only what was built from the same source.
    script = re.sub(r"sum=[0-9a-f]{64}", f"sum={hashlib.sha256(program.read_bytes()).hexdigest()}", script)
    usual = posixpath.dirname(posixpath.dirname(PROGRAM))
    (tmp_path / "provider" / "bin").mkdir(parents=True)
    (tmp_path / "provider" / "bin" / program.name).symlink_to(program)
    subprocess.run(["sh", "-c", script.replace(usual, place)], check=True)
    node.cluster.start_kubelet([flag.replace(usual, place) for flag in settings[ARGUMENTS]])
    yield
    node.cluster.start_kubelet()


def run(node: Node, pod: str) -> None:
    """Run a pod of an image that only the registry has, in a namespace of its own, which has no secret."""
    image = f"{HOST}/{pod}:1"
    node.push(image)
    node.cluster.api.namespace(pod)
    node.cluster.kubectl("run", pod, f"--namespace={pod}", f"--image={image}")


def runs(node: Node, pod: str) -> None:
    """Wait until the pod runs."""
    node.cluster.kubectl("wait", f"pod/{pod}", f"--namespace={pod}", "--for=condition=Ready", "--timeout=90s")


@pytest.mark.usefixtures("provided")
def test_a_pod_without_a_secret_runs(node: Node) -> None:
    asked = node.ecr.calls
    run(node, "provided")
    runs(node, "provided")
    assert node.ecr.calls == asked + 1
    assert node.cluster.kubectl("get", "secrets", "--namespace=provided", "--output=name") == ""


@pytest.mark.usefixtures("provided")
def test_what_aws_refuses_shows_in_the_events_and_the_pod_runs_once_it_is_allowed(node: Node) -> None:
    node.ecr.configure(fail="AccessDeniedException", times=100)
    run(node, "denied")
    assert "401 Unauthorized" in node.refusal("denied")
    node.ecr.configure()
    runs(node, "denied")
