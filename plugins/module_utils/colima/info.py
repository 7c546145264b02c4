# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about colima profiles, as a subject that only reads. Never fails because something is absent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..colima_paths import Name, parse_name, resolve
from ..core.subject import Reader, Result
from .client.programs import Colima
from .model.config import Host
from .observe.host import host_from
from .observe.read import ColimaState, read
from .report import full_profile


@dataclass(frozen=True)
class ProfileInfoSpec:
    """Which profiles, in the order of the result. names None: every profile with any trace."""

    names: tuple[Name, ...] | None
    host: Host


class ProfileReader(Reader[ProfileInfoSpec, ColimaState]):
    """The colima profiles of one user."""

    argument_spec = {
        "names": {"type": "list", "elements": "str"},
        "host": {
            "type": "dict",
            "options": {"system": {"type": "str", "choices": ["Darwin", "Linux"]}, "arch": {"type": "str"}},
        },
    }
    work = "read the colima profiles"

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ProfileInfoSpec:
        """Return which profiles to read. Raises InputError for an invalid name."""
        del check_mode
        names = params["names"]
        host = host_from(params["host"], os.environ)
        self.colima = Colima(resolve(os.environ, host.system))
        return ProfileInfoSpec(None if names is None else tuple(dict.fromkeys(parse_name(name) for name in names)), host)

    def read(self, spec: ProfileInfoSpec) -> ColimaState:
        """Return the current state."""
        return read(self.colima, spec.names, tolerant=True)

    def public(self, outcome: Result[ProfileInfoSpec, ColimaState]) -> dict[str, Any]:
        """Return everything that is known."""
        names, found, paths = outcome.spec.names, outcome.after, self.colima.paths
        order = list(found.profiles) if names is None else [name.name for name in names]
        return {
            "installed": self.colima.installed,
            "base": str(paths.base),
            "lima": str(paths.lima),
            "problems": list(found.problems),
            "profiles": [full_profile(paths, found.profiles[name], outcome.spec.host) for name in order],
        }


SUBJECT = ProfileReader
