# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network on real guests: before its settings nothing gets out, with them everything does, then nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes.system import comes_true
from tests.support.colima.real_machines import Machines
from tests.support.network.company_proxy import REGISTRY, CompanyProxy, company_proxy
from tests.support.network.guest_matrix import kinds, matrix
from tests.support.network.hub_cache import IMAGE, hub_cache

pytestmark = pytest.mark.long("two boots of two VMs; tests/integration/network on this machine's own engines")
PROBE = f"https://{REGISTRY}/v2/"
GUESTS = {("VM", "k8s"), ("BuildKit", "k8s"), ("VM", "docker-buildx"), ("docker", "docker-buildx"), ("BuildKit", "docker-buildx")}
OURS = "find /etc /usr/local/share/ca-certificates -path '*laptop.containers*' -type f"


@pytest.fixture(scope="module")
def proxy() -> Iterator[CompanyProxy]:
    """The company's proxy."""
    with company_proxy() as running:
        yield running


@pytest.fixture(scope="module")
def settings(proxy: CompanyProxy) -> dict[str, Any]:
    """What a user behind it sets."""
    return {
        "network_authorities": [proxy.certificate],
        "network_https_proxy": proxy.url,
        "network_no_proxy": [".direct.example"],
        "network_mirrors": [{"registry": "docker.io", "url": f"https://{REGISTRY}"}],
        "network_probes": [PROBE],
    }


def play(laptop: Machines, settings: dict[str, Any]) -> int:
    given = json.dumps({**settings, "colima_restart": "always"})
    return laptop.play("playbooks/workstation.yml", "--tags", "colima,network", "-e", given).changed


def all_of(kind: str) -> dict[tuple[str, str], str]:
    return dict.fromkeys(GUESTS, kind)


def test_nothing_gets_out_before(laptop: Machines) -> None:
    assert set(kinds(matrix(laptop, PROBE)).values()).isdisjoint({"reached"})


def test_everything_gets_out_with_its_settings(laptop: Machines, proxy: CompanyProxy, settings: dict[str, Any]) -> None:
    assert play(laptop, settings)
    proxy.asked.clear()
    found = matrix(laptop, PROBE)
    assert kinds(found) == all_of("reached"), found
    assert any(path.endswith("/manifests/latest") for path in proxy.asked)


def test_a_second_run_changes_nothing(laptop: Machines, settings: dict[str, Any]) -> None:
    assert play(laptop, settings) == 0


def test_images_of_docker_hub_are_asked_for_at_the_mirror(laptop: Machines, proxy: CompanyProxy) -> None:
    proxy.asked.clear()
    laptop.run("docker", "--context", "colima-docker-buildx", "pull", "docker.io/team/none", code=None)
    laptop.run("colima", "nerdctl", "--profile", "k8s", "--", "pull", "docker.io/team/none", code=None)
    assert [path for path in proxy.asked if path.startswith(f"{REGISTRY}:443/v2/team/none")]


def test_another_authority_is_told_as_that(laptop: Machines, proxy: CompanyProxy, tmp_path: Path) -> None:
    with proxy.another_authority(tmp_path):
        found = matrix(laptop, PROBE)
    assert kinds(found) == all_of("authority"), found


def test_an_unknown_name_is_told_as_that(laptop: Machines) -> None:
    found = matrix(laptop, "https://nowhere.direct.example/v2/")
    assert kinds(found) == all_of("name"), found


def test_a_proxy_that_is_gone_is_told_as_that(laptop: Machines, proxy: CompanyProxy) -> None:
    proxy.stop()
    found = matrix(laptop, PROBE)
    assert kinds(found) == all_of("proxy"), found


def test_both_vms_pull_an_image_through_one_cache(laptop: Machines) -> None:
    with hub_cache() as cache:
        assert play(laptop, {"network_mirrors": [{"registry": "docker.io", "url": cache.url}]})
        laptop.run("docker", "--context", "colima-docker-buildx", "pull", f"docker.io/{IMAGE}")
        assert comes_true(cache.is_filled, 60)
        cache.hub.kill()
        laptop.run("colima", "nerdctl", "--profile", "k8s", "--", "pull", f"docker.io/{IMAGE}")


def test_nothing_is_left_without_them(laptop: Machines) -> None:
    assert play(laptop, {})
    assert play(laptop, {}) == 0
    for profile in ("k8s", "docker-buildx"):
        assert laptop.inside(profile, "sudo", "sh", "-c", OURS).split() == ["/etc/laptop.containers/files"]
        assert "https_proxy" not in laptop.inside(
            profile, "sudo", "sh", "-c", "env; systemctl show --property Environment containerd"
        )
