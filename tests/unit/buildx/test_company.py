# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network for builders in a container: added, found again, taken out; a user's own goes before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.buildx.company import in_company, network_of
from ansible_collections.laptop.containers.plugins.module_utils.buildx.config import BuildkitConfig, config_from
from ansible_collections.laptop.containers.plugins.module_utils.buildx.model import Builder, BuilderNetwork, Node
from ansible_collections.laptop.containers.plugins.module_utils.company.network import CompanyNetwork, Mirror, Proxy

PLAIN = Builder("multi", "docker-container", (Node("multi0", "colima-buildx"),))
PROXY = Proxy(https="http://127.0.0.1:3128")


@pytest.fixture
def network(tmp_path: Path) -> BuilderNetwork:
    """A proxy, a mirror and authorities."""
    bundle = tmp_path / "authorities.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    return network_of(CompanyNetwork(proxy=PROXY, mirrors=(Mirror("docker.io", "https://harbor.corp/hub"),)), str(bundle))


def test_a_builder_gets_proxy_authorities_and_mirrors(network: BuilderNetwork) -> None:
    (node,) = in_company(PLAIN, None, network).nodes
    assert node.driver_opts is not None and node.config is not None
    assert node.driver_opts["env.https_proxy"] == "http://192.168.5.2:3128"
    assert node.driver_opts["env.SSL_CERT_FILE"] == "/etc/buildkit/certs/laptop.containers/authorities.pem"
    assert node.config.inside is not None
    assert node.config.inside["registry"]["docker.io"] == {"mirrors": ["harbor.corp/hub"]}
    assert node.config.inside["registry"]["laptop.containers"]["ca"] == [node.driver_opts["env.SSL_CERT_FILE"]]


def test_a_mirror_on_the_laptop_is_asked_there_and_without_tls() -> None:
    (node,) = in_company(
        PLAIN, None, network_of(CompanyNetwork(mirrors=(Mirror("docker.io", "http://localhost:5500"),)), "")
    ).nodes
    assert node.config is not None and node.config.inside is not None
    registries = node.config.inside["registry"]
    assert registries["docker.io"] == {"mirrors": ["192.168.5.2:5500"]} and registries["192.168.5.2:5500"] == {"http": True}


def test_a_second_run_wants_the_same(network: BuilderNetwork) -> None:
    made = in_company(PLAIN, None, network)
    assert in_company(PLAIN, made, network) == made


def test_without_a_company_nothing_is_stated() -> None:
    assert in_company(PLAIN, PLAIN, BuilderNetwork()) == PLAIN
    assert in_company(PLAIN, PLAIN, None) == PLAIN


def test_what_was_added_comes_out_and_what_a_user_added_stays(network: BuilderNetwork) -> None:
    own = replace(PLAIN, nodes=(replace(PLAIN.nodes[0], driver_opts={"network": "host"}),))
    made = in_company(PLAIN, own, network)
    (node,) = in_company(PLAIN, made, BuilderNetwork()).nodes
    assert node.driver_opts == {"network": "host"}
    assert node.config == BuildkitConfig({})


def test_a_configuration_of_the_user_s_stays(network: BuilderNetwork) -> None:
    config = config_from({"debug": True})
    own = replace(PLAIN, nodes=(replace(PLAIN.nodes[0], config=config, driver_opts={"env.https_proxy": "http://mine:1"}),))
    (node,) = in_company(own, None, network).nodes
    assert node.config == config
    assert node.driver_opts is not None
    assert node.driver_opts["env.https_proxy"] == "http://mine:1"
    assert "env.SSL_CERT_FILE" not in node.driver_opts


def test_other_drivers_stay_as_they_are(network: BuilderNetwork) -> None:
    remote = replace(PLAIN, driver="remote")
    assert in_company(remote, None, network) == remote
