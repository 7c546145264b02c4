# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network among the settings of a profile: laid in, found again, taken out, and what a user wrote stays."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host, defaults
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.company_network import company_settings
from ansible_collections.laptop.containers.plugins.module_utils.company.authorities import Authority
from ansible_collections.laptop.containers.plugins.module_utils.company.network import CompanyNetwork, Mirror, Proxy
from hypothesis import given
from hypothesis import strategies as st

PEM = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
AUTHORITY = Authority(PEM, "CN=Company", datetime(2040, 1, 1, tzinfo=UTC), "ab" * 32)
PROXY = Proxy("http://127.0.0.1:3128", "http://proxy.corp:3128", (".corp",))
HUB = Mirror("docker.io", "https://harbor.corp/hub")
WHOLE = CompanyNetwork((AUTHORITY,), PROXY, (HUB,), ("10.0.0.53",), {"corp.example": ("10.0.0.54",)})
NONE = CompanyNetwork()
ID = "colima-k8s"


def known(**stated: Any) -> dict[str, Any]:
    return {**defaults(Host()), **stated}


def laid(company: CompanyNetwork, settings: dict[str, Any], stated: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings after a run with this company."""
    return {**settings, **(stated or {}), **company_settings(company, stated or {}, settings, ID)}


def script(settings: dict[str, Any]) -> str:
    return str(settings["provision"][-1]["script"])


def test_off_touches_nothing() -> None:
    assert company_settings(NONE, {}, known(), ID) == {}


def test_a_second_run_changes_nothing() -> None:
    once = laid(WHOLE, known(runtime="docker"))
    assert laid(WHOLE, once) == once


def test_the_laptop_s_loopback_is_its_address_in_the_guest() -> None:
    env = laid(WHOLE, known())["env"]
    assert env["http_proxy"] == env["HTTP_PROXY"] == "http://192.168.5.2:3128"
    assert env["https_proxy"] == "http://proxy.corp:3128"


def test_another_gateway_is_the_laptop_s_address() -> None:
    assert laid(WHOLE, known(**{"network.gateway_address": "10.9.8.2"}))["env"]["http_proxy"] == "http://10.9.8.2:3128"


def test_what_is_inside_needs_no_proxy() -> None:
    cluster = known(runtime="containerd", **{"kubernetes.enabled": True, "kubernetes.k3s_args": ["--cluster-cidr=10.60.0.0/16"]})
    without = laid(WHOLE, cluster)["env"]["no_proxy"].split(",")
    assert {"localhost", "192.168.5.0/24", ID, ".svc", ".cluster.local", "10.60.0.0/16", "10.43.0.0/16", ".corp"} <= {*without}


@pytest.mark.parametrize("runtime", ["docker", "containerd"])
def test_a_mirror_of_docker_hub_gets_to_the_runtime(runtime: str) -> None:
    settings = laid(WHOLE, known(runtime=runtime))
    assert settings["docker"] == ({"registry-mirrors": ["https://harbor.corp/hub"]} if runtime == "docker" else {})
    assert ('[host."https://harbor.corp/v2/hub"]' in script(settings)) == (runtime == "containerd")


@pytest.mark.parametrize("gateway", ["", "10.9.8.2"])
def test_a_mirror_on_the_laptop_is_asked_there(gateway: str) -> None:
    company, at = CompanyNetwork(mirrors=(Mirror("docker.io", "http://127.0.0.1:5500"),)), gateway or "192.168.5.2"
    around = {"network.gateway_address": gateway}
    assert laid(company, known(runtime="docker", **around))["docker"] == {
        "registry-mirrors": [f"http://{at}:5500"],
        "insecure-registries": [f"{at}:5500"],
    }
    own = {"insecure-registries": ["mine:5000"]}
    once = laid(company, known(runtime="docker", docker=own, **around))
    joined = {"registry-mirrors": [f"http://{at}:5500"], "insecure-registries": ["mine:5000", f"{at}:5500"]}
    assert once["docker"] == joined and laid(company, once) == once
    assert laid(NONE, once)["docker"] == own
    assert laid(company, once, {"docker": own}) == once
    text = script(laid(company, known(runtime="containerd", **around)))
    assert f'[host."http://{at}:5500"]' in text and f'[registry."{at}:5500"]\nhttp = true' in text


def test_two_mirrors_at_one_plain_address_are_one_table_of_it() -> None:
    mirrors = (Mirror("docker.io", "http://127.0.0.1:5500/hub"), Mirror("ghcr.io", "http://127.0.0.1:5500/ghcr"))
    text = script(laid(CompanyNetwork(mirrors=mirrors), known(runtime="containerd")))
    assert text.count('[registry."192.168.5.2:5500"]\nhttp = true\n') == 1
    assert '[registry."ghcr.io"]\nmirrors = ["192.168.5.2:5500/ghcr"]' in text


def test_the_profile_s_own_settings_go_before() -> None:
    own = {"env": {"https_proxy": "http://mine:1"}, "network.dns": ["9.9.9.9"], "docker": {"registry-mirrors": ["https://mine"]}}
    settings = laid(WHOLE, known(runtime="docker"), own)
    assert settings["env"]["https_proxy"] == "http://mine:1"
    assert settings["network.dns"] == ["9.9.9.9"]
    assert settings["docker"] == own["docker"]


def test_what_was_laid_in_comes_out_and_the_guest_is_cleaned() -> None:
    before = known(runtime="docker", env={"MINE": "1"}, docker={"debug": True})
    after = laid(NONE, laid(WHOLE, before))
    assert {**after, "provision": []} == before
    assert "put " not in script(after)
    assert laid(NONE, after) == after


def test_the_script_holds_no_line_of_its_own_twice() -> None:
    settings = laid(WHOLE, laid(CompanyNetwork((AUTHORITY,)), known()))
    assert len(settings["provision"]) == 1


OWN = st.fixed_dictionaries(
    {
        "env": st.dictionaries(st.sampled_from(["A", "https_proxy", "NO_PROXY"]), st.sampled_from(["x", "http://mine:1"])),
        "network.dns": st.lists(st.sampled_from(["9.9.9.9", "10.0.0.53"]), max_size=1),
        "docker": st.dictionaries(
            st.sampled_from(["debug", "registry-mirrors", "insecure-registries"]),
            st.sampled_from([["https://mine"], ["192.168.5.2:5500"], "no list"]),
        ),
    }
)
COMPANIES = st.builds(
    CompanyNetwork,
    st.sampled_from([(), (AUTHORITY,)]),
    st.sampled_from([Proxy(), PROXY, Proxy(https="http://localhost:1")]),
    st.sampled_from([(), (HUB,), (Mirror("docker.io", "http://127.0.0.1:5500"),)]),
    st.sampled_from([(), ("10.0.0.53",), ("10.0.0.55",)]),
    st.sampled_from([{}, {"corp.example": ("10.0.0.54",)}]),
)


@given(OWN, st.lists(COMPANIES, max_size=4), st.sampled_from(["docker", "containerd"]))
def test_after_any_history_the_profile_is_as_before(own: dict[str, Any], history: list[CompanyNetwork], runtime: str) -> None:
    """The profile states nothing, so that only the script's note separates its own settings from those that were laid in."""
    before = settings = known(runtime=runtime, **own)
    for company in history:
        settings = laid(company, settings)
        assert laid(company, settings) == settings
    assert {**laid(NONE, settings), "provision": []} == before


def test_a_profile_with_scripts_of_its_own_gets_rid_of_it_too() -> None:
    own = {"provision": [{"mode": "user", "script": "true"}]}
    before = known(runtime="docker")
    after = laid(NONE, laid(WHOLE, laid(WHOLE, before, own), own), own)
    assert {**after, "provision": []} == before
    assert own["provision"][0] in after["provision"]


def test_what_a_profile_states_stays_where_it_is_what_was_laid_in() -> None:
    own = {"env": {"https_proxy": "http://proxy.corp:3128"}}
    assert laid(NONE, laid(WHOLE, known()), own)["env"] == own["env"]


@pytest.mark.parametrize("note", ["{", "[]", '{"env": 1, "docker": null, "network.dns": "x"}'])
def test_a_damaged_note_says_nothing(note: str) -> None:
    damaged = known(
        env={"A": "1"}, provision=[{"mode": "system", "script": f"#!/bin/sh\n# laptop.containers: company network {note}"}]
    )
    assert laid(NONE, damaged)["env"] == {"A": "1"}


CERTIFICATES = "usr/local/share/ca-certificates/laptop.containers"


@pytest.fixture
def guest(tmp_path: Path) -> Callable[..., list[Path]]:
    """Run a script at another root, where update-ca-certificates counts its runs; return the certificates."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in (("update-ca-certificates", f"echo run >>{tmp_path}/updates"), ("systemctl", ":")):
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)

    def run(script: str, before: str = "") -> list[Path]:
        for place in ("/etc/", "/usr/local/"):
            script = script.replace(place, f"{tmp_path}{place}")
        environment = {"PATH": f"{programs}:/usr/bin:/bin"}
        subprocess.run(["sh", "-c", f"{before}\n{script}"], env=environment, check=False, capture_output=True)
        return sorted((tmp_path / CERTIFICATES).glob("*"))

    return run


def test_a_start_that_is_cut_off_anywhere_is_made_good_by_the_next(guest: Callable[..., list[Path]], tmp_path: Path) -> None:
    whole = script(laid(CompanyNetwork((AUTHORITY,)), known()))
    lines = whole.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("put /")) + 1
    cuts = [number for number in range(first, len(lines)) if not lines[number].startswith(" ")]
    for cut in cuts:
        shutil.rmtree(tmp_path / "etc", ignore_errors=True)
        shutil.rmtree(tmp_path / "usr", ignore_errors=True)
        guest("".join(lines[:cut]))
        (tmp_path / "updates").unlink(missing_ok=True)
        assert len(guest(whole)) == 1
        assert (tmp_path / "updates").exists() or cut > len(lines) - 4, lines[cut]


def test_a_full_disk_takes_nothing_away(guest: Callable[..., list[Path]]) -> None:
    company = script(laid(WHOLE, known(runtime="containerd")))
    (found,) = guest(company)
    assert guest(company, "trap '' XFSZ; ulimit -f 0") == [found]
    assert found.read_text() == PEM
    assert guest(script(laid(NONE, laid(WHOLE, known())))) == []
