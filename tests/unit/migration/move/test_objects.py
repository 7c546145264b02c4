# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a cluster continues in another one: what a person made, as they made it, and nothing that the cluster makes itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.objects import (
    called,
    cleaned,
    familiar,
    images_of,
    is_ready,
    key_of,
    objects_of,
)

POD = {"containers": [{"name": "app", "image": "docker.io/library/web"}]}


def manifest(kind: str, name: str, namespace: str = "shop", version: str = "v1", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "uid": "1", "resourceVersion": "2", "managedFields": [], **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta | ({"namespace": namespace} if namespace else {}), **more}


def deployment(name: str = "web", **more: Any) -> dict[str, Any]:
    return manifest("Deployment", name, version="apps/v1", spec={"replicas": 2, "template": {"spec": POD}}, **more)


def volume(name: str = "pvc-1", claim: str = "data", path: str = "/var/lib/rancher/k3s/storage/pvc-1") -> dict[str, Any]:
    bound = {"namespace": "shop", "name": claim, "uid": "7", "resourceVersion": "9"}
    return manifest("PersistentVolume", name, "", spec={"hostPath": {"path": path}, "claimRef": bound})


def moved(*items: dict[str, Any], secrets: bool = False, namespaces: tuple[str, ...] = ("*",)) -> list[str]:
    return [called(one) for one in objects_of(items, namespaces, ["/Users/me"], secrets=secrets).items]


@pytest.mark.parametrize(
    "item",
    [
        manifest("Pod", "web-1", metadata={"ownerReferences": [{"kind": "ReplicaSet"}]}, spec=POD),
        manifest("Pod", "done", spec=POD, status={"phase": "Succeeded"}),
        manifest("ConfigMap", "kube-root-ca.crt"),
        manifest("ConfigMap", "coredns", "kube-system"),
        manifest("ServiceAccount", "default"),
        manifest("Secret", "token", type="kubernetes.io/service-account-token"),
        manifest("Service", "kubernetes", "default", spec={}),
        manifest("Namespace", "kube-system", ""),
        manifest("Namespace", "default", ""),
        manifest("ClusterRole", "system:node", ""),
        manifest("ClusterRole", "admin", "", metadata={"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}),
        manifest("StorageClass", "local-path", "", metadata={"annotations": {"objectset.rio.cattle.io/id": ""}}),
        manifest("Job", "once", version="batch/v1", spec={"template": {"spec": POD}}),
        manifest("ConfigMap", "going", metadata={"deletionTimestamp": "now"}),
        manifest("PersistentVolume", "without-claim", "", spec={"claimRef": {"namespace": "shop", "name": "gone"}}),
    ],
    ids=called,
)
def test_what_a_cluster_makes_itself_is_left_out(item: dict[str, Any]) -> None:
    assert moved(item, secrets=True) == []


def test_what_others_need_comes_first() -> None:
    claim = manifest("PersistentVolumeClaim", "data", spec={"volumeName": "pvc-1"})
    items = (
        deployment(),
        manifest("Service", "web", spec={}),
        claim,
        volume(),
        manifest("Secret", "key"),
        manifest("Namespace", "shop", ""),
    )
    assert moved(*items, secrets=True) == [
        "Namespace shop",
        "Secret shop/key",
        "PersistentVolume pvc-1",
        "PersistentVolumeClaim shop/data",
        "Service shop/web",
        "Deployment shop/web",
    ]


def test_secrets_and_jobs_that_stay_are_named() -> None:
    items = (manifest("Secret", "key"), manifest("Job", "once", version="batch/v1", spec={}))
    secrets, jobs = objects_of(items, ["*"], [], secrets=False).left_out
    assert "Secret shop/key" in secrets and "O(secrets=true)" in secrets
    assert "Job shop/once" in jobs


def test_only_namespaces_that_are_wanted_go_along() -> None:
    assert moved(deployment(), manifest("Namespace", "shop", ""), namespaces=("team-*",)) == []


@pytest.mark.parametrize(
    ("path", "in_the_vm"),
    [("/var/lib/rancher/k3s/storage/pvc-1", True), ("/Users/me/data", False), ("/Users/me", False), ("/Users/mean", True)],
)
def test_a_volume_on_the_laptop_itself_needs_no_copy(path: str, in_the_vm: bool) -> None:
    items = (manifest("PersistentVolumeClaim", "data", spec={}), volume(path=path))
    found = objects_of(items, ["*"], ["/Users/me"], secrets=False)
    assert [one.path for one in found.claims] == ([path] if in_the_vm else [])
    assert len(found.items) == 2


def test_an_object_is_as_its_author_wrote_it() -> None:
    written = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "yes"}
    found = cleaned(
        deployment(metadata={"annotations": {**written, "deployment.kubernetes.io/revision": "3"}}, status={"replicas": 2})
    )
    assert found["metadata"] == {"name": "web", "namespace": "shop", "annotations": written}
    assert "status" not in found


def test_a_volume_waits_for_the_claim_of_the_new_cluster() -> None:
    assert cleaned(volume())["spec"]["claimRef"] == {"namespace": "shop", "name": "data"}


def test_a_service_gets_a_new_address_and_one_without_keeps_none() -> None:
    spec = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": []}
    assert cleaned(manifest("Service", "web", spec=spec))["spec"] == {"ports": []}
    assert cleaned(manifest("Service", "db", spec={"clusterIP": "None"}))["spec"] == {"clusterIP": "None"}


def test_a_pod_loses_its_node_and_its_token() -> None:
    token = {"name": "kube-api-access-x", "projected": {}}
    spec = {"nodeName": "old", "volumes": [token, {"name": "data"}], "containers": [{"name": "a", "volumeMounts": [token]}]}
    assert cleaned(manifest("Pod", "web", spec=spec))["spec"] == {
        "volumes": [{"name": "data"}],
        "containers": [{"name": "a", "volumeMounts": []}],
    }


def test_images_are_found_however_deep_and_in_dockers_words() -> None:
    cron = manifest(
        "CronJob", "c", spec={"jobTemplate": {"spec": {"template": {"spec": {"initContainers": [{"image": "a/b:2"}]}}}}}
    )
    assert images_of([deployment(), cron]) == {"web:latest", "a/b:2"}


@pytest.mark.parametrize(
    ("image", "words"),
    [("docker.io/library/web:1", "web:1"), ("host:5000/web", "host:5000/web:latest"), ("docker.io/me/web:1", "me/web:1")],
)
def test_docker_shortens_names(image: str, words: str) -> None:
    assert familiar(image) == words


@pytest.mark.parametrize(
    ("status", "ready"),
    [({"readyReplicas": 2, "observedGeneration": 3}, True), ({"readyReplicas": 1, "observedGeneration": 3}, False),
     ({"readyReplicas": 2, "observedGeneration": 2}, False), ({}, False)],
)  # fmt: skip
def test_a_workload_is_ready_when_all_its_pods_are(status: dict[str, int], ready: bool) -> None:
    item = deployment(metadata={"generation": 3}, status=status)
    assert is_ready(item) == ready
    assert objects_of([item], ["*"], [], secrets=False).ready == (("Deployment shop/web",) if ready else ())


def test_keys_tell_kinds_and_namespaces_apart() -> None:
    items = (deployment(), manifest("Service", "web"), manifest("Service", "web", "other"), manifest("Namespace", "web", ""))
    assert len({key_of(one) for one in items}) == 4
