# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns which field: managedFields, server-side apply and the patches. Maps are shared by key, lists as a whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from .http.status import conflicting

Object = dict[str, Any]
Path = tuple[str, ...]
Owners = dict[tuple[str, str], "Entry"]

# What the server writes itself has no owner.
SERVER_FIELDS = {
    ("apiVersion",),
    ("kind",),
    *(("metadata", name) for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")),
    *(("metadata", name) for name in ("managedFields", "deletionTimestamp", "generateName", "generation", "selfLink")),
    ("spec",),
    ("status",),
}
MISSING = object()


class Entry:
    """The fields of one manager."""

    def __init__(self, api_version: str, time: str, fields: set[Path]) -> None:
        self.api_version = api_version
        self.time = time
        self.fields = fields


def leaves(value: Object, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every field that holds a value; an empty map counts as one."""
    for key, item in value.items():
        path = (*at, key)
        if path in SERVER_FIELDS:
            continue
        if isinstance(item, dict) and item:
            yield from leaves(item, path)
        elif item != {} or path != ("metadata",):
            yield path, item


def _all(value: Object, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every field and every map that holds fields."""
    for key, item in value.items():
        path = (*at, key)
        if path in SERVER_FIELDS:
            continue
        if isinstance(item, dict):
            if path != ("metadata",):
                yield path, MISSING
            yield from _all(item, path)
        else:
            yield path, item


def read_owners(item: Object) -> Owners:
    owners: Owners = {}
    for entry in item["metadata"].get("managedFields") or []:
        fields = set(_read_set(entry["fieldsV1"]))
        owners[entry["manager"], entry["operation"]] = Entry(entry["apiVersion"], entry["time"], fields)
    return owners


def _read_set(node: Object, at: Path = ()) -> Iterator[Path]:
    for key, inner in node.items():
        if key == ".":
            yield at
        elif inner:
            yield from _read_set(inner, (*at, key[2:]))
        else:
            yield (*at, key[2:])


def _write_set(fields: set[Path]) -> Object:
    tree: Object = {}
    for path in sorted(fields):
        node = tree
        for key in path:
            node = node.setdefault(f"f:{key}", {})
        node["."] = {}
    return _trim(tree)


def _trim(node: Object) -> Object:
    inner = {key: _trim(value) for key, value in sorted(node.items()) if key != "."}
    return {".": {}, **inner} if "." in node and inner else inner


def write_owners(item: Object, owners: Owners) -> None:
    listed = [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": entry.api_version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _write_set(entry.fields),
        }
        for (manager, operation), entry in sorted(owners.items(), key=lambda pair: (pair[0][1], pair[1].time, pair[0][0]))
        if entry.fields
    ]
    item["metadata"].pop("managedFields", None)
    if listed:
        item["metadata"]["managedFields"] = listed


def get(item: Object, path: Path) -> Any:
    value: Any = item
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def _set(item: Object, path: Path, value: Any) -> None:
    for key in path[:-1]:
        item = item.setdefault(key, {})
    item[path[-1]] = copy.deepcopy(value)


def _delete(item: Object, path: Path) -> None:
    parent = get(item, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        if not parent and len(path) > 1 and path[:-1] != ("metadata",):
            _delete(item, path[:-1])


def own_update(old: Object | None, new: Object, manager: str, now: str) -> None:
    """Record in new that the manager changed what differs from old (create, replace, patch)."""
    before = dict(_all(old)) if old else {}
    after = dict(_all(new))
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    removed = set(before) - set(after)
    owners = read_owners(old) if old else {}
    for entry in owners.values():
        entry.fields -= removed | changed
    if changed:
        mine = owners.setdefault((manager, "Update"), Entry(new["apiVersion"], now, set()))
        mine.fields |= changed
        mine.time = now
    write_owners(new, owners)


def apply(live: Object | None, wanted: Object, manager: str, now: str, force: bool) -> Object:
    """Return live with the wanted fields merged in, owned by the manager. Raises 409 unless force."""
    result = copy.deepcopy(live) if live else {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": {}}
    owners = read_owners(live) if live else {}
    values = dict(leaves(wanted))
    mine = owners.pop((manager, "Apply"), None)
    conflicts: dict[str, list[str]] = {}
    for path, value in values.items():
        if get(result, path) == value:
            continue
        for (other, operation), entry in owners.items():
            if path in entry.fields:
                text = f'"{other}"' + (f" using {entry.api_version}" if operation == "Update" else "")
                conflicts.setdefault(text, []).append("." + ".".join(path))
                if force:
                    entry.fields.discard(path)
    if conflicts and not force:
        raise conflicting(conflicts)
    for path in (mine.fields if mine else set()) - set(values):
        if not any(path in entry.fields for entry in owners.values()):
            _delete(result, path)
    for path, value in values.items():
        _set(result, path, value)
    same = mine is not None and mine.fields == set(values)
    if values:
        owners[manager, "Apply"] = Entry(wanted["apiVersion"], mine.time if mine and same else now, set(values))
    write_owners(result, owners)
    return result


def merge_patch(target: Any, patch: Any) -> Any:
    """Return target changed by a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Object, operations: list[Object]) -> Object:
    """Return target changed by add, replace, remove and test of RFC 6902."""
    result = copy.deepcopy(target)
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        node: Any = result
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
        verb = operation["op"]
        if isinstance(node, list):
            position = len(node) if last == "-" else int(last)
            if verb in ("remove", "replace"):
                node.pop(position)
            if verb in ("add", "replace"):
                node.insert(position, operation["value"])
        elif verb == "remove":
            del node[last]
        elif verb in ("add", "replace"):
            node[last] = operation["value"]
        if verb == "test" and (node[int(last)] if isinstance(node, list) else node.get(last)) != operation["value"]:
            raise ValueError(f"testing value {operation['path']} failed")
    return result
