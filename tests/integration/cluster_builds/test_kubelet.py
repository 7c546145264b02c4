# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kubelet runs what was just built, and finds only complete names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.cluster_builds import BuildkitFiles

from rehearsal.processes.system import comes_true
from rehearsal.services.kubelet import FLAGS, Kubelet
from tests.support.builds.images import context_of

pytestmark = pytest.mark.real("kubelet", "buildkit", "buildx")
PAUSE = "docker.io/library/pause:dev"
SECONDS = 60.0


def machine() -> dict[str, str]:
    """What a kubelet would change outside of its own directory."""
    flags = {flag: file.read_text() for flag in FLAGS if (file := Path("/proc/sys", flag)).exists()}
    places = {place: str(Path(place).exists()) for place in ("/var/lib/kubelet", "/var/log/pods", "/usr/libexec/kubernetes")}
    save = shutil.which("iptables-save")
    rules = subprocess.run([save], capture_output=True, text=True, check=True).stdout if save else ""
    return {**flags, **places, "rules": "\n".join(line for line in rules.splitlines() if "KUBE-" in line)}


class Node:
    """A node, and a builder on its BuildKit."""

    def __init__(self, kubelet: Kubelet, home: Path) -> None:
        self.kubelet = kubelet
        self.before = machine()
        self.environment = {**os.environ, "HOME": str(home), "DOCKER_CONFIG": str(home / ".docker")}

    def buildx(self, *argv: str) -> None:
        done = subprocess.run(
            ["docker", "buildx", *argv], env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    def build(self, image: str, context: Path) -> None:
        self.buildx("build", "--builder", "k8s", "--output", "type=image,unpack=true", "--tag", image, str(context))


@pytest.fixture(scope="module")
def node(short_path: Path, engine: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    place, home = short_path / "node", tmp_path_factory.mktemp("node")
    place.mkdir()
    (place / "buildkitd.toml").write_text(BuildkitFiles().rendered())
    kubelet = Kubelet(place, PAUSE, place / "buildkitd.toml")
    plugins = home / ".docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(engine("docker-buildx"))
    try:
        kubelet.containerd.start()
        node = Node(kubelet, home)
        node.buildx("create", "--name", "k8s", "--driver", "remote", f"unix://{kubelet.containerd.buildkit_socket}")
        node.build(PAUSE, context_of(home / "pause", "sleep", ["infinity"]))
        kubelet.start()
        yield node
    finally:
        kubelet.stop()


def test_the_next_pod_runs_what_was_just_built_and_edited(node: Node, tmp_path: Path) -> None:
    context = context_of(tmp_path / "app", "cat", ["/words"])
    for words in ("one", "two"):
        (context / "words").write_text(words)
        node.build("docker.io/me/app:dev", context)
        node.kubelet.run(words, "me/app:dev")
        assert comes_true(partial(node.kubelet.has_said, words, words), SECONDS), node.kubelet.daemon.last_words(20)


def test_a_name_without_its_registry_is_not_found(node: Node, tmp_path: Path) -> None:
    node.build("me/trap:dev", context_of(tmp_path / "app", "cat", ["/words"]))
    node.kubelet.run("trap", "me/trap:dev")
    sentence = 'ErrImageNeverPull: Container image \\"me/trap:dev\\" is not present'
    assert comes_true(lambda: sentence in node.kubelet.said_itself(), SECONDS), node.kubelet.daemon.last_words(20)
    assert node.kubelet.said("trap") == ""


def test_the_kubelet_changes_nothing_of_this_machine(node: Node) -> None:
    assert node.kubelet.daemon.pid is not None
    assert machine() == node.before
