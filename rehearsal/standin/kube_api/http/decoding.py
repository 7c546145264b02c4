# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request's body to an object of the right kind at the right address, or the refusal that the real server gives."""

from __future__ import annotations

import json
from typing import Any

from ..validation import broken_base64
from . import status
from .request import Request

Object = dict[str, Any]


def decoded(request: Request, body: bytes, warnings: list[str]) -> Object:
    resource = request.resource
    try:
        item = json.loads(body or b"{}")
    except ValueError as error:
        reason = f"couldn't get version/kind; json parse error: unexpected end of JSON input ({body.decode(errors='replace')})"
        message = f"the object provided is unrecognized (must be of type {resource.kind}): {reason}"
        raise status.bad_request(message) from error
    prefix = f'{resource.kind} in version "v1" cannot be handled as a {resource.kind}: '
    if item.get("kind", resource.kind) != resource.kind:
        given = item["kind"]
        reason = f"converting (v1.{given}) to (core.{resource.kind}): unknown conversion"
        raise status.bad_request(f'{given} in version "v1" cannot be handled as a {resource.kind}: {reason}')
    problem = broken_base64(item) if resource.kind == "Secret" else ""
    if problem:
        raise status.bad_request(prefix + problem)
    drop_unknown(request, item, warnings, prefix)
    return addressed(request, {"kind": resource.kind, "apiVersion": resource.api_version, **item})


def drop_unknown(request: Request, item: Object, warnings: list[str], prefix: str = "") -> None:
    for field in [key for key in item if key not in request.resource.fields | {"apiVersion", "kind", "metadata"}]:
        if request.query.get("fieldValidation") == "Strict":
            raise status.bad_request(f'{prefix}strict decoding error: unknown field "{field}"')
        warnings.append(f'unknown field "{field}"')
        del item[field]
    # Directives of a strategic merge mean nothing in the lists of these kinds: they are replaced as a whole.
    for field, value in item.items():
        for position, entry in enumerate(value if isinstance(value, list) else []):
            if isinstance(entry, dict) and entry.pop("$patch", None):
                warnings.append(f'unknown field "{field}[{position}].$patch"')


def addressed(request: Request, item: Object) -> Object:
    """Return the object with metadata that agrees with the address. Raises 400."""
    metadata = item["metadata"] = dict(item.get("metadata") or {})
    if request.resource.namespaced and metadata.get("namespace", request.namespace) != request.namespace:
        raise status.bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if request.name and metadata.get("name", request.name) != request.name:
        reason = f"the name of the object ({metadata['name']}) does not match the name on the URL ({request.name})"
        raise status.bad_request(reason)
    if request.name:
        metadata["name"] = request.name
    return item


def declared(request: Request) -> Object:
    """Return the applied configuration. Raises 400 or 500 as the real server does."""
    import yaml

    try:
        wanted = yaml.safe_load(request.body) or {}
    except yaml.YAMLError as error:
        reason = "error converting YAML to JSON: yaml: line 1: did not find expected node content"
        raise status.bad_request(f"error decoding YAML: {reason}") from error
    kind, version = wanted.get("kind", ""), wanted.get("apiVersion", "")
    if kind != request.resource.kind:
        raise status.bad_request(f"invalid object type: {'' if '/' in version else '/'}{version}, Kind={kind}")
    subject = f"(/{request.name}; /{version}, Kind={kind})"
    unknown = [key for key in wanted if key not in request.resource.fields | {"apiVersion", "kind", "metadata"}]
    wanted = addressed(request, wanted)
    if unknown:
        text = f"failed to create typed patch object {subject}: .{unknown[0]}: field not declared in schema"
        raise status.conversion_failed(text)
    problem = broken_base64(wanted) if kind == "Secret" else ""
    if problem:
        reason = f"unable to convert unstructured object to /v1, Kind={kind}: error decoding from json: {problem}"
        raise status.conversion_failed(f"failed to convert new object {subject} to proper version: {reason}")
    return dict(wanted)
