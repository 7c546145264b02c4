# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes and the user's kubeconfig. The real colima finds something in the place of k3s in its cache and installs that."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from .conftest import Rig

NAME = "colima-k8s"


@pytest.fixture
def k8s(rig: Rig) -> Rig:
    """A running containerd profile with Kubernetes."""
    rig.started("k8s", "--runtime", "containerd", "--kubernetes", "--mount", "none")
    return rig


def names(config: dict[str, Any]) -> dict[str, list[str]]:
    """The names in a kubeconfig."""
    return {key: [one["name"] for one in config.get(key) or []] for key in ("clusters", "contexts", "users")}


def test_without_a_network_a_start_with_kubernetes_is_half_finished(rig: Rig) -> None:
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    rig.started("k8s", "--runtime", "containerd", "--mount", "none")
    rig.colima("stop", "k8s")
    for file in rig.cache.glob("*"):
        file.unlink()
    result = rig.colima("start", "k8s", "--kubernetes", REHEARSAL_FAIL="offline", **nowhere)
    assert result.rc == 1
    assert result.fatal.startswith("error provisioning kubernetes: error at 'downloading and installing': "), result
    assert rig.rows()["k8s"]["runtime"] == "containerd+k3s"
    assert rig.rows()["k8s"]["status"] == "Running"
    late = rig.colima("kubernetes", "start", "-p", "k8s", REHEARSAL_FAIL="offline", **nowhere)
    assert late.rc == 1
    assert late.messages[0] == "installing ..."
    assert late.fatal.startswith("error at 'installing': "), late


def test_a_first_start_merges_a_context_of_the_instances_name(k8s: Rig) -> None:
    config = k8s.kubectl_config()
    assert names(config) == {"clusters": [NAME], "contexts": [NAME], "users": [NAME]}
    assert config["current-context"] == NAME
    assert config["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")
    assert k8s.rows()["k8s"]["runtime"] == "containerd+k3s"
    assert json.loads(k8s.colima("status", "k8s", "--json").out)["kubernetes"] is True


def test_the_progress_lines_come_in_order(rig: Rig) -> None:
    result = rig.started("k8s", "--kubernetes", "--mount", "none")
    assert result.messages == [
        "starting colima [profile=k8s]",
        "runtime: docker+k3s",
        "creating and starting ...",
        "downloading disk image ...",
        "provisioning ...",
        "starting ...",
        "provisioning ...",
        "downloading and installing ...",
        "loading oci images ...",
        "starting ...",
        "updating config ...",
        'Switched to context "colima-k8s".',
        "done",
    ]


def test_other_entries_stay_and_the_old_file_is_backed_up(rig: Rig) -> None:
    file = rig.home / ".kube" / "config"
    file.parent.mkdir()
    other = {"clusters": [{"name": "mine", "cluster": {"server": "https://x"}}], "users": [], "contexts": []}
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **other}))
    rig.started("k8s", "--kubernetes", "--mount", "none")
    assert names(rig.kubectl_config())["clusters"] == sorted([NAME, "mine"])
    assert len(list((rig.home / ".kube" / f".{NAME}").glob("config-bak-*"))) == 1


def test_the_first_element_of_kubeconfig_is_the_file_written(rig: Rig) -> None:
    first = rig.home / "first"
    rig.started("k8s", "--kubernetes", "--mount", "none", KUBECONFIG=f"{first}:{rig.home / 'second'}")
    assert names(yaml.safe_load(first.read_text()))["contexts"] == [NAME]
    assert not (rig.home / ".kube" / "config").exists()


def test_a_damaged_entry_is_not_repaired_by_stop_and_start(k8s: Rig) -> None:
    k8s.colima("stop", "k8s")
    assert names(k8s.kubectl_config())["contexts"] == [NAME]
    k8s.run("kubectl", "config", "unset", f"contexts.{NAME}")
    result = k8s.started("k8s")
    assert "updating config ..." not in result.messages
    assert names(k8s.kubectl_config())["contexts"] == []


