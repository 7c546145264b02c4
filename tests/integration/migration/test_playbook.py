# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that moves in, against the light lab: its plan, the copy, the switch, the comparison, and the way back."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.lab.laptop import Lab
from rehearsal.standin.docker_engine.server import Server
from rehearsal.standin.kube_api import KubeApi
from tests.support.lab_playbooks import light_lab, play, statuses, tool

PLAYBOOK = "playbooks/migrate.yml"
OLD = ("-e", "migrate_source=desktop-linux")
IMAGE = {"Id": f"sha256:{'1' * 64}", "RepoTags": ["web:1"], "Size": 5 << 20, "Created": 1700000000}
LEFTOVERS = {"credsStore": "desktop", "currentContext": "desktop-linux", "psFormat": "kept"}


@pytest.fixture(scope="module")
def up() -> Iterator[Lab]:
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml", "--tags", "colima")
        server = Server(lab.directory / "desktop.sock", lab.directory / "desktop")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (lab.directory / "desktop/images.json").write_text(json.dumps([IMAGE]))
        tool(lab, "docker", "context", "create", "desktop-linux", "--docker", f"host=unix://{lab.directory}/desktop.sock")
        yield lab
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def cluster(up: Lab) -> Iterator[KubeApi]:
    """The old engine's Kubernetes, beside the profile's in the kubeconfig."""
    api = KubeApi(up.directory / "desktop-cluster", name="docker-desktop").start()
    api.namespace("shop")
    file = up.home / ".kube/config"
    config, more = (yaml.safe_load(path.read_text()) for path in (file, api.kubeconfig))
    file.write_text(yaml.safe_dump({**config, **{part: config[part] + more[part] for part in ("clusters", "contexts", "users")}}))
    yield api
    api.kill()


@pytest.fixture
def lab(up: Lab) -> Lab:
    """The lab as the old engine's installer has left it."""
    for file in (images(up), images(up).with_name("volumes.json")):
        file.unlink(missing_ok=True)
    (up.home / ".docker/config.json").write_text(json.dumps(LEFTOVERS))
    return up


def images(lab: Lab) -> Path:
    return lab.home / ".colima/_lima/_disks/colima-docker-buildx/data/engine/images.json"


def config(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((lab.home / ".docker/config.json").read_text())
    return found


@pytest.mark.parametrize("how", [["--check"], ["--tags", "plan"]])
def test_check_mode_and_its_tag_are_the_plan(lab: Lab, how: list[str]) -> None:
    printed = play(lab, PLAYBOOK, *how, *OLD)
    assert "copy image 'web:1' (5 MiB)" in printed
    said = " ".join(printed.split())
    assert re.search(r"The move needs 10 MiB at the target(, where \S+ \S+ are free)?\. ", said)
    assert "While it packs images, the source needs up to 5 MiB more." in said
    assert config(lab) == LEFTOVERS and not images(lab).exists()


def test_the_inventory_tells_what_there_is_and_changes_nothing(lab: Lab) -> None:
    settings = {**LEFTOVERS, "auths": {"registry.example": {"auth": "bWU6c2VjcmV0"}}}
    (lab.home / ".docker/config.json").write_text(json.dumps(settings))
    printed = play(lab, PLAYBOOK, "--tags", "inventory", *OLD)
    for words in ("1 image (5 MiB)", "desktop-linux", "all with the helper 'desktop'", "registry.example in config.json"):
        assert words in printed
    assert "bWU6c2VjcmV0" not in printed and config(lab) == settings and not images(lab).exists()


def test_a_profile_on_containerd_is_a_source_by_its_name(lab: Lab) -> None:
    printed = play(lab, PLAYBOOK, "--tags", "inventory", "-e", "migrate_source=k8s")
    assert "0 images" in printed and "0 containers, of which these run: none" in printed
    assert "changed=0" in play(lab, PLAYBOOK, "--tags", "copy", "-e", "migrate_source=k8s")


def test_volumes_of_a_profile_get_snapshots(lab: Lab) -> None:
    images(lab).with_name("volumes.json").write_text(json.dumps([{"Name": "db", "Driver": "local", "Mountpoint": "/v/db/_data"}]))
    printed = play(lab, "playbooks/snapshot.yml", "--check", "-e", "snapshot_volumes=db", "-e", "snapshot_name=one")
    assert "copy volume 'db' as 'one'" in printed


@pytest.mark.usefixtures("cluster")
def test_what_runs_in_the_old_engines_kubernetes_moves_where_it_is_named(lab: Lab) -> None:
    named = (*OLD, "-e", "migrate_cluster=docker-desktop")
    printed = play(lab, PLAYBOOK, "--tags", "plan", *named)
    assert "create 1 object of the whole cluster (1 Namespace)" in printed
    play(lab, PLAYBOOK, "--tags", "copy", *named)
    assert "changed=0" in play(lab, PLAYBOOK, "--tags", "verify", *named)
    tool(lab, "kubectl", "--context", "colima-k8s", "get", "namespace", "shop")


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"migrate_source": "desktop-linux", "migrate_cluster": "dokcer-desktop"}, "find kube context 'dokcer-desktop'"),
        (
            {"migrate_source": "k8s", "migrate_cluster": "docker-desktop"},
            "FAILED settings: Could not move what runs in the Kubernetes of profile 'k8s': its runtime is containerd. Name an "
            "engine whose runtime is docker as migrate_source, or leave migrate_cluster empty.",
        ),
        (
            {"migrate_source": "desktop-linux", "migrate_cluster": "colima-k8s"},
            "FAILED settings: Could not move a cluster to itself: kube context 'colima-k8s' is the cluster of profile 'k8s'.",
        ),
        ({"migrate_source": "desktop-linus"}, "find the engine 'desktop-linus'"),
        (
            {"migrate_source": "desktop-linux", "migrate_target": "docker-bildx"},
            "move to profile 'docker-bildx': there is no such profile. There are: docker-buildx, k8s. Did you mean",
        ),
    ],
)
def test_a_cluster_or_a_source_that_is_not_there_is_named_before_anything_moves(
    lab: Lab, settings: dict[str, str], said: str
) -> None:
    printed = " ".join(play(lab, PLAYBOOK, "-e", json.dumps(settings), code=2).split())
    assert said in printed and not images(lab).exists() and config(lab) == LEFTOVERS


