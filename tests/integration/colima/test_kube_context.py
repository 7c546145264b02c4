# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig of the user's before, while and after colima has a profile with Kubernetes in it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.colima.standin_laptop import ColimaLab

K8S = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True}, "cpu": 4, "memory": 12}
WORK = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "current-context": "work",
}


def kube(lab: ColimaLab, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the kubeconfig, after writing it where one is given."""
    file = lab.home / ".kube" / "config"
    if config is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(config))
    return yaml.safe_load(file.read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("up", [True, False], ids=["running", "stopped"])
def test_the_kube_context_of_before_becomes_current_again(lab: ColimaLab, up: bool) -> None:
    kube(lab, WORK)
    lab.converge(K8S)
    assert kube(lab)["current-context"] == "colima-k8s"
    if not up:
        lab.run("colima", "stop", "k8s")
    planned = lab.converge({"name": "k8s", "state": "absent"}, check=True)
    done = lab.converge({"name": "k8s", "state": "absent"})
    assert planned.actions == done.actions
    assert "remove kubeconfig entry 'colima-k8s' (context 'work' becomes current again)" in done.actions
    assert {key: value for key, value in kube(lab).items() if key != "preferences"} == WORK
    assert lab.converge({"name": "k8s", "state": "absent"}).actions == ()
    assert not list(lab.paths.own.glob("*.kube"))


def test_a_vm_that_was_made_anew_still_leads_back_to_the_kube_context_of_before(lab: ColimaLab) -> None:
    kube(lab, WORK)
    lab.converge(K8S)
    lab.converge({**K8S, "mount_type": "sshfs"}, on_fixed_change="recreate", restart="always")
    assert kube(lab)["current-context"] == "colima-k8s"
    lab.converge({"name": "k8s", "state": "absent"})
    assert kube(lab)["current-context"] == "work"


def test_a_kube_context_that_the_user_chose_meanwhile_stays_current(lab: ColimaLab) -> None:
    other = {"name": "other", "context": {"cluster": "work", "user": "me"}}
    kube(lab, {**WORK, "contexts": [*WORK["contexts"], other]})
    lab.converge(K8S)
    kube(lab, {**kube(lab), "current-context": "other"})
    lab.converge({"name": "k8s", "state": "absent"})
    assert kube(lab)["current-context"] == "other"


def test_a_removal_that_was_killed_half_way_still_leads_back_to_the_kube_context_of_before(lab: ColimaLab) -> None:
    kube(lab, WORK)
    lab.converge(K8S)
    # As far as colima's own part goes.
    lab.run("colima", "delete", "--force", "k8s")
    assert not kube(lab)["current-context"]
    done = lab.converge({"name": "k8s", "state": "absent"})
    assert "make current again kubeconfig context 'work'" in done.actions
    assert kube(lab)["current-context"] == "work"


def test_a_copy_of_the_kubeconfig_that_holds_something_lost_is_kept_and_named(lab: ColimaLab) -> None:
    kube(lab, WORK)
    lab.converge(K8S)
    (copy,) = (lab.home / ".kube" / ".colima-k8s").glob("config-bak-*")
    kube(lab, {**kube(lab), "users": [user for user in kube(lab)["users"] if user["name"] != "me"]})
    done = lab.converge({"name": "k8s", "state": "absent"})
    assert copy.exists()
    assert [warning for warning in done.warnings if str(copy) in warning]
