# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's kubeconfig file: one named entry (cluster, user and context of that name) read, put in place or taken out.

Touches nothing else in the file, never the current context unless told, and never shows a credential.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError, RefusedStep
from ..core.files import write_atomically

_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_LOCK_WAIT_SECONDS = 30.0
_STALE_LOCK_SECONDS = 20.0


def path_from(environment: Mapping[str, str]) -> Path:
    """Return the file that kubectl and colima write to: the first of KUBECONFIG, else ~/.kube/config."""
    for part in environment.get("KUBECONFIG", "").split(os.pathsep):
        if part:
            return Path(part).expanduser()
    return Path(environment.get("HOME") or "~").expanduser() / ".kube" / "config"


def parts(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the entry of that name: which of cluster, user and context there are, each with its content."""
    return {
        kind: item.get(kind) or {}
        for plural, kind in _LISTS.items()
        for item in config.get(plural) or ()
        if isinstance(item, dict) and item.get("name") == name
    }


def is_complete(config: Mapping[str, Any], name: str) -> bool:
    """Whether the entry has all three parts and they belong together."""
    entry = parts(config, name)
    context = entry.get("context") or {}
    return bool(
        (entry.get("cluster") or {}).get("server")
        and entry.get("user")
        and context.get("cluster") == name
        and context.get("user") == name
    )


def entry_from_k3s(k3s: Mapping[str, Any], address: str = "") -> dict[str, Any]:
    """Return the parts that k3s' own kubeconfig describes. address replaces the loopback address where the VM has one."""
    entry = parts(k3s, "default")
    if set(entry) != set(_LISTS.values()):
        raise InputError("Could not read the kubeconfig of k3s: it lacks the entry 'default'. Is Kubernetes up in the VM?")
    cluster = dict(entry["cluster"])
    if address:
        cluster["server"] = re.sub(r"//127\.0\.0\.1:", f"//{address}:", cluster.get("server", ""))
    return {"cluster": cluster, "user": entry["user"]}


def with_entry(config: Mapping[str, Any], name: str, entry: Mapping[str, Any], make_current: bool) -> dict[str, Any]:
    """Return the config with this cluster and user under one name, a context for them, and all else as it was.

    What the user added to the context (a namespace) stays.
    """
    result = copy.deepcopy(dict(config))
    result.setdefault("apiVersion", "v1")
    result.setdefault("kind", "Config")
    context = {**(parts(config, name).get("context") or {}), "cluster": name, "user": name}
    for plural, kind in _LISTS.items():
        items = result.get(plural) or []
        content = context if kind == "context" else entry[kind]
        found = [item for item in items if isinstance(item, dict) and item.get("name") == name]
        if found:
            found[0][kind] = content
        else:
            items.append({"name": name, kind: content})
        result[plural] = items
    if make_current:
        result["current-context"] = name
    return result


def without_entry(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the config without the parts of that name; a current context of that name is unset."""
    result = copy.deepcopy(dict(config))
    for plural in _LISTS:
        if result.get(plural):
            result[plural] = [item for item in result[plural] if not (isinstance(item, dict) and item.get("name") == name)]
    if result.get("current-context") == name:
        result["current-context"] = ""
    return result


def holds(config: Mapping[str, Any], older: Mapping[str, Any], besides: str) -> bool:
    """Whether each entry of an older config is still there as it was, that of the name besides left aside."""
    return all(
        item in (config.get(plural) or ())
        for plural in _LISTS
        for item in older.get(plural) or ()
        if not (isinstance(item, dict) and item.get("name") == besides)
    )


def is_dangling(config: Mapping[str, Any]) -> bool:
    """Whether no context is current, or one that is not there."""
    current = config.get("current-context") or ""
    return not current or "context" not in parts(config, current)


def load(path: Path) -> dict[str, Any]:
    """Return the file's content; empty when there is no file. Raises InputError for one that is no kubeconfig."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Could not read kubeconfig '{path}': {error}. Make it readable for you.") from error
    import yaml

    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"Could not read kubeconfig '{path}': it is not YAML. Repair it, or move it away.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InputError(f"Could not read kubeconfig '{path}': it is not a mapping. Repair it, or move it away.")
    for plural in _LISTS:
        if document.get(plural) and not isinstance(document[plural], list):
            raise InputError(f"Could not read kubeconfig '{path}': its {plural} are not a list. Repair it, or move it away.")
    return document


def save(path: Path, config: Mapping[str, Any]) -> None:
    """Replace the file at once, readable by the user only; a symbolic link stays one. Call it under the lock."""
    import yaml

    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    # For its owner only: a kubeconfig holds keys, whatever mode it had.
    write_atomically(target, yaml.safe_dump(dict(config), sort_keys=False, default_flow_style=False))


@contextlib.contextmanager
def locked(path: Path, wait: float = _LOCK_WAIT_SECONDS) -> Iterator[None]:
    """Hold kubectl's lock on a kubeconfig. kubectl itself does not wait and fails; this one waits."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    lock = path.with_name(path.name + ".lock")
    end = time.monotonic() + wait
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            if _is_stale(lock):
                # kubectl holds it for milliseconds; one this old was left by a killed process.
                lock.unlink(missing_ok=True)
            elif time.monotonic() >= end:
                raise RefusedStep(
                    f"Could not change kubeconfig '{path}': '{lock}' has been there for {wait:g} s. "
                    "If no kubectl is running, remove that file and run again."
                ) from None
            else:
                time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _is_stale(lock: Path) -> bool:
    try:
        return time.time() - lock.stat().st_mtime > _STALE_LOCK_SECONDS
    except FileNotFoundError:
        return False
