# SPDX-License-Identifier: GPL-3.0-or-later
"""buildkitd's configuration on its way into a builder: certificates are taken along, paths become those in the container."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from ..flags import Exit

CONFIG_DIR = "/etc/buildkit"


def load(file: str) -> dict[str, bytes]:
    """Return the files of a builder for `--buildkitd-config FILE`. Raises Exit in buildx's words."""
    import tomllib

    path = Path(file)
    if not path.exists():
        raise Exit(f"ERROR: buildkit configuration file not found: {file}: stat {file}: no such file or directory\n")
    try:
        config = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Exit(f"ERROR: failed to parse buildkit config: {error}\n") from error
    files: dict[str, bytes] = {}
    for name, registry in config.get("registry", {}).items():
        folder = posixpath.join("certs", re.sub(r"[^a-zA-Z0-9.-]+", "_", name))
        if registry.get("ca"):
            registry["ca"] = [_take(files, folder, item, "CA") for item in registry["ca"]]
        for pair in registry.get("keypair", []):
            for kind in ("key", "cert"):
                if pair.get(kind):
                    pair[kind] = _take(files, folder, pair[kind], kind)
    files["buildkitd.toml"] = "\n".join(_table(config, "")).encode() + b"\n"
    return dict(sorted(files.items()))


def _take(files: dict[str, bytes], folder: str, file: str, kind: str) -> str:
    name = posixpath.join(folder, posixpath.basename(file))
    try:
        files[name] = Path(file).read_bytes()
    except OSError as error:
        reason = f"open {file}: {(error.strerror or '').lower()}"
        raise Exit(f"ERROR: failed to read {kind} file: {file}: {reason}\n") from error
    return posixpath.join(CONFIG_DIR, name)


def _table(table: dict[str, Any], prefix: str) -> list[str]:
    """Return the lines of a table as go-toml writes them: plain values first, keys sorted, literal strings."""
    lines = [f"{_key(key)} = {_value(table[key])}" for key in sorted(table) if not _is_table(table[key])]
    for key in sorted(table):
        value, name = table[key], f"{prefix}{_key(key)}"
        if not _is_table(value):
            continue
        for inner, head in [(value, f"[{name}]")] if isinstance(value, dict) else [(item, f"[[{name}]]") for item in value]:
            if lines and not lines[-1].startswith("["):
                lines.append("")
            lines += [head, *_table(inner, f"{name}.")]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f"'{key}'"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return f"'{value}'" if isinstance(value, str) else str(value)
