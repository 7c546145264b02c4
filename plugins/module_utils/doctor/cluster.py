# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster as an examination asks it: in a hurry, and without changing a thing. Loaded only where a cluster is asked."""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import WorkstationError
from ..kube.access import read_access
from ..kube.answers import ApiError
from ..kube.entry import find_entry
from ..kube.objects import Kube, why_refused
from .certificates import ends, ends_in_pem


class ClusterReader:
    """The cluster of one context. Raises WorkstationError where the kubeconfig does not lead to one."""

    def __init__(self, context: str, paths: Sequence[Path], seconds: float) -> None:
        from ..kube.client import KubeHttp
        from ..kube.patience import Patience

        self.entry = find_entry(context, paths)
        self.access = read_access(context, paths)
        self.seconds = seconds
        self.kube = Kube(KubeHttp(self.access, Patience(request=seconds, total=seconds)))

    def get(self, path: str, action: str) -> Any:
        """Return an answer. Raises Unreachable, or WorkstationError with what the server objects to."""
        try:
            return self.kube.http.json("GET", path)
        except ApiError as error:
            reason = why_refused(error, action)
            raise WorkstationError(
                f"{action[0].upper()}{action[1:]} of cluster '{self.access.context}' failed: {reason}"
            ) from error

    def version(self) -> str:
        """Return the server's version."""
        return str(self.get("/version", "read the version").get("gitVersion") or "")

    def nodes(self) -> list[Mapping[str, Any]]:
        """Return the nodes."""
        return list(self.get("/api/v1/nodes", "list nodes").get("items") or ())

    def certificates(self) -> dict[str, datetime]:
        """Return when the certificates of the server and of this user end; what has none, or can't be read, is left out."""
        found = {"server": self._server_ends(), "your own": self._user_ends()}
        return {whose: moment for whose, moment in found.items() if moment is not None}

    def _server_ends(self) -> datetime | None:
        parts = urlsplit(self.access.server)
        if self.access.tls is None or not parts.hostname:
            return None
        try:
            with (
                socket.create_connection((parts.hostname, parts.port or 443), timeout=self.seconds) as plain,
                self.access.tls.wrap_socket(plain, server_hostname=parts.hostname) as secure,
            ):
                return ends(secure.getpeercert(binary_form=True) or b"")
        except (OSError, ValueError):
            # Whether it answers, and whether it can be trusted, the request for its version tells.
            return None

    def _user_ends(self) -> datetime | None:
        data, file = self.entry.user.get("client-certificate-data"), self.entry.user.get("client-certificate")
        try:
            content = base64.b64decode(str(data)) if data else Path(str(file)).read_bytes() if file else b""
            return min(ends_in_pem(content), default=None)
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Close every connection."""
        self.kube.http.close()
