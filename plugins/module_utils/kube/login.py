# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that need a provider (OIDC and the like, auth-provider), by the kubernetes package.

Only those: address, authority, proxy and impersonation stay what the kubeconfig says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..core.errors import ToolMissing, WorkstationError
from .access import Access


def log_in(access: Access, paths: Sequence[Path]) -> Access:
    """Return the access with the credentials of its context's provider. Raises WorkstationError when it gave none."""
    try:
        from kubernetes.client import Configuration
        from kubernetes.config import kube_config
    except ImportError as error:
        raise ToolMissing("kubernetes", "Install it into Ansible's Python: pip install kubernetes.") from error
    configuration = Configuration()
    reason = "its log-in provider gave no credentials"
    try:
        kube_config.load_kube_config(
            config_file=":".join(str(path) for path in paths),
            context=access.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as error:
        reason = (str(error).splitlines() or [reason])[0]
        configuration.api_key = {}
    # The package logs what went wrong with a provider and goes on; the name of the entry depends on its version.
    authorization = next((value for value in configuration.api_key.values() if value), "")
    if not (authorization or configuration.cert_file):
        raise WorkstationError(
            f"Could not log in to kube context '{access.context}': {reason}. "
            f"Run 'kubectl --context {access.context} get namespaces' and repair what it reports."
        )
    return replace(
        access,
        certificate=_file(configuration.cert_file),
        key=_file(configuration.key_file),
        authorization=str(authorization),
    )


def _file(path: str | None) -> bytes:
    return Path(path).read_bytes() if path else b""
