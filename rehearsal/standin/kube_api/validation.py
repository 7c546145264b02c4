# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server checks and completes before it stores an object."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from .http.status import invalid
from .resources import Resource

Object = dict[str, Any]
Cause = tuple[str, str, str]

LABEL_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL_NAME}(\.{LABEL_NAME})*"
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = f"({QUALIFIED})?"
CONFIG_KEY = "[-._a-zA-Z0-9]+"
REGEX = "regex used for validation is"
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', {REGEX} '{LABEL_NAME}')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    f"with an alphanumeric character (e.g. 'example.com', {REGEX} '{SUBDOMAIN}')"
)
QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', {REGEX} '{QUALIFIED}')"
)
VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    f"with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', {REGEX} '{LABEL_VALUE}')"
)
KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    f"'key-name', {REGEX} '{CONFIG_KEY}')"
)
REQUIRED_KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
MAX_SECRET = 1024 * 1024


def check(resource: Resource, item: Object, old: Object | None) -> None:
    """Raise 422 with every error in an object that is to be stored."""
    causes = [*_name(resource, item), *_marks(item)]
    if resource.kind == "Secret":
        causes += _secret(item, old)
    if causes:
        raise invalid(resource.kind, item["metadata"].get("name", ""), causes, resource.group)


def _wrong(field: str, value: str, text: str) -> Cause:
    return field, "FieldValueInvalid", f'Invalid value: "{value}": {text}'


def _name(resource: Resource, item: Object) -> list[Cause]:
    name = item["metadata"].get("name", "")
    if not name:
        return [("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")]
    if resource.group:
        return []
    pattern, text = (LABEL_NAME, LABEL_TEXT) if resource.kind == "Namespace" else (SUBDOMAIN, SUBDOMAIN_TEXT)
    longest = 63 if resource.kind == "Namespace" else 253
    if len(name) > longest:
        return [_wrong("metadata.name", name, f"must be no more than {longest} bytes")]
    return [] if re.fullmatch(pattern, name) else [_wrong("metadata.name", name, text)]


def _marks(item: Object) -> list[Cause]:
    causes = []
    for field in ("labels", "annotations"):
        for key, value in (item["metadata"].get(field) or {}).items():
            if not re.fullmatch(QUALIFIED, key.rpartition("/")[2]):
                causes.append(_wrong(f"metadata.{field}", key, QUALIFIED_TEXT))
            elif field == "labels" and not re.fullmatch(LABEL_VALUE, value):
                causes.append(_wrong("metadata.labels", value, VALUE_TEXT))
    return causes


def _secret(item: Object, old: Object | None) -> list[Cause]:
    data = item.get("data") or {}
    causes = [_wrong(f"data[{key}]", key, KEY_TEXT) for key in data if not re.fullmatch(CONFIG_KEY, key)]
    if sum(len(value) for value in data.values()) * 3 // 4 > MAX_SECRET:
        causes.append(("data", "FieldValueTooLong", f"Too long: may not be more than {MAX_SECRET} bytes"))
    if old and old.get("type") != item.get("type"):
        return [_wrong("type", item.get("type", ""), "field is immutable")]
    if old and old.get("immutable"):
        for field in ("immutable", "data"):
            if (old.get(field) or None) != (item.get(field) or None):
                return [(field, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")]
    needed = REQUIRED_KEYS.get(item.get("type", ""))
    if needed and needed not in data:
        causes.append((f"data[{needed}]", "FieldValueRequired", "Required value"))
    elif needed:
        try:
            json.loads(base64.b64decode(data[needed]))
        except ValueError as error:
            causes.append(_wrong(f"data[{needed}]", "<secret contents redacted>", str(error)))
    return causes


def complete(resource: Resource, item: Object) -> None:
    """Fill in defaults: what the server adds to an object by itself."""
    if resource.kind == "Secret":
        plain = item.pop("stringData", None) or {}
        if plain:
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
            item["data"] = {**(item.get("data") or {}), **encoded}
        item["type"] = item.get("type") or "Opaque"
    if resource.kind == "Namespace":
        labels = item["metadata"].get("labels") or {}
        item["metadata"]["labels"] = {"kubernetes.io/metadata.name": item["metadata"].get("name", ""), **labels}
        item.setdefault("spec", {"finalizers": ["kubernetes"]})
        item.setdefault("status", {"phase": "Active"})
    for parent, field in ((item, "data"), (item["metadata"], "labels"), (item["metadata"], "annotations")):
        if field in parent and not parent[field]:
            del parent[field]


def broken_base64(item: Object) -> str:
    """Return the server's words for a value of data that is not base64, or nothing."""
    for value in (item.get("data") or {}).values():
        if not isinstance(value, str):
            return "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            bad = next((at for at, char in enumerate(value) if not (char.isalnum() or char in "+/=")), len(value))
            return f"illegal base64 data at input byte {bad}"
    return ""
