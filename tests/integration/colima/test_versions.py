# SPDX-License-Identifier: GPL-3.0-or-later
"""Other versions than today's: keys of a newer colima, and the k3s that each colima installs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.read import read
from ansible_collections.laptop.containers.plugins.module_utils.colima.report import full_profile
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep

from tests.support.colima.standin_laptop import ColimaLab

DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}
NEWER: dict[str, Any] = {"turbo": True, "network": {"ipv6": "fd00::/8"}, "devices": [{"path": "/dev/x", "token": "s3cret-word"}]}


def settings(lab: ColimaLab, name: str) -> dict[str, Any]:
    return yaml.safe_load(lab.paths.configured(parse_name(name)).read_text())  # type: ignore[no-any-return]


def test_keys_of_a_newer_colima_stay_in_the_file_and_are_shown(lab: ColimaLab) -> None:
    lab.converge({**DEV, "state": "present"})
    file = lab.paths.configured(parse_name("dev"))
    written = yaml.safe_load(file.read_text())
    network = {**written["network"], **NEWER["network"]}
    file.write_text(yaml.safe_dump({**written, **NEWER, "network": network}))
    done = lab.converge({**DEV, "cpu": 3, "state": "present"})
    assert done.actions == ("write the settings of profile 'dev' (cpu 2 CPUs -> 3 CPUs)",)
    now = settings(lab, "dev")
    assert (now["turbo"], now["network"]["ipv6"], now["devices"], now["cpu"]) == (True, "fd00::/8", NEWER["devices"], 3)
    shown = full_profile(lab.paths, read(lab.colima, None).profiles["dev"], lab.host)
    hidden = [{"path": "/dev/x", "token": "(not shown)"}]
    assert shown["configured"]["unknown"] == {**NEWER, "devices": hidden}


@pytest.mark.parametrize(
    ("colima", "k3s"),
    [("0.8.1", "v1.31.2+k3s1"), ("0.8.4", "v1.33.3+k3s1"), ("0.9.1", "v1.33.4+k3s1"), ("0.10.3", "v1.35.0+k3s1")],
)
def test_a_profile_without_a_version_gets_the_k3s_of_its_colima(lab: ColimaLab, colima: str, k3s: str) -> None:
    lab.settings["COLIMA_VERSION"] = colima
    lab.converge({**K8S, "state": "present"})
    assert settings(lab, "k8s")["kubernetes"]["version"] == k3s


def test_an_upgrade_of_colima_leaves_the_k3s_of_a_profile_as_it_is(lab: ColimaLab) -> None:
    lab.settings["COLIMA_VERSION"] = "0.9.1"
    lab.converge(K8S)
    lab.settings["COLIMA_VERSION"] = "0.10.3"
    assert lab.converge(K8S).actions == ()
    lab.converge({**K8S, "cpu": 2})
    assert settings(lab, "k8s")["kubernetes"]["version"] == "v1.33.4+k3s1"


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_an_older_k3s_is_refused_with_the_reason(lab: ColimaLab, state: str) -> None:
    lab.converge(K8S)
    lab.converge({**K8S, "state": state})
    older = {**K8S, "kubernetes": {"enabled": True, "version": "v1.34.0+k3s1"}}
    before = lab.tree()
    with pytest.raises(RefusedStep) as refusal:
        lab.converge(older, restart="always")
    assert refusal.value.message == (
        "Could not set 'kubernetes.version' of profile 'k8s' to 'v1.34.0+k3s1': its k3s is v1.35.0+k3s1, and an older k3s can't "
        "read the data of a newer one. Use v1.35.0+k3s1 or a newer release."
    )
    assert lab.tree() == before
    assert lab.converge({**K8S, "kubernetes": {"enabled": True, "version": "v1.36.1+k3s1"}}, restart="always").actions


def test_the_vm_says_which_k3s_it_has_where_a_file_claims_one_that_was_never_installed(lab: ColimaLab) -> None:
    lab.converge({**K8S, "kubernetes": {"enabled": True, "version": "v1.34.0+k3s1"}})
    # Both files claim a newer one, as after a start that failed in its download.
    for file in (lab.paths.configured(parse_name("k8s")), lab.paths.applied(parse_name("k8s"))):
        file.write_text(file.read_text().replace("v1.34.0+k3s1", "v1.36.0+k3s1"))
    assert lab.converge({**K8S, "kubernetes": {"enabled": True, "version": "v1.35.0+k3s1"}}, restart="always").actions