def test_moving_in_switches_and_goes_back(lab: Lab) -> None:
    play(lab, PLAYBOOK, *OLD)
    (arrived,) = json.loads(images(lab).read_text())
    assert (arrived["Id"], arrived["RepoTags"]) == (IMAGE["Id"], ["web:1"])
    after = config(lab)
    assert (after["currentContext"], after["psFormat"]) == ("colima-buildx", "kept")
    again = play(lab, PLAYBOOK, *OLD)
    assert "changed=0" in again and "The move needs" not in again
    assert "The move needs" not in play(lab, PLAYBOOK, "--check", *OLD)
    printed = play(lab, PLAYBOOK, "--tags", "verify", *OLD)
    assert "changed=0" in printed and "1 image and 0 volumes are the same on both sides" in printed
    play(lab, PLAYBOOK, "--tags", "rollback", *OLD)
    back = config(lab)
    assert (back["currentContext"], back["psFormat"]) == ("desktop-linux", "kept")
    # Its program is not there: docker would fail on it.
    assert "credsStore" not in after and "credsStore" not in back
    assert json.loads(images(lab).read_text()) == [arrived]


def test_an_old_profile_goes_by_its_name_once_all_of_it_has_moved(lab: Lab) -> None:
    tool(lab, "colima", "start", "old", "--cpus", "1", "--memory", "1")
    data = lab.home / ".colima/_lima/_disks/colima-old"
    (data / "data/engine/images.json").write_text(json.dumps([{**IMAGE, "Id": f"sha256:{'2' * 64}", "RepoTags": ["old:1"]}]))
    of_it = ("-e", "migrate_source=colima-old")
    retire = (PLAYBOOK, "--tags", "retire", *of_it)
    assert "not at the target: image 'old:1'" in " ".join(play(lab, *retire, "-e", "migrate_confirm=colima-old", code=2).split())
    play(lab, PLAYBOOK, *of_it)
    assert "Repeat its name: -e migrate_confirm=colima-old." in " ".join(play(lab, *retire, code=2).split())
    assert "would change   delete the VM and all images and volumes of profile 'old'" in play(
        lab, *retire, "-e", "migrate_confirm=colima-old", "--check"
    )
    assert data.exists()
    play(lab, *retire, "-e", "migrate_confirm=colima-old")
    assert not data.exists() and "old" not in statuses(lab)


def test_of_another_engine_is_said_that_nothing_in_it_is_needed(lab: Lab) -> None:
    play(lab, PLAYBOOK, *OLD)
    printed = play(lab, PLAYBOOK, "--tags", "retire", *OLD, "-e", "migrate_confirm=desktop-linux")
    assert "everything else with a name is at the target" in printed and "changed=0" in printed
    assert "colima did not make it" in printed


def test_a_profile_whose_settings_keep_docker_is_not_moved_whatever_the_command_line_says(up: Lab) -> None:
    # What was deleted by name is kept for days, in the same place.
    place = up.home / ".colima/_lima/_laptop.containers/kept"
    kept = set(place.glob("*"))
    asked = ("-e", "move_profile=docker-buildx", "-e", "move_runtime=containerd")
    said = " ".join(play(up, "playbooks/move.yml", *asked, code=2).split())
    assert "Could not move profile 'docker-buildx' to another runtime: its settings do not say runtime: containerd." in said
    assert statuses(up)["docker-buildx"] == "Running"
    assert set(place.glob("*")) == kept


def test_a_profile_is_moved_where_its_override_says_so(lab: Lab) -> None:
    over = ("-e", json.dumps({"colima_profile_overrides": {"colima-docker-buildx": {"runtime": "containerd"}}}))
    said = " ".join(play(lab, "playbooks/workstation.yml", "--tags", "colima", *over, code=2).split())
    assert "ansible-playbook playbooks/move.yml -e move_profile=docker-buildx' do it" in said
    for command in (
        ("playbooks/move.yml", "-e", "move_profile=docker-buildx"),
        ("playbooks/workstation.yml", "--tags", "colima", "-e", "colima_on_fixed_change=recreate"),
    ):
        said = " ".join(play(lab, *command, *over, "--check").split())
        assert "keep the VM of profile 'docker-buildx' (aside, as 'docker-buildx-docker')" in said, said


def test_the_default_profiles_say_their_runtime_to_a_move(up: Lab) -> None:
    said = " ".join(play(up, "playbooks/move.yml", "-e", "move_profile=k8s").split())
    assert "changed=0" in said
