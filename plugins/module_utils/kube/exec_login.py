# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials from the log-in program that a kubeconfig names (its exec entry), started as kubectl starts it.

The `kubernetes` package starts it, too, but waits without a limit for a program that waits for a browser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError, TimedOut, ToolMissing, WorkstationError
from ..core.secrecy.known import learn
from ..core.system.command import Cli, Output
from .entry import Entry

# Time for a token from far away, not for a user who is away; and characters that it may print.
SECONDS = 30.0
MOST = 1 << 20
EXTENSION = "client.authentication.k8s.io/exec"


def log_in_by_program(entry: Entry) -> dict[str, Any]:
    """Return what the program gives for the user: a token, or a certificate. Raises WorkstationError when it gave none."""
    asked = entry.user["exec"]
    try:
        command, version = str(asked["command"]), str(asked["apiVersion"])
        words = [str(word) for word in _listed(asked, "args")]
        variables = {str(item["name"]): str(item["value"]) for item in _listed(asked, "env")}
        hint = str(asked.get("installHint") or "").strip()
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"log in to kube context '{entry.context}'", "the exec entry of its user is incomplete", "Repair the kubeconfig."
        ) from error
    if asked.get("interactiveMode") == "Always":
        raise _failed(entry, command, "needs a terminal (interactiveMode: Always), and a run has none")
    spec = {"interactive": False, **({"cluster": _shown(entry)} if asked.get("provideClusterInfo") is True else {})}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    try:
        output = Cli(command, hint, variables).run(
            *words,
            check=False,
            timeout=SECONDS,
            environment={"KUBERNETES_EXEC_INFO": json.dumps(info)},
            most=MOST,
            guarded=True,
            secret=True,
        )
    except TimedOut as error:
        # Not with what it printed so far: that may be the token.
        late = f"did not answer within {SECONDS:g} s; it may wait for a browser"
        raise _failed(entry, command, late if "longer" in error.reason else f"can't be used: {error.reason}") from None
    except ToolMissing as error:
        raise _failed(entry, command, "is not installed or not on PATH", hint) from error
    except OSError as error:
        raise _failed(entry, command, f"can't be started ({error.strerror})", hint) from error
    if output.rc != 0:
        # Not with what it printed: that may be what it was to keep.
        raise _failed(entry, command, f"failed with exit code {output.rc}")
    return _credentials(entry, command, _status(output, version))


def _listed(asked: Mapping[str, Any], key: str) -> list[Any]:
    found = asked.get(key) or []
    if not isinstance(found, list):
        raise TypeError(key)
    return found


def _credentials(entry: Entry, command: str, status: Mapping[str, Any]) -> dict[str, Any]:
    token, certificate, key = (status.get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not (certificate and key):
        raise _failed(entry, command, "gave no credentials")
    learn(str(token), *str(key).splitlines()[1:-1])
    found = {"token": str(token)} if token else {}
    if certificate and key:
        found["client-certificate-data"] = base64.b64encode(str(certificate).encode()).decode()
        found["client-key-data"] = base64.b64encode(str(key).encode()).decode()
    return found


def _failed(entry: Entry, command: str, why: str, hint: str = "") -> WorkstationError:
    return WorkstationError(
        f"log in to kube context '{entry.context}'",
        f"its log-in program '{command}' {why}",
        hint or f"Run 'kubectl --context {entry.context} get namespaces' and repair what it reports.",
    )


def _status(output: Output, version: str) -> Mapping[str, Any]:
    """Return the program's answer, or nothing when it is none in the version that was asked for."""
    try:
        answer = json.loads(output.stdout)
    except (ValueError, RecursionError):
        return {}
    fits = isinstance(answer, dict) and answer.get("apiVersion") == version
    return answer["status"] if fits and isinstance(answer.get("status"), dict) else {}


def _shown(entry: Entry) -> dict[str, Any]:
    """Return what a program may know of the cluster."""
    cluster = entry.cluster
    authority = cluster.get("certificate-authority-data")
    if not authority and cluster.get("certificate-authority"):
        authority = base64.b64encode(Path(cluster["certificate-authority"]).read_bytes()).decode()
    extensions = cluster.get("extensions")
    own = [item for item in extensions if isinstance(item, dict)] if isinstance(extensions, list) else []
    found: dict[str, Any] = {
        "server": entry.server,
        "tls-server-name": cluster.get("tls-server-name"),
        "insecure-skip-tls-verify": cluster.get("insecure-skip-tls-verify") is True,
        "certificate-authority-data": authority,
        "proxy-url": cluster.get("proxy-url"),
        "config": next((item.get("extension") for item in own if item.get("name") == EXTENSION), None),
    }
    return {key: value for key, value in found.items() if value}
