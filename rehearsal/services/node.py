# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that k3s would register: in a lab no kubelet runs, and the API server keeps what it is given."""

from __future__ import annotations

from typing import Any

from rehearsal.processes.system import LabError
from rehearsal.services.apiserver import ApiServer

_RUNTIMES = {"docker": "docker://28.4.0", "containerd": "containerd://2.1.5-k3s1"}


def register_node(api: ApiServer, instance: str, runtime: str) -> None:
    """Register the node of a VM as ready, in place of what it reported before. Raises LabError."""
    status, version = api.request("GET", "/version")
    kubelet = str(version["gitVersion"]) if status == 200 else ""
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": instance},
        "status": {
            "conditions": [ready],
            "nodeInfo": {
                "kubeletVersion": kubelet,
                "containerRuntimeVersion": _RUNTIMES.get(runtime, _RUNTIMES["containerd"]),
                "osImage": "Ubuntu 24.04.3 LTS",
                "kernelVersion": "6.8.0-79-generic",
                "architecture": "arm64",
                "operatingSystem": "linux",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kubeProxyVersion": "",
            },
        },
    }
    # A kubelet that starts reports afresh.
    api.request("DELETE", f"/api/v1/nodes/{instance}")
    status, answer = api.request("POST", "/api/v1/nodes", body)
    if status != 201:
        raise LabError(f"Could not register node '{instance}': {answer}.")
