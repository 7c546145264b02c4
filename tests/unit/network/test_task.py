# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of authorities: written once while each address is asked once, and never without those of the system."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.company.network import Proxy
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run as run_subject
from ansible_collections.laptop.containers.plugins.module_utils.core.system.proxies import proxies_around, proxy_file
from ansible_collections.laptop.containers.plugins.module_utils.ecr.session import session_of
from ansible_collections.laptop.containers.plugins.module_utils.network.pods import config_maps
from ansible_collections.laptop.containers.plugins.module_utils.network.task import Network
from botocore.exceptions import ClientError, EndpointConnectionError, ProxyConnectionError

from rehearsal.services.certificates import Authority
from tests.support.network.company_proxy import REGISTRY, company_proxy
from tests.support.network.web_server import web_server

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".local/state/laptop.containers/authorities.pem"


@pytest.fixture
def authority(tmp_path: Path) -> str:
    return str(Authority(tmp_path / "company").certificate_file)


def run(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in Network.argument_spec.items()}
    found: dict[str, Any] = run_subject(Network(), {**defaults, **given}, check_mode=False)
    return found


def test_each_address_is_asked_once_also_where_the_file_changes(bundle: Path, authority: str) -> None:
    with web_server() as (url, paths):
        found = run(authorities=[authority], probes=[f"{url}/v2/"])
    assert found["changed"] and bundle.read_text().count("BEGIN CERTIFICATE") > 100
    assert paths == ["/v2/"]
    assert [cell["reach"] for cell in found["matrix"]] == ["reached"]


def test_a_company_s_authorities_never_stand_alone(bundle: Path, authority: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "certifi", None)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(WorkstationError, match="Could not find 'certifi'"):
        run(authorities=[authority])
    assert not bundle.exists()


def test_aws_is_asked_through_the_company_s_proxy(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with company_proxy() as proxy:
        given = {"authorities": [proxy.certificate], "https_proxy": proxy.url}
        assert len(run(**given)["actions"]) == 2 and not run(**given)["changed"]

        def ask() -> None:
            proxy.asked.clear()
            client = session_of("").create_client("ecr", region_name="eu-central-1", endpoint_url=f"https://{REGISTRY}")
            with pytest.raises((ClientError, EndpointConnectionError, ProxyConnectionError)):
                client.get_authorization_token()

        ask()
        assert set(proxy.asked) == {f"{REGISTRY}:443/"}
        # A variable goes before, as one of the shell's does for every program.
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        ask()
        assert proxy.asked == []
        monkeypatch.delenv("HTTPS_PROXY")
        run(**given, no_proxy=[REGISTRY])
        ask()
        assert proxy.asked == []
    assert len(run(state="absent")["actions"]) == 2
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["lock"]


@pytest.mark.parametrize(
    ("around", "proxies"),
    [
        ({}, {"https": "http://company:1", "no": "localhost"}),
        ({"no_proxy": "mine"}, {"https": "http://company:1", "no": "localhost,mine"}),
        ({"https_proxy": "http://mine:2"}, {"https": "http://mine:2"}),
        ({"ALL_PROXY": "http://mine:2"}, {"all": "http://mine:2", "https": "http://company:1", "no": "localhost"}),
    ],
)
def test_a_proxy_of_the_environment_goes_before(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, around: dict[str, str], proxies: dict[str, str]
) -> None:
    for name in ("no_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    bundle.parent.mkdir(parents=True)
    proxy_file().write_text("# laptop.containers\nhttps_proxy=http://company:1\nno_proxy=localhost\n")
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert proxies_around() == proxies
    # As the laptop is asked, before that file is written.
    proxy_file().unlink()
    assert proxies_around({"https": "http://company:1", "no": "localhost"}) == proxies


@pytest.mark.parametrize("kind", ["link", "directory", "foreign"])
def test_a_file_of_another_program_stays(bundle: Path, authority: str, tmp_path: Path, kind: str) -> None:
    bundle.parent.mkdir(parents=True)
    other = tmp_path / "other.pem"
    other.write_text("theirs\n")
    if kind == "link":
        bundle.symlink_to(other)
    elif kind == "directory":
        bundle.mkdir()
    else:
        bundle.write_text("theirs\n")
    with pytest.raises(WorkstationError, match=f"Could not write '{bundle}': it is another program's file"):
        run(authorities=[authority])
    assert other.read_text() == "theirs\n" and bundle.is_symlink() == (kind == "link")
    assert not run()["changed"]


def test_pods_of_the_profile_without_a_name_of_its_own_have_its_gateway() -> None:
    profile = {"name": "default", "network": {"gateway_address": "10.9.8.2"}}
    ((_place, data),) = config_maps("colima", ["default"], "", Proxy(https="http://127.0.0.1:3128"), [profile]).items()
    assert data["https_proxy"] == "http://10.9.8.2:3128"


def test_each_setting_of_a_company_switches_the_role_on() -> None:
    variables = yaml.safe_load((ROOT / "roles/network/vars/main.yml").read_text())
    assert re.findall(r"network_\w+", variables["__network_is_on"]) == re.findall(
        r"network_\w+", str(variables["__network_company"])
    )
