# SPDX-License-Identifier: GPL-3.0-or-later
"""What the containerd of a VM keeps, asked in the VM through nerdctl and buildctl, and its removal.

Kubernetes' own namespace is asked through the kubelet's interface: there, the cluster knows its images by names without a tag.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..colima.client.programs import Colima
from ..colima_paths import Name
from ..core.errors import WorkstationError
from ..core.system.together import together
from .items import KUBERNETES, cache_items, cluster_items, nerdctl_items
from .model import EngineInventory, ItemKind, ReclaimItem, ReclaimPolicy

# Namespaces of BuildKit and docker.
_FOREIGN_NAMESPACE = re.compile(r"(buildkit|moby|plugins\.moby)(_.*)?$")
_SECONDS = 180.0
_PRUNE_SECONDS = 900.0
# Words of one command line.
_MOST = 50


class ContainerdDisk:
    """The disk of one containerd."""

    def __init__(self, colima: Colima, name: Name) -> None:
        self.colima, self.name = colima, name

    def inventory(self, policy: ReclaimPolicy) -> EngineInventory:
        """Return the inventory, as far as the policy asks for it. Raises CommandFailed."""
        spaces = self._sudo("nerdctl", "namespace", "ls", "--quiet").split()
        ours = [space for space in spaces if space != KUBERNETES and not _FOREIGN_NAMESPACE.match(space)]
        questions: dict[str, Callable[[], Any]] = {space: partial(self._namespace, space, policy) for space in ours}
        questions[" cache"] = self._cache
        questions[" cluster"] = self._cluster if KUBERNETES in spaces else EngineInventory
        answers = together(questions)
        cluster: EngineInventory = answers[" cluster"]
        items = [item for space in ours for item in answers[space]]
        return EngineInventory((*items, *cluster.items, *answers[" cache"]), cluster.notes)

    def _namespace(self, space: str, policy: ReclaimPolicy) -> list[ReclaimItem]:
        nerdctl = partial(self._sudo, "nerdctl", "--namespace", space)
        boxes = _rows(nerdctl("ps", "--all", "--no-trunc", "--format", "{{json .}}"))
        images = _rows(nerdctl("images", "--no-trunc", "--format", "{{json .}}"))
        volumes = _rows(nerdctl("volume", "ls", "--size", "--format", "{{json .}}")) if policy.volumes else []
        inspected = []
        if boxes and (policy.volumes or policy.containers_age):
            inspected = json.loads(nerdctl("container", "inspect", *(str(box["ID"]) for box in boxes)) or "[]")
        return list(nerdctl_items(space, boxes, images, volumes, inspected))

    def _cache(self) -> list[ReclaimItem]:
        # It prints null for none.
        return list(cache_items(json.loads(self._sudo("buildctl", "du", "--format", "{{json .}}") or "[]") or ()))

    def _cluster(self) -> EngineInventory:
        crictl = partial(self._sudo, "k3s", "crictl")
        try:
            images = json.loads(crictl("images", "--output", "json"))
            boxes = json.loads(crictl("ps", "--all", "--output", "json"))
            return EngineInventory(tuple(cluster_items(images["images"], boxes["containers"])))
        except (WorkstationError, ValueError, KeyError, TypeError):
            note = (
                f"Images of Kubernetes in profile '{self.name}' were left alone: its cluster does not tell which of them it uses."
            )
            return EngineInventory(notes=(note,))

    def remove(self, kind: ItemKind, items: Iterable[ReclaimItem]) -> None:
        """Remove containers, images or volumes; what is in use is refused. Raises CommandFailed."""
        words = {ItemKind.CONTAINER: ("rm",), ItemKind.IMAGE: ("rmi",), ItemKind.VOLUME: ("volume", "rm")}[kind]
        spaces: dict[str, list[str]] = {}
        for item in items:
            spaces.setdefault(item.namespace, []).extend(item.handles)
        for space, handles in spaces.items():
            tool = ("k3s", "crictl") if space == KUBERNETES else ("nerdctl", "--namespace", space)
            for start in range(0, len(handles), _MOST):
                self._sudo(*tool, *words, *handles[start : start + _MOST])

    def prune_cache(self, age: float, items: Iterable[ReclaimItem]) -> None:
        """Remove the build cache that nothing has used for so many seconds. Raises CommandFailed."""
        del items
        self._sudo("buildctl", "prune", "--all", "--keep-duration", f"{age:.0f}s", seconds=_PRUNE_SECONDS)

    def _sudo(self, *command: str, seconds: float = _SECONDS) -> str:
        return self.colima.in_guest(self.name, "sudo", *command, seconds=seconds)


def _rows(text: str) -> list[dict[str, Any]]:
    """Return the rows that nerdctl prints as JSON, one a line."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
