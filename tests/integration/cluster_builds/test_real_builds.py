# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds that go straight into a cluster's images: real containerd, BuildKit, buildx and nerdctl, set up by the playbook."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rehearsal.lab.laptop import Lab
from tests.support.builds.images import context_of
from tests.support.lab_playbooks import lab_of_grade, play, tool
from tests.support.pages import snippet

pytestmark = pytest.mark.real("docker-cli", "containerd", "kubernetes", "buildx", "buildkit")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "build-into-the-cluster.md"
STRAIGHT = ("docker", "buildx", "build", "--builder", "k8s", "--output", "type=image,unpack=true")


def settings(build: bool) -> str:
    """Return a profile and a builder of it."""
    kubernetes = {"enabled": True, "build": build}
    profile = {"name": "k8s", "runtime": "containerd", "cpu": 2, "memory": 4, "kubernetes": kubernetes}
    return json.dumps({"colima_profiles": [profile], "buildx_builders": [{"name": "k8s", "profile": "k8s"}]})


class Cluster:
    """A lab whose profile k8s builds into its cluster."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def converge(self, build: bool) -> str:
        """Run the playbook for the profile and the builder."""
        return play(self.lab, "playbooks/workstation.yml", "--tags", "colima,docker_cli,buildx", "-e", settings(build))

    def type(self, *argv: str) -> str:
        """Type a command on the laptop."""
        return tool(self.lab, *argv)

    def nerdctl(self, *argv: str) -> str:
        """Type a command of nerdctl for the containers of the cluster."""
        return self.type("colima", "nerdctl", "--profile", "k8s", "--", "--namespace", "k8s.io", *argv)

    def images(self) -> set[str]:
        """The names under which containerd keeps the cluster's images, as the kubelet looks for them."""
        from rehearsal.services.containerd import Containerd

        realm = Containerd(self.lab.directory / "run" / "colima-k8s" / "containerd", self.lab.home / ".colima" / "k8s")
        argv = realm.inside(["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"])
        return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())

    def says(self, image: str) -> str:
        """What a container of an image says; it is never pulled."""
        return self.nerdctl("run", "--rm", "--net", "none", "--pull", "never", image, "/words").strip()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with lab_of_grade("real") as lab:
        yield Cluster(lab)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A build context whose image says its words, in a layer of their own."""
    return context_of(tmp_path / "app", "cat")


def test_what_is_built_runs_in_the_cluster_without_a_registry_and_so_does_what_is_edited(cluster: Cluster, app: Path) -> None:
    cluster.converge(True)
    assert "changed=0" in cluster.converge(True)
    for words in ("one", "two"):
        (app / "words").write_text(words)
        cluster.type(*STRAIGHT, "--tag", "docker.io/me/app:dev", str(app))
        assert cluster.says("docker.io/me/app:dev") == words
    assert "docker.io/me/app:dev" in cluster.images()


def test_buildx_takes_names_as_they_are_and_nerdctl_completes_them(cluster: Cluster, app: Path) -> None:
    cluster.converge(True)
    cluster.type(*STRAIGHT, "--tag", "me/trap:dev", str(app))
    assert "me/trap:dev" in cluster.images() and "docker.io/me/trap:dev" not in cluster.images()
    said = cluster.nerdctl("build", "--progress", "plain", "--tag", "me/short:dev", str(app))
    assert "docker.io/me/short:dev" in cluster.images()
    assert cluster.says("me/short:dev") == "one", said


@pytest.mark.long("builds four times; the other tests of the file build as well")
def test_a_cache_of_before_does_not_break_the_builds_of_either_side(cluster: Cluster, app: Path) -> None:
    # BuildKit's records of one namespace name snapshots that another does not have.
    for number, build in enumerate((False, True, False)):
        cluster.converge(build)
        (app / "words").write_text(str(number))
        cluster.nerdctl("build", "--quiet", "--tag", "both:dev", str(app))
        assert cluster.says("both:dev") == str(number)


@pytest.mark.parametrize(("language", "name"), [("hcl", "docker-bake.hcl"), ("yaml", "compose.yaml")])
def test_a_file_holds_what_the_command_line_would(cluster: Cluster, app: Path, language: str, name: str) -> None:
    cluster.converge(True)
    (app / name).write_text(snippet(PAGE, language, "me/app:dev").replace("me/app:dev", f"me/{language}:dev"))
    bake = 'export BUILDX_BUILDER=k8s && cd "$0" && docker buildx bake'
    cluster.type("sh", "-c", bake, str(app))
    assert cluster.says(f"docker.io/me/{language}:dev") == "one"


def test_the_settings_of_the_page_are_taken(cluster: Cluster) -> None:
    page = yaml.safe_load(snippet(PAGE, "yaml", "colima_profiles"))
    plan = play(cluster.lab, "playbooks/workstation.yml", "--tags", "colima,buildx", "--check", "-e", json.dumps(page))
    assert "create builder 'multi-platform'" in plan


def test_teardown_takes_builder_and_file_away(cluster: Cluster) -> None:
    cluster.converge(True)
    file = cluster.lab.home / ".colima" / "k8s" / "containerd" / "buildkitd.toml"
    builder = cluster.lab.home / ".docker" / "buildx" / "instances" / "k8s"
    assert file.exists() and f"unix://{file.parents[1]}/buildkitd.sock" in builder.read_text()
    play(cluster.lab, "playbooks/teardown.yml", "-e", settings(True))
    assert not file.exists() and not builder.exists()
