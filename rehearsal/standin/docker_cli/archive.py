# SPDX-License-Identifier: GPL-3.0-or-later
"""The tar archive of `docker context export` and `import`."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from .flags import Exit
from .template import dumps


def pack(context: dict[str, Any], tls: dict[str, bytes]) -> bytes:
    """Return the archive of one context with its TLS files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "meta.json", dumps(context).encode(), 0o644)
        _add(archive, "tls", None, 0o700)
        if tls:
            _add(archive, "tls/docker", None, 0o700)
        for name, content in tls.items():
            _add(archive, f"tls/docker/{name}", content, 0o600)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes | None, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    entry.size = len(content or b"")
    if content is None:
        entry.type = tarfile.DIRTYPE
    archive.addfile(entry, io.BytesIO(content or b""))


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a context and its TLS files from an archive."""
    context: dict[str, Any] | None = None
    tls: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                member = archive.extractfile(entry)
                if member is None:
                    continue
                if entry.name == "meta.json":
                    context = json.loads(member.read())
                elif entry.name.startswith("tls/docker/"):
                    tls[entry.name.removeprefix("tls/docker/")] = member.read()
    except tarfile.TarError as error:
        raise Exit("archive/tar: invalid tar header\n") from error
    if context is None:
        raise Exit("invalid context: no metadata found\n")
    return context, tls
