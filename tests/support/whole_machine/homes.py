# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is in a home, to compare it before and after."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path

Tree = Mapping[str, tuple[str, str]]
LARGE = 1 << 30
# The files that stay after a teardown, as the README lists them, and why.
STAYS = (
    r"\.state/laptop\.containers/.*",  # records of the last runs
    r"\.local/state/laptop\.containers/(\w+\.)?lock",  # locks, wherever XDG_STATE_HOME is
    r"\.colima/ssh_config|\.colima/_lima/(_config/.*|_laptop\.containers/lock)",  # colima's and Lima's own, of no profile
    r"Library/Caches/colima/.*",  # downloaded images
    r"\.docker/buildx/.*",  # what buildx notes of contexts that it has seen
    r"\.docker/config\.json\.\d{8}-\d{6}(-\d+)?\.bak",  # copies of what was changed, numbered within a second
    r"\.docker/config\.json",  # without a setting
    r"\.kube/config",  # without an entry
    r"\.kube/cache/.*",  # what kubectl notes of clusters that it has asked: some builds ask for each command
    r"\.rehearsal/.*",  # the stand-ins' own
)


def tree(home: Path) -> dict[str, tuple[str, str]]:
    """Return kind, permissions and content of everything in a home: a link's target, a file's hash."""
    found = {}
    for path in sorted(home.rglob("*")):
        mode = path.lstat().st_mode
        content = str(path.readlink()) if stat.S_ISLNK(mode) else _hash(path) if stat.S_ISREG(mode) else ""
        found[str(path.relative_to(home))] = (stat.filemode(mode), content)
    return found


def _hash(path: Path) -> str:
    """The hash of a file. A disk of a VM has hundreds of GiB, nearly all of them holes: of such a file, its size and time."""
    found = path.stat()
    if found.st_size > LARGE:
        return f"{found.st_size} bytes of {found.st_mtime_ns}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changes(before: Tree, after: Tree) -> dict[str, tuple[object, object]]:
    """Return what differs, but for new folders and the files that are meant to stay."""
    found: dict[str, tuple[object, object]] = {}
    for name in sorted({*before, *after}):
        was, is_now = before.get(name), after.get(name)
        folder = is_now is not None and is_now[0].startswith("d")
        stays = was is None and (folder or any(re.fullmatch(one, name) for one in STAYS))
        if was != is_now and not stays:
            found[name] = (was, is_now)
    return found
