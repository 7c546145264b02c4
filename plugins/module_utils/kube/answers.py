# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster can answer: kinds of content, refusals, and no answer at all."""

from __future__ import annotations

import json
import re
from typing import Any

from ..core.errors import WorkstationError

JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


# What a server says of itself and of its resources, in forms of their own.
_DISCOVERY = re.compile(r"/(?:version|api(?:/[^/?]+)?|apis(?:/[^/?]+){0,2})/?(?:\?|\Z)")
# Characters of a server's sentence that are repeated.
LONGEST = 1000


def is_object(path: str, found: Any) -> bool:
    """Whether an answer is an object or a list of the Kubernetes API, as far as every one of them is the same."""
    if _DISCOVERY.match(path):
        return isinstance(found, dict)
    if not (isinstance(found, dict) and isinstance(found.get("kind"), str) and isinstance(found.get("apiVersion"), str)):
        return False
    if "items" in found or found["kind"].endswith("List"):
        items = found.get("items")
        return items is None or (isinstance(items, list) and all(map(has_metadata, items)))
    return found["kind"] == "Status" or has_metadata(found)


def has_metadata(item: Any) -> bool:
    """Whether an object says its name."""
    return isinstance(item, dict) and isinstance(item.get("metadata"), dict) and isinstance(item["metadata"].get("name"), str)


class Unreachable(WorkstationError):
    """The cluster does not answer at all."""


class Untrusted(WorkstationError):
    """The cluster answers, with a certificate that can't be trusted."""


class ApiError(Exception):
    """An answer that is not a success, with what the server says about it."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = {}
        said = said if isinstance(said, dict) else {}
        # A proxy, an ingress or another program on the port also answers 404; only an API server says it with a Status.
        self.by_api_server = said.get("kind") == "Status"
        self.reason = str(said.get("reason") or "")
        self.text = str(said.get("message") or "").strip()[:LONGEST]
        details: Any = said.get("details")
        details = details if isinstance(details, dict) else {}
        self.kind = str(details.get("kind") or "")
        causes = details.get("causes")
        causes = causes if isinstance(causes, list) else []
        self.causes = [cause for cause in causes if isinstance(cause, dict)]
        super().__init__(f"{status} {self.reason}")

    @property
    def not_found(self) -> bool:
        """Whether an API server says that what was asked for does not exist."""
        return self.status == 404 and self.by_api_server
