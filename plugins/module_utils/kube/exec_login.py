# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials from the log-in program that a kubeconfig names (its exec entry), started as kubectl starts it.

The `kubernetes` package starts it, too, but waits for ever for one that waits for a browser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.command import Cli, Output
from ..core.errors import InputError, TimedOut, ToolMissing, WorkstationError
from .access import Access

# Time for a token from far away, not for somebody who is not there.
SECONDS = 60.0
EXTENSION = "client.authentication.k8s.io/exec"


def log_in_by_program(access: Access, entry: Any, home: Path, cluster: Mapping[str, Any]) -> Access:
    """Return the access with the program's credentials. Raises WorkstationError when it gave none.

    home is the directory of the kubeconfig, from which a relative path of the program starts.
    """
    try:
        command, version = str(entry["command"]), str(entry["apiVersion"])
        words = [str(word) for word in entry.get("args") or ()]
        variables = {str(item["name"]): str(item["value"]) for item in entry.get("env") or ()}
        asked = {"interactive": False, **({"cluster": _shown(access, cluster)} if entry.get("provideClusterInfo") else {})}
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"Could not log in to kube context '{access.context}': the exec entry of its user is incomplete. "
            "Repair the kubeconfig."
        ) from error
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": asked}
    tool = Cli(str(home / command) if "/" in command else command, str(entry.get("installHint") or ""), variables)
    try:
        output = tool.run(*words, check=False, timeout=SECONDS, environment={"KUBERNETES_EXEC_INFO": json.dumps(info)})
    except TimedOut:
        # Not with what it printed so far: that may be the token.
        raise _failed(access, command, f"did not answer within {SECONDS:g} s") from None
    except ToolMissing as error:
        raise _failed(access, command, "is not installed or not on PATH") from error
    except OSError as error:
        raise _failed(access, command, f"can't be started ({error.strerror})") from error
    if output.rc != 0:
        said = next((f" ({line.strip()})" for line in reversed(output.stderr.splitlines()) if line.strip()), "")
        raise _failed(access, command, f"failed with exit code {output.rc}{said}")
    status = _status(output, version)
    token, certificate, key = (status.get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not (certificate and key):
        raise _failed(access, command, "gave no credentials")
    return replace(
        access,
        certificate=str(certificate).encode() or access.certificate,
        key=str(key).encode() or access.key,
        authorization=f"Bearer {token}" if token else access.authorization,
    )


def _failed(access: Access, command: str, why: str) -> WorkstationError:
    return WorkstationError(
        f"Could not log in to kube context '{access.context}': its log-in program '{command}' {why}. "
        f"Run 'kubectl --context {access.context} get namespaces' and repair what it reports."
    )


def _status(output: Output, version: str) -> Mapping[str, Any]:
    """Return the program's answer, or nothing when it is none in the version that was asked for."""
    try:
        answer = json.loads(output.stdout)
    except ValueError:
        return {}
    fits = isinstance(answer, dict) and answer.get("apiVersion") == version
    return answer["status"] if fits and isinstance(answer.get("status"), dict) else {}


def _shown(access: Access, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a program may know of the cluster."""
    found: dict[str, Any] = {
        "server": access.server,
        "tls-server-name": access.server_name,
        "insecure-skip-tls-verify": not access.verify,
        "certificate-authority-data": base64.b64encode(access.ca).decode(),
        "proxy-url": access.proxy,
        "config": next((item["extension"] for item in cluster.get("extensions") or () if item["name"] == EXTENSION), None),
    }
    return {key: value for key, value in found.items() if value}