def test_reset_repairs_the_entry(k8s: Rig) -> None:
    k8s.run("kubectl", "config", "unset", f"contexts.{NAME}")
    assert k8s.colima("kubernetes", "reset", "-p", "k8s").rc == 0
    assert names(k8s.kubectl_config())["contexts"] == [NAME]


def test_deleting_a_stopped_profile_leaves_its_entries(k8s: Rig) -> None:
    k8s.colima("stop", "k8s")
    k8s.colima("delete", "k8s", "--force")
    assert names(k8s.kubectl_config())["contexts"] == [NAME]


def test_deleting_a_running_profile_removes_them(k8s: Rig) -> None:
    result = k8s.colima("delete", "k8s", "--force")
    assert "reverting config ..." in result.messages
    assert names(k8s.kubectl_config())["contexts"] == []
    assert "current-context" not in {key: value for key, value in k8s.kubectl_config().items() if value}


def test_without_kubectl_the_status_denies_kubernetes_and_delete_forgets_the_entries(k8s: Rig) -> None:
    path = k8s.without("kubectl")
    assert json.loads(k8s.colima("status", "k8s", "--json", PATH=path).out)["kubernetes"] is False
    k8s.colima("delete", "k8s", "--force", PATH=path)
    assert names(k8s.kubectl_config())["contexts"] == [NAME]


def test_the_kubernetes_commands_leave_the_settings_alone(k8s: Rig) -> None:
    before = (k8s.base / "k8s" / "colima.yaml").read_text()
    assert k8s.colima("kubernetes", "start", "-p", "k8s").messages == ["already running"]
    assert k8s.colima("kubernetes", "stop", "-p", "k8s").rc == 0
    assert k8s.colima("kubernetes", "stop", "-p", "k8s").fatal == "kubernetes is not enabled"
    assert json.loads(k8s.colima("status", "k8s", "--json").out)["kubernetes"] is False
    assert k8s.rows()["k8s"]["runtime"] == "containerd+k3s"
    assert k8s.colima("kubernetes", "start", "-p", "k8s").rc == 0
    assert (k8s.base / "k8s" / "colima.yaml").read_text() == before


def test_the_port_stays_what_it_was_at_first(k8s: Rig) -> None:
    port = k8s.kubectl_config()["clusters"][0]["cluster"]["server"]
    k8s.colima("stop", "k8s")
    k8s.started("k8s", "--k3s-listen-port", "16443")
    k8s.colima("kubernetes", "reset", "-p", "k8s")
    assert k8s.kubectl_config()["clusters"][0]["cluster"]["server"] == port


def test_a_new_version_is_installed_in_place(k8s: Rig) -> None:
    k8s.colima("stop", "k8s")
    result = k8s.started("k8s", "--kubernetes-version", "v1.34.1+k3s1")
    assert "version changed to v1.34.1+k3s1, downloading and installing ..." in result.messages


def test_without_activation_the_current_context_stays(rig: Rig) -> None:
    file = rig.home / ".kube" / "config"
    file.parent.mkdir()
    mine = [{"name": "mine", "context": {"cluster": "c", "user": "u"}}]
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "contexts": mine, "current-context": "mine"}))
    rig.started("k8s", "--kubernetes", "--mount", "none", "--activate=false")
    assert rig.kubectl_config()["current-context"] == "mine"


def test_with_incus_or_none_the_flag_is_dropped_silently(rig: Rig) -> None:
    result = rig.started("k8s", "--runtime", "none", "--kubernetes")
    assert "kubernetes" not in result.err
    assert rig.rows()["k8s"]["runtime"] == "none"


def test_a_scripted_failure_leaves_kubernetes_half_started(standin: Rig) -> None:
    result = standin.colima("start", "k8s", "--kubernetes", "--mount", "none", REHEARSAL_FAIL="kubernetes:k8s")
    assert result.rc == 1
    assert result.fatal.startswith("error starting kubernetes: ")
    assert standin.rows()["k8s"]["status"] == "Running"
