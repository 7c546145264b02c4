# SPDX-License-Identifier: GPL-3.0-or-later
"""Where colima keeps a profile's files: the command's own rules, as pure functions. Touches no file itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import InputError

# Lima's rule for instance names; colima itself checks nothing and leaves a half-made profile behind.
_INSTANCE = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_LONGEST_INSTANCE = 76


@dataclass(frozen=True)
class ColimaPaths:
    """colima's directory and its Lima directory."""

    base: str
    lima: str

    def profile(self, short_name: str) -> str:
        """Return the directory of the profile."""
        return posixpath.join(self.base, short_name)

    def socket(self, short_name: str, kind: str) -> str:
        """Return the host socket of the profile; kind is docker, containerd, buildkitd or incus."""
        return posixpath.join(self.base, short_name, f"{kind}.sock")


def colima_paths(environment: Mapping[str, str], home: str, system: str, exists: Callable[[str], bool]) -> ColimaPaths:
    """Return where colima looks, for system "Darwin" or anything else. The first rule that matches wins.

    A COLIMA_HOME that does not exist is ignored by colima without a word, so it is ignored here too.
    """
    asked = environment.get("COLIMA_HOME", "")
    usual = posixpath.join(home, ".colima")
    config = environment.get("XDG_CONFIG_HOME", "")
    if asked and exists(asked):
        base = asked
    elif exists(usual):
        base = usual
    elif config:
        base = posixpath.join(config, "colima")
    elif system == "Darwin":
        base = usual
    else:
        base = posixpath.join(home, ".config", "colima")
    return ColimaPaths(base=base, lima=environment.get("LIMA_HOME") or posixpath.join(base, "_lima"))


def short_profile_name(name: str) -> str:
    """Return colima's short form of a profile's name. Raises InputError for names that colima can't keep apart.

    colima strips one leading "colima-"; "", "colima" and "default" are one profile. "colima-default" would be another
    instance that shares the default profile's directory, and deleting it destroys the wrong files.
    """
    if name in ("", "colima", "default"):
        return "default"
    short = name.removeprefix("colima-")
    if short in ("", "default", "colima"):
        raise InputError(
            f"Could not use colima profile '{name}': colima mixes this name up with its default profile. "
            "Choose another name, or 'default'."
        )
    instance = f"colima-{short}"
    if not _INSTANCE.fullmatch(instance) or len(instance) > _LONGEST_INSTANCE:
        raise InputError(
            f"Could not use colima profile '{name}': Lima does not accept the name. "
            "Use letters and digits, with single '.', '_' or '-' between them, at most 69 characters."
        )
    return short
