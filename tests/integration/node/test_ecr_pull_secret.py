# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of a real node pull from the registry that wants ECR's token, with what the page of pull secrets shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.services.ecr import Ecr
from tests.support.builds.node import SECOND, Node
from tests.support.ecr_pull_secret.refresh import ROOT, Refresh
from tests.support.ecr_pull_secret.scenario import HOST, age
from tests.support.pages import snippet

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx")
PAGE = ROOT / "docs" / "pull-secrets.md"
# The image of the page.
WEB = f"{HOST}/web:1.4"
# How a pod comes to the secret: the names of three namespaces.
NAMED, ACCOUNT, CHART = WAYS = ("by-name", "by-account", "by-chart")
DEPLOYMENT: dict[str, Any] = yaml.safe_load(snippet(PAGE, "yaml", "kind: Deployment"))


@pytest.fixture
def refresh(home: Path, node: Node, ecr: Ecr) -> Refresh:
    """The run that renews the secrets of the node's cluster."""
    return Refresh(home, node.cluster.api, ecr)


def apply(node: Node, namespace: str, named: bool = True) -> None:
    """Apply the Deployment of the page, or the same without the name of the secret."""
    pod = {key: value for key, value in DEPLOYMENT["spec"]["template"]["spec"].items() if named or key != "imagePullSecrets"}
    template = {**DEPLOYMENT["spec"]["template"], "spec": pod}
    deployment = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "template": template}}
    node.cluster.kubectl("apply", "--namespace", namespace, "--filename", "-", standard_input=json.dumps(deployment))


def install(node: Node, folder: Path) -> None:
    """Install the chart that `helm create` makes, with the values of the page."""
    # The image serves nothing that a probe could ask for.
    values = {**yaml.safe_load(snippet(PAGE, "yaml", "image:\n  repository")), "livenessProbe": None, "readinessProbe": None}
    values["image"]["tag"] = WEB.rpartition(":")[2]
    (folder / "values.yaml").write_text(json.dumps(values))
    node.cluster.helm("create", str(folder / "web"))
    node.cluster.helm("install", "web", str(folder / "web"), f"--namespace={CHART}", f"--values={folder / 'values.yaml'}")


def renew(refresh: Refresh) -> str:
    """Renew the secrets of the three namespaces; return what both runs say that they did."""
    runs = [
        refresh(secret_refresh_namespaces=[NAMED, CHART]),
        refresh(secret_refresh_namespaces=[ACCOUNT], secret_refresh_service_accounts=["default"]),
    ]
    return "".join(run.stdout.rpartition("PLAY RECAP")[2] for run in runs)


@pytest.mark.real("helm")
def test_pods_pull_with_the_secret_until_its_token_ends_and_again_after_the_next_refresh(
    node: Node, refresh: Refresh, tmp_path: Path
) -> None:
    node.push(WEB)
    for namespace in WAYS:
        node.cluster.api.namespace(namespace)
    renew(refresh)
    apply(node, NAMED)
    apply(node, ACCOUNT, named=False)
    install(node, tmp_path)
    for namespace in WAYS:
        node.runs("web", namespace)

    node.ecr.rotate()
    node.forget(WEB)
    for namespace in WAYS:
        node.cluster.kubectl("delete", "pods", "--all", "--namespace", namespace, "--now")
        assert "401 Unauthorized" in node.refusal(namespace)
    for namespace in WAYS:
        age(node.cluster.api, namespace)
    assert renew(refresh).count("(it has expired)") == len(WAYS)
    for namespace in WAYS:
        node.runs("web", namespace)


def test_a_pod_without_the_secret_gets_no_image_that_another_pulled_with_it(node: Node, refresh: Refresh) -> None:
    node.push(WEB)
    for namespace in ("with", "without"):
        node.cluster.api.namespace(namespace)
    refresh(secret_refresh_namespaces=["with"])
    apply(node, "with")
    node.runs("web", "with")
    apply(node, "without", named=False)
    assert "401 Unauthorized" in node.refusal("without")


def test_one_secret_opens_registries_of_two_regions(node: Node, refresh: Refresh) -> None:
    images = [f"{host}/regional:1" for host in (HOST, SECOND)]
    for image in images:
        node.push(image)
    node.cluster.api.namespace("regions")
    refresh(secret_refresh_namespaces=["regions"], secret_refresh_registries=[HOST, SECOND])
    containers = [{"name": f"app{number}", "image": image} for number, image in enumerate(images)]
    spec = {"imagePullSecrets": [{"name": "ecr-creds"}], "containers": containers}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "both"}, "spec": spec}
    node.cluster.kubectl("apply", "--namespace=regions", "--filename=-", standard_input=json.dumps(pod))
    node.cluster.kubectl("wait", "pod/both", "--namespace=regions", "--for=condition=Ready", "--timeout=90s")
