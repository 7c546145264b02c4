# SPDX-License-Identifier: GPL-3.0-or-later
"""buildkitd.toml as settings: written for buildx, and compared with what buildx made of it.

buildx copies certificates that the file names into the builder and rewrites their paths; the comparison does the same.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.errors import InputError

_INSIDE = "/etc/buildkit/"
_NOT_IN_A_DIRECTORY_NAME = re.compile(r"[^a-zA-Z0-9.-]+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class BuildkitConfig:
    """The settings, and the digests of the certificate files that go with them (by their path inside the builder).

    inside is the form that the settings have inside the builder; None where the settings were read from there.
    """

    settings: Mapping[str, Any]
    digests: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, Any] | None = None

    def comparable(self) -> tuple[Any, dict[str, str]]:
        """Return what decides whether two configurations are the same."""
        return (self.inside if self.inside is not None else self.settings), dict(self.digests)

    def public(self) -> dict[str, Any]:
        """Return the settings as they are inside the builder; certificates only as the start of their digest."""
        files = {name: f"sha256:{digest[:12]}" for name, digest in sorted(self.digests.items())}
        return {**self.comparable()[0], **({"files": files} if files else {})}


def config_from(settings: Mapping[str, Any]) -> BuildkitConfig:
    """Return the configuration that a user wrote. Raises InputError for invalid settings and unreadable files."""
    # Now, and not when the builder that is to have them has made way.
    to_toml(settings)
    if not isinstance(settings.get("registry", {}), dict):
        remedy = "Write each host as a key with its settings below it."
        raise InputError("use buildkitd_config", "its registry is not a mapping", remedy)
    outside, inside = copy.deepcopy(dict(settings)), copy.deepcopy(dict(settings))
    digests: dict[str, str] = {}
    for host, registry in settings.get("registry", {}).items():
        _check_registry(host, registry)
        place = f"certs/{_NOT_IN_A_DIRECTORY_NAME.sub('_', host)}/"
        if registry.get("ca"):
            outside["registry"][host]["ca"] = [str(Path(path).expanduser()) for path in registry["ca"]]
            inside["registry"][host]["ca"] = [_carry(path, place, digests) for path in registry["ca"]]
        for number, pair in enumerate(registry.get("keypair", [])):
            for kind in ("key", "cert"):
                if pair.get(kind):
                    outside["registry"][host]["keypair"][number][kind] = str(Path(pair[kind]).expanduser())
                    inside["registry"][host]["keypair"][number][kind] = _carry(pair[kind], place, digests)
    return BuildkitConfig(outside, digests, inside)


def _check_registry(host: str, registry: Any) -> None:
    what = f"use buildkitd_config of registry '{host}'"
    if not isinstance(registry, dict):
        raise InputError(what, "it is not a mapping", "Write its settings as keys below it, such as http: true.")
    authorities, pairs = registry.get("ca", []), registry.get("keypair", [])
    if not (isinstance(authorities, list) and all(isinstance(path, str) for path in authorities)):
        raise InputError(what, "its ca is not a list of paths", "Write ca: [/path/to/ca.pem].")
    if not (isinstance(pairs, list) and all(_is_pair(pair) for pair in pairs)):
        remedy = "Write keypair: [{key: /key.pem, cert: /cert.pem}]."
        raise InputError(what, "its keypair is not a list of mappings with paths", remedy)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, dict) and all(isinstance(pair.get(kind, ""), str) for kind in ("key", "cert"))


def _carry(path: str, place: str, digests: dict[str, str]) -> str:
    """Note the digest of a certificate file and return the path that buildx gives it inside the builder."""
    try:
        content = Path(path).expanduser().read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(f"read '{path}' for the builder", reason, "Give the path of a readable file.") from error
    name = place + PurePosixPath(path).name
    digests[name] = hashlib.sha256(content).hexdigest()
    return _INSIDE + name


def config_read_back(files: Mapping[str, bytes]) -> BuildkitConfig | None:
    """Return the configuration that buildx keeps for a node, or None when it keeps none. Raises ValueError on damage."""
    if "buildkitd.toml" not in files:
        return None
    import tomllib

    settings = tomllib.loads(files["buildkitd.toml"].decode())
    return BuildkitConfig(
        settings, {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "buildkitd.toml"}
    )


def to_toml(settings: Mapping[str, Any]) -> str:
    """Return the settings as TOML. Raises InputError for what TOML can't hold."""
    lines: list[str] = []
    _write_table(settings, (), lines)
    return "\n".join(lines) + "\n"


def _write_table(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    later: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and all(isinstance(item, dict) for item in value)):
            later.append((key, value))
        else:
            lines.append(f"{_key(key, path)} = {_value(value, (*path, key))}")
    for key, value in later:
        name = ".".join([*map(_key, path), _key(key, path)])
        for item in [value] if isinstance(value, dict) else value:
            lines.append(f"[{name}]" if isinstance(value, dict) else f"[[{name}]]")
            _write_table(item, (*path, key), lines)


def _key(key: str, path: tuple[str, ...] = ()) -> str:
    if not isinstance(key, str):
        # YAML reads a bare 5000 as a number.
        place = ".".join(map(str, (*path, key)))
        reason = f"its name {key} is not a text"
        raise InputError(f"write buildkitd setting '{place}'", reason, "Put the name into quotes.")
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item, path) for item in value) + "]"
    raise InputError(f"write buildkitd setting '{'.'.join(path)}'", f"{value!r} has no form in TOML", "Leave it out.")
