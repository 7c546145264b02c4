# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull secret that has to go while its cluster does not answer, as in a teardown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.task import PullSecrets


def gone(**options: Any) -> dict[str, Any]:
    given = {"contexts": ["colima-k8s"], "namespaces": ["default"], "unreachable": "pending", "state": "absent", **options}
    checked = ArgumentSpecValidator(dict(PullSecrets.argument_spec)).validate(given)
    assert not checked.error_messages
    return run(PullSecrets(), checked.validated_parameters, check_mode=False)


def test_a_laptop_that_never_had_the_cluster_waits_for_nothing(home: Path) -> None:
    result = gone(kubeconfig=str(home / "none"))
    assert (result["changed"], result["pending"], result["secrets"]) == (False, [], [])


def test_what_waits_for_a_stopped_cluster_is_a_removal(home: Path) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "colima-k8s", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "none"}}],
    }
    (home / "kubeconfig").write_text(json.dumps(config))
    (pending,) = gone(kubeconfig=str(home / "kubeconfig"))["pending"]
    assert pending["change"] == "removing pull secret 'ecr-creds'"
