# SPDX-License-Identifier: GPL-3.0-or-later
"""One request on a resource, and which of its options fit together."""

from __future__ import annotations

from dataclasses import dataclass

from ..access import User
from ..resources import Resource
from ..store import Key
from . import status

APPLY = "application/apply-patch+yaml"
PATCHES = {
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    APPLY,
}
LONGEST_MANAGER = 128


@dataclass(frozen=True)
class Request:
    """One request on a resource, after its address was read."""

    user: User
    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str
    query: dict[str, str]
    body: bytes
    media: str
    agent: str

    @property
    def manager(self) -> str:
        return self.query.get("fieldManager") or self.agent.partition("/")[0]

    @property
    def dry(self) -> bool:
        return self.query.get("dryRun") == "All"

    def key(self, name: str = "") -> Key:
        return self.resource.group, self.resource.plural, self.namespace if self.resource.namespaced else "", name or self.name


def check_options(request: Request) -> None:
    """Raise 422 for options of a write that do not fit together."""
    kind = {"patch": "PatchOptions", "create": "CreateOptions", "update": "UpdateOptions"}.get(request.verb)
    if kind is None:
        return
    query, causes = request.query, []
    applied = request.media == APPLY and request.verb == "patch"
    if "force" in query and not applied:
        causes.append(("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch"))
    if applied and not query.get("fieldManager"):
        causes.append(("fieldManager", "FieldValueRequired", "Required value: is required for apply patch"))
    if len(query.get("fieldManager", "")) > LONGEST_MANAGER:
        reason = f"Too long: may not be more than {LONGEST_MANAGER} bytes"
        causes.append(("fieldManager", "FieldValueTooLong", reason))
    if query.get("dryRun", "All") != "All":
        message = f'Unsupported value: ["{query["dryRun"]}"]: supported values: "All"'
        causes.append(("dryRun", "FieldValueNotSupported", message))
    if causes:
        refusal = status.invalid(kind, "", causes, "meta.k8s.io")
        raise refusal
