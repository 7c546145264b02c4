# SPDX-License-Identifier: GPL-3.0-or-later
"""What of another engine's Kubernetes continues, what waits and why, and in which form the new cluster gets it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import ABSENT, RUNNING, STOPPED, ProfileState
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import SyncState
from ansible_collections.laptop.containers.plugins.module_utils.migration.cluster.belonging import users
from ansible_collections.laptop.containers.plugins.module_utils.migration.cluster.model import (
    ClusterMoveSpec,
    ClusterMoveState,
    CreateObjects,
    SendClaim,
    SendImages,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.cluster.plan import (
    plan_copy,
    plan_ready,
    plan_verify,
    room_for,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.cluster.reading import (
    located,
    source_of,
    target_of,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Container, Image, Inventory
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.objects import called
from ansible_collections.laptop.containers.plugins.module_utils.migration.room import Room

MIB = 1 << 20
NAME = Name("k8s", "colima-k8s")
SPEC = ClusterMoveSpec("copy", "docker-desktop", NAME)
DESKTOP = "/var/lib/k8s-pvs/data/pvc-1"
STORAGE = "/var/lib/rancher/k3s/storage"
Item = dict[str, Any]


def manifest(kind: str, name: str, namespace: str = "shop", version: str = "v1", **more: Any) -> Item:
    meta = {"name": name, "uid": f"{kind}-{name}", **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta | ({"namespace": namespace} if namespace else {}), **more}


def system(uid: str) -> Item:
    return manifest("Namespace", "kube-system", "", metadata={"uid": uid})


def workload(kind: str = "Deployment", name: str = "web", claim: str = "data", **more: Any) -> Item:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    pod: Item = {"containers": [{"name": "app", "image": "web:1"}], "volumes": volumes, **more}
    status = {"readyReplicas": 1, "observedGeneration": 1}
    spec = {"replicas": 1, "template": {"spec": pod}}
    return manifest(kind, name, version="apps/v1", spec=spec, status=status, metadata={"generation": 1})


def pod(claim: str = "data", read_only: bool = False) -> Item:
    mount = {"claimName": claim, "readOnly": read_only}
    spec = {"containers": [], "volumes": [{"name": "data", "persistentVolumeClaim": mount}]}
    owner = {"ownerReferences": [{"kind": "ReplicaSet"}], "uid": "u-1"}
    return manifest("Pod", "web-1", metadata=owner, spec=spec, status={"phase": "Running"})


def volume(**spec: Any) -> list[Item]:
    """Return a volume as Docker Desktop makes one, and its claim."""
    bound = {"namespace": "shop", "name": "data", "uid": "7"}
    made = {"hostPath": {"path": DESKTOP}, **spec}
    disk = {"storageClassName": "hostpath", "claimRef": bound, **made}
    return [
        manifest("PersistentVolume", "pvc-1", "", spec=disk),
        manifest("PersistentVolumeClaim", "data", spec={"storageClassName": "hostpath", "volumeName": "pvc-1"}),
    ]


SHOP = [system("old"), manifest("Namespace", "shop", ""), *volume(), workload()]
NODE = manifest("Node", "colima-k8s", "", metadata={"labels": {"kubernetes.io/hostname": "colima-k8s"}})
DEFAULT = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
CLASS = manifest("StorageClass", "local-path", "", "storage.k8s.io/v1", metadata=DEFAULT, provisioner="rancher.io/local-path")
K3S = [system("new"), NODE, CLASS, manifest("Namespace", "default", "")]
ENGINE = Inventory(
    "e", images=(Image("sha256:1", ("web:1", "web:latest"), size=5 * MIB), Image("sha256:2", ("tool:1",), size=MIB))
)
SETTINGS: Any = {"runtime": "containerd", "kubernetes.enabled": True, "disk": 100}
PROFILE = ProfileState(NAME, RUNNING, applied=SETTINGS, live={"kubernetes": True})


def found(old: Sequence[Item] = SHOP, new: Sequence[Item] = K3S, secrets: bool = False, **more: Any) -> ClusterMoveState:
    source = source_of(old, ["*"], ["/Users/me"], secrets=secrets)
    kinds = [(one["apiVersion"], one["kind"]) for one in source.objects.items if one["kind"] != "Strange"]
    claims = tuple(replace(one, size=3 * MIB) for one in source.objects.claims)
    source = replace(source, objects=replace(source.objects, claims=claims))
    given = {"missing": frozenset(["web:1"]), "mounted": ("/Users/me",), "free": 1 << 40, "engine": ENGINE, **more}
    return ClusterMoveState(PROFILE, source=source, target=target_of(new, kinds), **given)


def created(plan: Plan) -> list[Any]:
    return [item for step in plan.steps if isinstance(step, CreateObjects) for item in step.items]


def one_of(plan: Plan, kind: str) -> Any:
    (item,) = (one for one in created(plan) if one["kind"] == kind)
    return item


def test_images_come_first_then_data_then_the_objects_that_use_both() -> None:
    assert plan_copy(found(), SPEC).actions == [
        "copy image 'web:1' (into the cluster, 5 MiB)",
        "copy volume 'shop/data' (3 MiB)",
        "create 2 objects of the whole cluster (1 Namespace, 1 PersistentVolume)",
        "create 2 objects in namespace 'shop' (1 PersistentVolumeClaim, 1 Deployment)",
    ]


def test_what_is_there_is_not_copied_again() -> None:
    mine = [{**one, "metadata": {**one["metadata"], "managedFields": [{"manager": "laptop.containers"}]}} for one in SHOP[1:]]
    there = found(new=[*K3S, *mine], missing=frozenset(), filled=frozenset(["pvc-1"]))
    plan = plan_copy(there, SPEC)
    assert (plan.steps, plan.pending, plan.refusals) == ((), (), ())
    assert plan_ready(replace(there, waiting=()), SPEC).refusals == ()


def test_a_volume_gets_the_node_the_class_and_the_directory_of_the_new_cluster() -> None:
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"values": ["docker-desktop"]}]}]}}
    plan = plan_copy(found([system("old"), *volume(nodeAffinity=affinity)]), SPEC)
    spec = one_of(plan, "PersistentVolume")["spec"]
    assert spec["hostPath"] == {"path": f"{STORAGE}/pvc-1_shop_data", "type": "Directory"}
    (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["colima-k8s"]}]
    claim = one_of(plan, "PersistentVolumeClaim")
    assert spec["storageClassName"] == claim["spec"]["storageClassName"] == "local-path"
    assert claim["spec"]["volumeName"] == "pvc-1"
    notes = one_of(plan, "PersistentVolume")["metadata"]["annotations"]
    assert notes == {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}
    (step,) = (one for one in plan.steps if isinstance(one, SendClaim))
    assert (step.claim.path, step.path) == (DESKTOP, f"{STORAGE}/pvc-1_shop_data")


def test_volumes_go_where_the_new_cluster_keeps_its_own() -> None:
    text = '{"nodePathMap": [{"node": "DEFAULT", "paths": ["/data/volumes"]}]}'
    config = manifest("ConfigMap", "local-path-config", "kube-system", data={"config.json": text})
    spec = one_of(plan_copy(found(new=[*K3S, config]), SPEC), "PersistentVolume")["spec"]
    assert spec["hostPath"]["path"] == "/data/volumes/pvc-1_shop_data"


def test_data_on_the_laptop_itself_stays_where_it_is() -> None:
    plan = plan_copy(found([system("old"), *volume(hostPath={"path": "/Users/me/data"})]), SPEC)
    assert not [one for one in plan.steps if isinstance(one, SendClaim)]
    assert one_of(plan, "PersistentVolume")["spec"]["hostPath"] == {"path": "/Users/me/data"}


def test_a_node_that_is_a_container_has_its_directories_in_a_volume() -> None:
    old = [system("old"), manifest("Node", "desktop-control-plane", ""), *volume(hostPath={"path": "/var/local/pvc-1"})]
    mounts = {"/var": "/var/lib/docker/volumes/1/_data", "/var/local/other": "/elsewhere"}
    node = Container("1", "desktop-control-plane", "kind", "", "running", mounts=mounts)
    source = source_of(old, ["*"], [], secrets=False)
    assert [one.path for one in located(source, old, [node]).objects.claims] == ["/var/lib/docker/volumes/1/_data/local/pvc-1"]
    assert located(source, old, [replace(node, name="other")]) == source


def test_further_pods_of_a_stateful_set_get_volumes_of_the_new_class() -> None:
    item = workload("StatefulSet", "db", "")
    item["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {"storageClassName": "hostpath"}}]
    (template,) = one_of(plan_copy(found([system("old"), item]), SPEC), "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert template["spec"]["storageClassName"] == "local-path"


CONTAINER = Container("c1", "k8s_app_web-1_shop_u-1_0", "web:1", "", "running")
SANDBOX = Container("c0", "k8s_POD_web-1_shop_u-1_0", "pause", "", "running")
OTHERS = Container("c2", "k8s_app_web-2_shop_u-2_0", "web:1", "", "running")


def test_data_that_a_pod_may_write_to_is_not_copied_and_what_uses_it_waits() -> None:
    plan = plan_copy(found([*SHOP, pod(), workload("DaemonSet", "free", "")]), SPEC)
    assert not [one for one in plan.steps if isinstance(one, SendClaim)]
    assert [called(one) for one in created(plan)] == ["Namespace shop", "DaemonSet shop/free"]
    data, web = plan.pending
    assert data.kind == "in_use" and "pod shop/web-1 may write to it" in str(data) and "Scale down" in data.remedy
    assert web.kind == "waits" and web.target == "Deployment shop/web" and "volume 'shop/data'" in web.reason


def test_a_pod_of_a_stateful_set_has_claims_of_its_own() -> None:
    item = workload("StatefulSet", "db", "")
    item["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    disk, claim = volume(claimRef={"namespace": "shop", "name": "data-db-0"})
    claim["metadata"]["name"] = "data-db-0"
    plan = plan_copy(found([system("old"), item, disk, claim, pod("data-db-0")]), SPEC)
    assert created(plan) == [] and [one.target for one in plan.pending] == ["volume 'shop/data-db-0'", "StatefulSet shop/db"]


def test_a_pod_that_only_reads_keeps_no_volume_back() -> None:
    plan = plan_copy(found([*SHOP, pod(read_only=True)]), SPEC)
    assert not plan.pending and [one for one in plan.steps if isinstance(one, SendClaim)]


def test_what_may_be_paused_is_and_only_that() -> None:
    engine = replace(ENGINE, containers=(SANDBOX, CONTAINER, OTHERS))
    plan = plan_copy(found([*SHOP, pod()], engine=engine), replace(SPEC, pause=True))
    (step,) = (one for one in plan.steps if isinstance(one, SendClaim))
    assert step.pause == ("c1",) and str(step).endswith("(3 MiB; pauses shop/web-1)") and not plan.pending


def test_containers_that_the_engine_hides_can_not_be_paused() -> None:
    (data, _web) = plan_copy(found([*SHOP, pod()]), replace(SPEC, pause=True)).pending
    assert "does not show the containers of pod shop/web-1" in data.reason


def test_containers_that_a_killed_run_has_paused_go_on_first() -> None:
    engine = replace(ENGINE, containers=(replace(CONTAINER, state="paused"),))
    left = found([*SHOP, pod()], engine=engine, paused=frozenset(["c1"]))
    plan = plan_copy(left, replace(SPEC, pause=True))
    assert str(plan.steps[0]).startswith("unpause container")
    # They write again, so they are paused again.
    assert [one.pause for one in plan.steps if isinstance(one, SendClaim)] == [("c1",)]
    assert "may write to it" in plan_copy(left, SPEC).pending[0].reason


@pytest.mark.parametrize(
    ("spec", "kind", "reason"),
    [
        ({"hostPath": None, "csi": {"driver": "efs.csi.aws.com"}}, "outside", "efs.csi.aws.com keeps it"),
        ({}, "lost", f"does not have its directory '{DESKTOP}'"),
    ],
)
def test_data_that_can_not_be_read_stays_and_what_uses_it_waits(spec: Item, kind: str, reason: str) -> None:
    plan = plan_copy(found([*SHOP[:2], *volume(**spec), workload()], lost=frozenset(["shop/data"])), SPEC)
    data, web = plan.pending
    assert (data.kind, web.kind) == (kind, "waits") and reason in data.reason
    assert [called(one) for one in created(plan)] == ["Namespace shop"]


def test_data_that_both_clusters_reach_is_named() -> None:
    plan = plan_copy(found([*SHOP[:2], *volume(hostPath=None, nfs={"server": "nas", "path": "/x"}), workload()]), SPEC)
    assert not plan.pending and any("stays where it is (nfs)" in one for one in plan.warnings)
    assert one_of(plan, "PersistentVolume")["spec"]["nfs"] == {"server": "nas", "path": "/x"}


def test_what_the_new_cluster_has_of_its_own_is_kept_and_named() -> None:
    own = [manifest("Service", "web", spec={}), *volume()]
    plan = plan_copy(found([*SHOP, manifest("Service", "web", spec={})], [*K3S, *own]), SPEC)
    assert [called(one) for one in created(plan)] == ["Namespace shop"]
    assert [one.kind for one in plan.pending] == ["conflict", "waits", "conflict"]
    assert "Service shop/web" in plan.pending[2].reason


def test_a_volume_that_the_new_cluster_has_gets_no_other_claim() -> None:
    (disk, _claim) = volume(claimRef={"namespace": "other", "name": "mine"})
    plan = plan_copy(found(new=[*K3S, disk]), SPEC)
    assert [called(one) for one in created(plan)] == ["Namespace shop"]
    assert [one.kind for one in plan.pending] == ["conflict", "waits"]


def test_ports_that_others_have_are_given_up_and_named() -> None:
    def service(name: str) -> Item:
        return manifest("Service", name, spec={"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]})

    plan = plan_copy(found([system("old"), service("web")], [*K3S, service("other")]), SPEC)
    assert one_of(plan, "Service")["spec"]["ports"] == [{"port": 80}]
    first, second = plan.warnings
    assert "another port than 30080, which shop/other has" in first and "both want port 80" in second


def test_kinds_that_the_new_cluster_does_not_know_stay_unless_their_definition_comes_along() -> None:
    version = "x.example/v1"
    names = {"group": "x.example", "names": {"kind": "Strange"}, "versions": [{"name": "v1"}]}
    definition = manifest("CustomResourceDefinition", "stranges.x.example", "", "apiextensions.k8s.io/v1", spec=names)
    item = manifest("Strange", "one", version=version)
    alone = plan_copy(found([system("old"), item]), SPEC)
    assert created(alone) == [] and "Strange (x.example/v1)" in alone.warnings[0]
    assert [called(one) for one in created(plan_copy(found([system("old"), item, definition]), SPEC))] == [
        "CustomResourceDefinition stranges.x.example",
        "Strange shop/one",
    ]


def test_a_workload_whose_secret_stays_is_not_waited_for() -> None:
    web = workload(containers=[{"name": "app", "image": "web:1", "env": [{"valueFrom": {"secretKeyRef": {"name": "key"}}}]}])
    old = [system("old"), manifest("Secret", "key"), web, *volume()]
    assert any("needs Secret shop/key" in one for one in plan_copy(found(old), SPEC).warnings)
    with_secrets = plan_copy(found(old, secrets=True), SPEC)
    assert not with_secrets.warnings and "Secret shop/key" in [called(one) for one in created(with_secrets)]


def test_what_is_made_elsewhere_is_named() -> None:
    host = [{"name": "x", "hostPath": {"path": "/var/log"}}, {"name": "y", "hostPath": {"path": "/Users/me/src"}}]
    plan = plan_copy(found([system("old"), workload(claim="", volumes=host)], engine=Inventory("e")), SPEC)
    pulled, directories = plan.warnings
    assert "the new cluster pulls them: web:1" in pulled
    assert directories == "Deployment shop/web uses /var/log of its machine, which is not moved."


OWN = [
    manifest("StorageClass", "hostpath", "", "storage.k8s.io/v1", provisioner="docker.io/hostpath"),
    manifest("ClusterRoleBinding", "docker-for-desktop-binding", "", roleRef={"kind": "ClusterRole", "name": "cluster-admin"},
             subjects=[{"kind": "Group", "name": "system:serviceaccounts"}]),
    manifest("ClusterRoleBinding", "storage-provisioner", "", roleRef={"kind": "ClusterRole", "name": "provisioner"},
          subjects=[{"kind": "ServiceAccount", "namespace": "kube-system", "name": "x"}]),
    manifest("ClusterRole", "provisioner", ""),
    manifest("ClusterRole", "kubeadm:get-nodes", ""),
    manifest("Namespace", "local-path-storage", ""),
    manifest("Deployment", "local-path-provisioner", "local-path-storage"),
    manifest("IngressClass", "traefik", "", metadata={"annotations": {"meta.helm.sh/release-namespace": "kube-system"}}),
]  # fmt: skip


@pytest.mark.parametrize("item", OWN, ids=called)
def test_parts_of_the_old_cluster_itself_stay(item: Item) -> None:
    # With the bindings, as a role is known by who uses it.
    assert item not in users([*OWN, item])


def test_rights_that_a_person_has_given_go_along() -> None:
    mine = [
        manifest("ClusterRole", "reader", ""),
        manifest("ClusterRoleBinding", "readers", "", roleRef={"kind": "ClusterRole", "name": "reader"},
              subjects=[{"kind": "ServiceAccount", "namespace": "shop", "name": "x"}]),
        manifest("StorageClass", "by-hand", "", provisioner="kubernetes.io/no-provisioner"),
    ]  # fmt: skip
    assert users(mine) == mine


def test_what_does_not_fit_is_refused() -> None:
    plan = plan_copy(found(free=7 * MIB), SPEC)
    assert "it needs 8 MiB, and 7 MiB are free" in plan.refusals[0].message and not plan.steps


def test_the_room_is_that_of_what_is_sent() -> None:
    there = found(free=9 * MIB)
    assert room_for(plan_copy(there, SPEC).steps, there) == Room(8 * MIB, 5 * MIB, 9 * MIB)
    streams = replace(there, engine=replace(there.engine, contents=True))
    assert room_for(plan_copy(streams, SPEC).steps, streams).packing == 0
    full = found(missing=frozenset(), filled=frozenset(["pvc-1"]), free=9 * MIB)
    assert room_for(plan_copy(full, SPEC).steps, full).line("in profile 'k8s'") == ""


@pytest.mark.parametrize(
    ("current", "reason"),
    [
        (ProfileState(NAME, ABSENT), r"there is no such profile.*There are: k8sx\. Did you mean 'k8sx'\?"),
        (replace(PROFILE, applied={"runtime": "docker", "kubernetes.enabled": True, "disk": 100}), "it has runtime docker"),
        (replace(PROFILE, applied={"runtime": "containerd", "disk": 100}), "it has no Kubernetes"),
        (replace(PROFILE, health=STOPPED, live={}), "it is stopped. Start it with 'colima start k8s'"),
        (replace(PROFILE, live={}), "its Kubernetes does not run"),
    ],
)
def test_a_profile_that_can_not_take_it_is_one_sentence(current: ProfileState, reason: str) -> None:
    (refusal,) = plan_copy(ClusterMoveState(current, others=("k8sx",)), SPEC).refusals
    assert re.search(reason, refusal.message), refusal.message


def test_a_cluster_does_not_move_to_itself() -> None:
    (refusal,) = plan_copy(found(new=[*K3S[1:], system("old")]), SPEC).refusals
    assert "'docker-desktop' is the cluster of profile 'k8s'" in refusal.message


def test_it_is_ready_when_all_is_there_and_the_workloads_are() -> None:
    assert "it is left to copy image 'web:1'" in plan_ready(found(), SPEC).refusals[0].message
    done = found([system("old")], missing=frozenset(), waiting=("Deployment shop/web",))
    assert "Deployment shop/web is not ready" in plan_ready(done, SPEC).refusals[0].message
    states = {"shop/data": SyncState.SOURCE_CHANGED, "shop/more": SyncState.ARRIVED, "shop/used": SyncState.TARGET_CHANGED}
    plan = plan_verify(replace(done, waiting=(), states=states), SPEC)
    (refusal,) = plan.refusals
    assert "volume 'shop/data'" in refusal.message
    assert plan.warnings == ("Changed in the new cluster since they arrived, and kept: shop/used.",)
    nothing = plan_verify(replace(done, waiting=()), SPEC)
    assert nothing.warnings == ("No volume was compared: the new cluster has none of the old one's.",)


def test_a_directory_of_the_new_cluster_with_other_content_is_no_arrival() -> None:
    there = found(missing=frozenset(), states={"shop/data": SyncState.CONFLICT})
    plan = plan_copy(there, SPEC)
    assert not any(isinstance(step, SendClaim) for step in plan.steps)
    assert "volume 'shop/data'" in str(plan.pending[0]) and "has other content, and both are kept" in str(plan.pending[0])
    assert plan.pending[0].kind == "conflict"


def test_images_go_under_the_names_that_workloads_say() -> None:
    (step,) = (one for one in plan_copy(found(), SPEC).steps if isinstance(one, SendImages))
    assert [one.tags for one in step.images] == [("web:1",)]
