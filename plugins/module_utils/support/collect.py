# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a bundle, by name in it: a list of files that are known to help, each its end only, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from ..colima.model.settings import SETTINGS
from ..colima.model.shown import shown
from ..colima.model.yaml_text import parse
from ..colima_paths import Paths, parse_name
from ..core.errors import InputError
from ..core.records import directory
from ..core.system.home import state_directory
from .redact import Redact

# Bytes of one log: the end says most.
LONGEST = 256 * 1024
_STATE = ("*.log", "refresh.json", "autostart.json", "idle-stop.json", "pull.json")
_LIMA = ("ha.stderr.log", "ha.stdout.log", "serial*.log")


def collected(paths: Paths, redact: Redact) -> dict[str, str]:
    """Return the texts by their names in the bundle. What can't be read says why in its place."""
    found = {}
    for name, file in _files(paths):
        found[name] = redact(_end_of(file))
    for file in sorted(paths.base.glob("*/colima.yaml")):
        found[f"colima/{file.parent.name}/settings.json"] = redact(_settings(file))
    return found


def _files(paths: Paths) -> Iterator[tuple[str, Path]]:
    for file in sorted(directory().glob("*.jsonl")):
        yield f"runs/{file.name}", file
    for pattern in _STATE:
        for file in sorted(state_directory().glob(pattern)):
            yield f"timers/{file.name}", file
    for file in sorted(paths.own.glob("*.log*")):
        yield f"colima/{file.name}", file
    for folder in sorted(path for path in paths.lima.glob("colima*") if path.is_dir()):
        for pattern in _LIMA:
            for file in sorted(folder.glob(pattern)):
                yield f"lima/{folder.name}/{file.name}", file


def _end_of(file: Path) -> str:
    try:
        # Not a pipe, and not a link out of the directories that are known.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - LONGEST))
            text = handle.read(LONGEST).decode(errors="replace")
    except OSError as error:
        return f"could not be read: {(error.strerror or str(error)).lower()}\n"
    # The first line may have lost its beginning, and with it the word that marks a secret.
    return text if size <= LONGEST else text.partition("\n")[2]


def _settings(file: Path) -> str:
    """Return a profile's settings without values that may be secret."""
    with contextlib.suppress(OSError, InputError):
        parse_name(file.parent.name)
        config, problem = parse(file.read_text(encoding="utf-8", errors="replace"))
        if config is not None:
            settings = {one.option: shown(one.option, config.get(one.option)) for one in SETTINGS}
            return json.dumps(settings, indent=1) + "\n"
        return f"could not be read: {problem}\n"
    return "could not be read\n"
