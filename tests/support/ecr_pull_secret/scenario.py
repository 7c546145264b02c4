# SPDX-License-Identifier: GPL-3.0-or-later
"""Running laptop.containers.ecr_pull_secret as Ansible does, and looking at the cluster without it."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.laptop.containers.plugins.modules import ecr_pull_secret

from tests.support.in_process_module import as_a_module
from tests.support.test_runs import fault_rows

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer

ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"
SECRET_RULE = {"resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]}


@dataclass(frozen=True)
class Result:
    """What the module printed."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return bool(self.data.get("failed"))

    @property
    def changed(self) -> bool:
        return bool(self.data.get("changed"))

    @property
    def message(self) -> str:
        return str(self.data.get("msg", ""))

    @property
    def words(self) -> str:
        """What a person reads of it: the failure, or what became of the secrets."""
        counted = Counter(self.states.values())
        states = ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))
        return self.message if self.failed else states or "nothing to do"

    @property
    def states(self) -> dict[str, str]:
        return {row["namespace"]: row["state"] for row in self.data.get("secrets", [])}


def run(kubeconfig: Path | str, check: bool = False, **options: Any) -> Result:
    """Run the module with these options, on one registry unless others are given."""
    arguments = {
        "registries": [HOST],
        "kubeconfig": str(kubeconfig),
        **options,
        "_ansible_check_mode": check,
        "_ansible_diff": True,
    }
    printed = io.StringIO()
    with as_a_module(arguments), redirect_stdout(printed), suppress(SystemExit):
        ecr_pull_secret.main()
    result = Result(printed.getvalue(), json.loads(printed.getvalue()))
    fault_rows.note(result.words, failed=result.failed)
    return result


def read(apiserver: ApiServer, namespace: str, name: str = "ecr-creds", kind: str = "secrets") -> dict[str, Any] | None:
    """Return an object as the API server has it. Returns None when it is not there."""
    status, found = apiserver.request("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    return found if status == 200 else None


def content(apiserver: ApiServer, namespace: str) -> dict[str, Any]:
    """Return the docker config in the secret, as a kubelet reads it."""
    found = read(apiserver, namespace)
    assert found is not None
    return dict(json.loads(base64.b64decode(found["data"][".dockerconfigjson"])))


def password(apiserver: ApiServer, namespace: str, host: str = HOST) -> str:
    """Return the password that a kubelet would take from the secret."""
    entry = content(apiserver, namespace)["auths"][host]
    user, _, secret = base64.b64decode(entry["auth"]).decode().partition(":")
    assert user == "AWS"
    return secret


def age(apiserver: ApiServer, namespace: str, name: str = "ecr-creds") -> None:
    """Make a secret's token look expired without changing its content or its owner."""
    found = read(apiserver, namespace, name)
    assert found is not None
    notes = found["metadata"]["annotations"]
    record = json.loads(notes["laptop.containers/registries"])
    for entry in record.values():
        entry["issued"], entry["expires"] = "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"
    notes["laptop.containers/registries"] = json.dumps(record)
    del found["metadata"]["managedFields"]
    status, answer = apiserver.request(
        "PUT", f"/api/v1/namespaces/{namespace}/secrets/{found['metadata']['name']}?fieldManager=laptop.containers", found
    )
    assert status == 200, answer
