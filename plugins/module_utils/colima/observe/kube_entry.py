# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a profile's entry in the kubeconfig was last compared with the k3s in its VM.

Only the VM can tell what its k3s wrote. An entry that has not changed since needs no second look, as long as the server
that it names proves itself by the authority in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ...colima_paths import Name, Paths
from ...core.system.files import text_of, write_atomically


def digest_of(entry: Mapping[str, Any]) -> str:
    """Return what tells an entry from any other: SHA-256 in hex. The context in it may be changed by the user."""
    parts = {kind: entry.get(kind) for kind in ("cluster", "user")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def is_noted(paths: Paths, name: Name, entry: Mapping[str, Any]) -> bool:
    """Whether an entry is as it was when it was compared."""
    return text_of(paths.kube_entry(name)) == digest_of(entry)


def note_entry(paths: Paths, name: Name, digest: str) -> None:
    """Note that an entry was compared, and is that of the k3s in the VM."""
    write_atomically(paths.kube_entry(name), digest)
