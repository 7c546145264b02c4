# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of docker's contexts, builders and logins on the laptop. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.secrecy.patterns import without_logins
from .client import context_hosts, read_config


@dataclass(frozen=True)
class DockerNames:
    """helper: the program that keeps all logins; helpers: programs that keep the logins of one registry, by its host."""

    contexts: tuple[str, ...] = ()
    current: str = ""
    builders: tuple[str, ...] = ()
    helper: str = ""
    helpers: tuple[tuple[str, str], ...] = ()
    logins: tuple[str, ...] = ()

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {**asdict(self), "helpers": dict(self.helpers)}


def read_docker_names(docker: Path, buildx: Path) -> DockerNames:
    """Return the names. docker, buildx: their directories. Raises InputError for a config.json that can't be read."""
    config = read_config(docker)
    return DockerNames(
        tuple(sorted(context_hosts(docker))),
        str(config.get("currentContext") or ""),
        tuple(sorted(path.name for path in (buildx / "instances").glob("*"))),
        str(config.get("credsStore") or ""),
        tuple(sorted((without_logins(host), str(helper)) for host, helper in _table(config, "credHelpers").items())),
        tuple(sorted(map(without_logins, _table(config, "auths")))),
    )


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}
