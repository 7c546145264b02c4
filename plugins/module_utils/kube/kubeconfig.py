# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's kubeconfig file: one named entry (cluster, user and context of that name) read, put in place or removed.

Changes nothing else in the file, not even a comment, and the current context only when asked to. Never shows a credential.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InputError, NotVerified, RefusedStep, naming_files
from ..core.system.files import moved_away, replace_if_unchanged
from .edit import LISTS, CannotEdit, Editor
from .lock import lock_of
from .yaml_rules import NotYaml, parse, rules, without_collection

_WRITES = 5
_READS, _PAUSE = 50, 0.02


@dataclass(frozen=True)
class Change:
    """What becomes of the entry of a name: the cluster and user to write, or None to remove it; and the current context."""

    name: str
    entry: Mapping[str, Any] | None = None
    current: str | None = None


def path_from(environment: Mapping[str, str]) -> Path:
    """Return the file that kubectl and colima write to: the first of KUBECONFIG, else ~/.kube/config."""
    for part in environment.get("KUBECONFIG", "").split(os.pathsep):
        if part:
            return Path(part).expanduser()
    return Path(environment.get("HOME") or "~").expanduser() / ".kube" / "config"


def parts(config: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Return the entry of that name: which of cluster, user and context there are, each with its content."""
    return {
        kind: item[kind] if isinstance(item.get(kind), dict) else {}
        for plural, kind in LISTS.items()
        for item in reversed(_items(config, plural))
        if _is_named(item, name)
    }


def is_complete(config: Mapping[str, Any], name: str) -> bool:
    """Whether the entry has all three parts and they belong together."""
    entry = parts(config, name)
    context = entry.get("context", {})
    return bool(
        entry.get("cluster", {}).get("server")
        and entry.get("user")
        and context.get("cluster") == name
        and context.get("user") == name
    )


def entry_from_k3s(k3s: Mapping[str, Any], address: str = "") -> dict[str, Any]:
    """Return the parts that k3s' own kubeconfig describes. address replaces the loopback address where the VM has one."""
    entry = parts(k3s, "default")
    if set(entry) != set(LISTS.values()):
        raise InputError("read the kubeconfig of k3s", "it lacks the entry 'default'", "Is Kubernetes up in the VM?")
    cluster = dict(entry["cluster"])
    if address:
        cluster["server"] = re.sub(r"//127\.0\.0\.1:", f"//{address}:", str(cluster.get("server", "")))
    return {"cluster": cluster, "user": entry["user"]}


def changed(config: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """Return the config after the change. What the user added to a context (a namespace) stays."""
    result = dict(config)
    if change.entry is not None:
        result = {**result, "apiVersion": result.get("apiVersion", "v1"), "kind": result.get("kind", "Config")}
    for plural, kind in LISTS.items():
        items = _items(config, plural)
        ours = [index for index, item in enumerate(items) if _is_named(item, change.name)]
        if change.entry is None:
            gone = set(ours)
            result |= {plural: [item for index, item in enumerate(items) if index not in gone]} if ours else {}
            continue
        links = {"cluster": change.name, "user": change.name}
        content = {**parts(config, change.name).get("context", {}), **links} if kind == "context" else change.entry[kind]
        items = list(items)
        if ours:
            items[ours[0]] = {**items[ours[0]], kind: content}
        else:
            items.append({"name": change.name, kind: content})
        result[plural] = items
    current = config.get("current-context") or ""
    wanted = _current_after(current, change)
    return result if wanted == current else {**result, "current-context": wanted}


def _current_after(current: str, change: Change) -> str:
    if change.current is not None:
        return change.current
    return "" if change.entry is None and current == change.name else current


def holds(config: Mapping[str, Any], older: Mapping[str, Any], besides: str) -> bool:
    """Whether each entry of an older config is still there as it was, that of the name besides left aside."""
    for plural in LISTS:
        there: dict[str, list[Any]] = {}
        for item in _items(config, plural):
            there.setdefault(_name(item), []).append(item)
        if any(item not in there.get(_name(item), ()) for item in _items(older, plural) if _name(item) != besides):
            return False
    return True


def is_dangling(config: Mapping[str, Any]) -> bool:
    """Whether no context is current, or a missing one."""
    current = config.get("current-context") or ""
    return not current or "context" not in parts(config, current)


def load(path: Path) -> dict[str, Any]:
    """Return the file's content; empty when the file is missing. Raises InputError for an invalid one."""
    return _parsed(_text(path, _patiently_read(path)), path)[0]


def rewrite(path: Path, change: Change) -> bool:
    """Make one change, readable by the user only; a symbolic link stays one. Call it under the lock. Returns whether it changed.

    Raises RefusedStep, with the file as it was, for a file in a style that can't be changed safely.
    """
    target = Path(os.path.realpath(path))
    with naming_files(f"change kubeconfig '{path}'"), without_collection():
        for _attempt in range(_WRITES):
            data = _read(target)
            text = _text(path, data)
            config, root = _parsed(text, path)
            if changed(config, change) == config:
                return False
            new = _edited(path, text, root, config, change)
            _check(path, text, config, new, change)
            # colima copies over the file without a lock.
            if replace_if_unchanged(target, new.encode(), 0o600, data):
                return True
    raise NotVerified(f"change kubeconfig '{path}'", "another program keeps changing it", "Run again later.")


def _edited(path: Path, text: str, root: Any, config: Mapping[str, Any], change: Change) -> str:
    try:
        editor = Editor(text, root)
        wanted = changed(config, change)
        for key in ("apiVersion", "kind", "current-context"):
            if key in wanted and wanted[key] != config.get(key):
                editor.put(root, key, wanted[key])
        links = {"cluster": change.name, "user": change.name}
        for plural, kind in LISTS.items():
            if change.entry is None:
                editor.remove_item(plural, change.name)
            elif parts(config, change.name).get(kind) != parts(wanted, change.name)[kind]:
                item = next(item for item in wanted[plural] if _name(item) == change.name)
                editor.put_item(plural, item, links if kind == "context" else None)
        return editor.result()
    except CannotEdit as error:
        raise _refused(path, str(error), change) from error


def _check(path: Path, old: str, config: Mapping[str, Any], new: str, change: Change) -> None:
    """Read the new text back with the rules of YAML 1.1 and 1.2. Raises RefusedStep when it says anything else than was meant.

    config is the old text, read with those of YAML 1.1. Reading is nearly the whole cost of a change.
    """
    yaml_1_1, yaml_1_2 = rules()
    for loader in (yaml_1_1, yaml_1_2):
        try:
            before = config if loader is yaml_1_1 else parse(old, loader)[0]
            after = parse(new, loader)[0]
        except NotYaml as error:
            raise _refused(path, "its entries refer to each other", change) from error
        if after != changed(before or {}, change):
            raise _refused(path, "its entries refer to each other, or are written in an unusual way", change)


def _refused(path: Path, why: str, change: Change) -> RefusedStep:
    return RefusedStep(
        f"change entry '{change.name}' of kubeconfig '{path}' without a change to other entries",
        why,
        "Write the file in block style with 'kubectl config view --raw', or change the entry by hand.",
    )


def _parsed(text: str, path: Path) -> tuple[dict[str, Any], Any]:
    """Return the content and the node that it was read from."""
    remedy = f"Repair it, or move it away: {moved_away(path)}"
    try:
        document, root = parse(text, rules()[0])
    except NotYaml as error:
        raise InputError(f"read kubeconfig '{path}'", "it is not YAML", remedy) from error
    if document is None:
        return {}, None
    if not isinstance(document, dict):
        raise InputError(f"read kubeconfig '{path}'", "it is not a mapping", remedy)
    for plural in LISTS:
        if document.get(plural) and not isinstance(document[plural], list):
            raise InputError(f"read kubeconfig '{path}'", f"its {plural} are not a list", remedy)
    return document, root


def _text(path: Path, data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"read kubeconfig '{path}'", "it is not UTF-8", f"Repair it, or move it away: {moved_away(path)}"
        ) from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = "Name a file." if isinstance(error, IsADirectoryError) else "Make it readable for you."
        raise InputError(f"read kubeconfig '{path}'", reason, remedy) from error


def _patiently_read(path: Path) -> bytes | None:
    """Return the content. kubectl empties the file before it writes, under its lock: then it is read again."""
    for _attempt in range(_READS):
        data = _read(path)
        if data != b"" or not os.path.lexists(lock_of(path)):
            break
        time.sleep(_PAUSE)
    return data


def _items(config: Mapping[str, Any], plural: str) -> list[Any]:
    items = config.get(plural)
    return items if isinstance(items, list) else []


def _is_named(item: Any, name: str) -> bool:
    return isinstance(item, dict) and item.get("name") == name


def _name(item: Any) -> str:
    return str(item.get("name")) if isinstance(item, dict) else ""
