# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile's buildkitd.toml: written, removed, and saved from the deletion of the profile's directory."""

from __future__ import annotations

import contextlib
import os
import shutil

from ...colima_paths import Name, Paths
from ...core.errors import file_trouble
from ...core.system.files import make_directory, write_file

_REMEDY = "Make its directory writable."


def write(paths: Paths, name: Name, text: str) -> None:
    """Write the file. Through a link, as colima reads it through one."""
    file = paths.buildkit(name)
    make_directory(file.parent)
    write_file(file, text, 0o600, _REMEDY)


def remove(paths: Paths, name: Name) -> None:
    """Remove the file, and its directory if nothing else is in it."""
    file = paths.buildkit(name)
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise file_trouble(f"remove '{file}'", error, _REMEDY) from error
    # The user may keep a config.toml for containerd there.
    with contextlib.suppress(OSError):
        file.parent.rmdir()


def save(paths: Paths, name: Name) -> None:
    """Copy the file, or the link that it is, to where a deletion does not reach it."""
    make_directory(paths.own)
    part = paths.saved_buildkit(name).with_suffix(".part")
    part.unlink(missing_ok=True)
    shutil.copy2(paths.buildkit(name), part, follow_symlinks=False)
    part.replace(paths.saved_buildkit(name))


def restore(paths: Paths, name: Name) -> None:
    """Bring the saved file back, unless another is there by now."""
    file, saved = paths.buildkit(name), paths.saved_buildkit(name)
    if os.path.lexists(file):
        saved.unlink(missing_ok=True)
        return
    make_directory(file.parent)
    saved.replace(file)
