# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's refusals: HTTP status and the Status object with the reason, worded as by the real server."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


class Refused(Exception):
    """An answer that is not success."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
        if reason:
            body["reason"] = reason
        if details is not None:
            body["details"] = details
        self.body = {**body, "code": code}


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def conversion_failed(message: str) -> Refused:
    """Return what the real server answers when an applied object does not fit its type."""
    return Refused(500, "", message)


def no_such_resource() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def no_such_method() -> Refused:
    return Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unsupported_media() -> Refused:
    return Refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def not_found(kind: str, name: str, group: str = "") -> Refused:
    return Refused(404, "NotFound", f'{_qualified(kind, group)} "{name}" not found', _details(kind, name, group))


def exists(kind: str, name: str, group: str = "") -> Refused:
    message = f'{_qualified(kind, group)} "{name}" already exists'
    return Refused(409, "AlreadyExists", message, _details(kind, name, group))


def modified(kind: str, name: str, group: str = "") -> Refused:
    reason = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(kind, group)} "{name}": {reason}'
    return Refused(409, "Conflict", message, _details(kind, name, group))


def wrong_uid(kind: str, name: str, asked: str, found: str) -> Refused:
    message = (
        f'Operation cannot be fulfilled on {kind} "{name}": the UID in the precondition ({asked}) does not match '
        f"the UID in record ({found}). The object might have been deleted and then recreated"
    )
    return Refused(409, "Conflict", message, {"name": name, "kind": kind})


def unauthorized() -> Refused:
    return Refused(401, "Unauthorized", "Unauthorized")


def forbidden(kind: str, name: str, group: str, why: str, causes: list[Object] | None = None) -> Refused:
    subject = f'{_qualified(kind, group)} "{name}"' if name else _qualified(kind, group)
    details = _details(kind, name, group)
    if causes:
        details["causes"] = causes
    return Refused(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def forbidden_path(user: str, verb: str, path: str) -> Refused:
    return Refused(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def terminating(kind: str, name: str, namespace: str) -> Refused:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    message = f"namespace {namespace} is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
    return forbidden(kind, name, "", why, [cause])


def invalid(kind: str, name: str, causes: list[tuple[str, str, str]], group: str = "") -> Refused:
    """Return 422 for causes given as (field, reason, message)."""
    listed = [{"reason": reason, "message": message, "field": field} for field, reason, message in causes]
    texts = [f"{field}: {message}" for field, _, message in causes]
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details: Object = {"name": name} if name else {}
    if group:
        details["group"] = group
    kind_text = f"{kind}.{group}" if group else kind
    message = f'{kind_text} "{name}" is invalid: {text}'
    return Refused(422, "Invalid", message, {**details, "kind": kind, "causes": listed})


def conflicting(conflicts: dict[str, list[str]]) -> Refused:
    """Return 409 for fields by the manager (in the server's words) that owns them."""
    count = sum(len(fields) for fields in conflicts.values())
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": field}
        for manager in sorted(conflicts)
        for field in sorted(conflicts[manager])
    ]
    if count == 1:
        text = f"{causes[0]['message']}: {causes[0]['field']}"
    else:
        blocks = [
            f"conflicts with {manager}:" + "".join(f"\n- {f}" for f in sorted(conflicts[manager]))
            for manager in sorted(conflicts)
        ]
        text = "\n".join(blocks)
    message = f"Apply failed with {count} conflict{'' if count == 1 else 's'}: {text}"
    return Refused(409, "Conflict", message, {"causes": causes})


def _qualified(kind: str, group: str) -> str:
    return f"{kind}.{group}" if group else kind


def _details(kind: str, name: str, group: str) -> Object:
    details: Object = {"name": name} if name else {}
    if group:
        details["group"] = group
    return {**details, "kind": kind}
