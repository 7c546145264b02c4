# SPDX-License-Identifier: GPL-3.0-or-later
"""The role network in the lab: settings that reach profiles and builders, come out again, and are refused as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.lab.laptop import Lab
from rehearsal.services.certificates import Authority
from tests.support.lab_playbooks import ROOT, light_lab, play, warned

WORKSTATION = "playbooks/workstation.yml"
PROFILES = ("k8s", "docker-buildx")
PRINTED = re.findall(r"^```yaml\n(network_.*?)^```", (ROOT / "docs" / "network.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab whose workstation is converged."""
    with light_lab() as up:
        play(up, WORKSTATION)
        yield up


@pytest.fixture(scope="module")
def before(lab: Lab) -> dict[str, bytes]:
    """The user's files before any setting of the network."""
    return files(lab)


@pytest.fixture(scope="module")
def settings(lab: Lab) -> dict[str, Any]:
    """What a user behind a proxy that decrypts TLS sets."""
    authority = Authority(lab.directory / "company")
    return {
        "network_authorities": [str(authority.certificate_file)],
        "network_https_proxy": "http://127.0.0.1:1",
        "network_dns_domains": {"corp.example": ["10.0.0.53"]},
        "network_mirrors": [{"registry": "docker.io", "url": "https://mirror.corp.example/hub"}],
        "network_probes": [],
    }


def run(lab: Lab, settings: dict[str, Any], *arguments: str, code: int = 0) -> str:
    return play(lab, WORKSTATION, "-e", json.dumps({"colima_restart": "always", **settings}), *arguments, code=code)


def files(lab: Lab) -> dict[str, bytes]:
    """Return the contents of the files that people and tools of theirs read."""
    patterns = (".colima/*/colima.yaml", ".docker/config.json", ".docker/contexts/**/meta.json", ".kube/*", ".local/bin/*")
    found = [path for pattern in patterns for path in lab.home.glob(pattern) if path.is_file()]
    return {str(path.relative_to(lab.home)): path.read_bytes() for path in sorted([*found, *bundle(lab).parent.glob("*.pem")])}


def configured(lab: Lab, profile: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((lab.home / ".colima" / profile / "colima.yaml").read_text())
    return found


def bundle(lab: Lab) -> Path:
    return lab.home / ".local/state/laptop.containers/authorities.pem"


def test_check_mode_shows_it_and_changes_nothing(lab: Lab, before: dict[str, bytes], settings: dict[str, Any]) -> None:
    said = run(lab, settings, "--check", "--diff")
    assert "provision changed" in said and "env changed" in said
    assert len(before) > 5 and files(lab) == before


def test_one_set_of_variables_reaches_profiles_builders_and_requests(lab: Lab, settings: dict[str, Any]) -> None:
    run(lab, settings)
    for profile in PROFILES:
        found = configured(lab, profile)
        assert found["env"]["https_proxy"] == "http://192.168.5.2:1"
        assert "server=/corp.example/10.0.0.53" in found["provision"][0]["script"]
        assert "BEGIN CERTIFICATE" in found["provision"][0]["script"]
    assert configured(lab, "docker-buildx")["docker"] == {"registry-mirrors": ["https://mirror.corp.example/hub"]}
    assert "mirror.corp.example/v2/hub" in configured(lab, "k8s")["provision"][0]["script"]
    assert bundle(lab).read_text().count("BEGIN CERTIFICATE") > 100
    (builder,) = json.loads((lab.home / ".docker/buildx/instances/multi-platform").read_text())["Nodes"]
    assert builder["DriverOpts"]["env.https_proxy"] == "http://192.168.5.2:1"
    assert builder["DriverOpts"]["env.SSL_CERT_FILE"].endswith("/authorities.pem")


def test_a_second_run_changes_nothing(lab: Lab, settings: dict[str, Any]) -> None:
    assert "changed=0" in run(lab, settings)


def test_asking_alone_restarts_nothing(lab: Lab, settings: dict[str, Any]) -> None:
    said = run(lab, {**settings, "network_probes": ["https://registry.corp.example/v2/"]}, "--tags", "network")
    assert "changed=0" in said
    assert "The laptop does not reach https://registry.corp.example/v2/: the proxy does not let it through" in said
    assert "its address is network_https_proxy" in said


def test_settings_that_go_leave_the_files_as_they_were(lab: Lab, before: dict[str, bytes]) -> None:
    run(lab, {})
    for profile in PROFILES:
        found = configured(lab, profile)
        assert not found["env"] and not found["docker"]
        # It takes its files out of the VM.
        assert "put " not in found["provision"][0]["script"]
    after = files(lab)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {f".colima/{profile}/colima.yaml" for profile in PROFILES}
    for profile in PROFILES:
        was = yaml.safe_load(before[f".colima/{profile}/colima.yaml"])
        assert {**configured(lab, profile), "provision": was["provision"]} == was
    (builder,) = json.loads((lab.home / ".docker/buildx/instances/multi-platform").read_text())["Nodes"]
    assert not [name for name in builder.get("DriverOpts") or {} if name.startswith("env.")]
    assert "changed=0" in run(lab, {})


def test_builders_alone_say_that_the_file_of_authorities_is_missing(lab: Lab, settings: dict[str, Any]) -> None:
    given = ("-e", json.dumps(settings), "--tags")
    said = warned(lab, WORKSTATION, *given, "buildx")
    assert "The builders don't know the company's authorities" in said and "--tags network,buildx" in said
    assert "don't know" not in warned(lab, WORKSTATION, *given, "network,buildx")
    run(lab, {}, "--tags", "network,buildx")


def test_teardown_removes_the_file_of_authorities(lab: Lab, settings: dict[str, Any]) -> None:
    run(lab, settings, "--tags", "network")
    assert bundle(lab).exists()
    play(lab, "playbooks/teardown.yml", "-e", json.dumps(settings), "--tags", "network")
    assert not bundle(lab).exists()


@pytest.mark.parametrize("block", PRINTED, ids=lambda block: block.splitlines()[-1])
def test_settings_of_the_page_work_as_printed(lab: Lab, settings: dict[str, Any], block: str) -> None:
    certificate = lab.home / "company" / "root.pem"
    certificate.parent.mkdir(exist_ok=True)
    certificate.write_bytes(Path(settings["network_authorities"][0]).read_bytes())
    said = run(lab, {**yaml.safe_load(block), "network_probes": []}, "--check")
    assert "provision changed" in said


def test_all_that_is_wrong_is_told_before_anything_is_changed(lab: Lab) -> None:
    secret = "hunter2-of-the-proxy"
    wrong = {
        "network_authorities": ["/nowhere/ca.pem"],
        "network_https_proxy": f"http://me:{secret}@proxy.corp.example:3128",
        "network_http_proxy": "http://wpad.corp.example/proxy.pac",
        "network_dns_domains": {"corp.example": ["dns.corp.example"]},
        "network_mirrors": [{"registry": "docker.io", "url": "$(reboot)"}],
    }
    said = run(lab, wrong, code=2)
    for part in (
        "'/nowhere/ca.pem'",
        "Could not use network_https_proxy: it has a log-in",
        "Could not use network_http_proxy: it is a file that chooses a proxy (PAC)",
        "Could not use 'dns.corp.example' in domain 'corp.example' of network_dns_domains: it is not an IP address",
        "'$(reboot)' is not an address",
        "nothing was changed",
    ):
        assert part in said
    assert secret not in said
    said = play(lab, "playbooks/doctor.yml", "-e", json.dumps(wrong), code=2)
    assert "use network_https_proxy" in said and "use https_proxy" not in said and secret not in said
