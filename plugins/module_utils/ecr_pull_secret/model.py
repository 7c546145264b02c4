# SPDX-License-Identifier: GPL-3.0-or-later
"""The pull secret as this collection writes it: what is asked for, what its annotations record, when it is due. Pure.

The record on our secret (hosts, expiry, identity, digest) is enough to decide; the content is read of one that is to be adopted.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..core.errors import InputError
from ..core.secrecy.known import learn
from ..ecr.renewal import Lease, Threshold, TokenLike, due_by_time, lease_from, lease_of, stamp
from ..kube.objects import finalizers_of

OWNER = "laptop.containers"
OWNER_LABEL = "app.kubernetes.io/managed-by"
PREFIX = "laptop.containers/"
SECRET_LIMIT = 1024 * 1024  # bytes of all values together; what the API server takes
DATA_KEY = ".dockerconfigjson"
DATA_FIELD = f"f:{DATA_KEY}"


@dataclass(frozen=True)
class PullSecretSpec:
    """The secret that is wanted in every namespace: host -> fingerprint of its identity, and the service accounts."""

    name: str
    hosts: Mapping[str, str]
    service_accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class PullSecretState:
    """What the metadata of an existing secret says.

    owners are the field managers of its content, meddlers those others that changed our annotations. others are the registries
    in it that are not ours: of an adopted secret, they are recorded and stay. tracked: the cluster tells who wrote which field.
    held_by: the secret is being deleted, and these finalizers keep it.
    """

    namespace: str
    uid: str = ""
    ours: bool = False
    leases: Mapping[str, Lease] = field(default_factory=dict)
    digest: str = ""
    service_accounts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    meddlers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    tracked: bool = True
    held_by: tuple[str, ...] = ()

    @property
    def expires_at(self) -> datetime | None:
        """When the first of its tokens expires. Returns None when that is not recorded."""
        return min((lease.expires_at for lease in self.leases.values()), default=None)


def current_from(metadata: Mapping[str, Any]) -> PullSecretState:
    """Return what an object's metadata records; what can't be read counts as not recorded."""
    labels, annotations = (found if isinstance(found := metadata.get(key), dict) else {} for key in ("labels", "annotations"))
    notes = {key.removeprefix(PREFIX): str(value) for key, value in annotations.items() if key.startswith(PREFIX)}
    managed = metadata.get("managedFields") or ()
    return PullSecretState(
        namespace=str(metadata.get("namespace", "")),
        uid=str(metadata.get("uid", "")),
        ours=labels.get(OWNER_LABEL) == OWNER,
        leases=_leases(notes.get("registries", "")),
        digest=notes.get("digest", ""),
        service_accounts=_listed(notes.get("service-accounts", "")),
        owners=_owners(managed),
        meddlers=_meddlers(managed),
        others=_listed(notes.get("other-registries", "")),
        tracked=bool(managed),
        held_by=finalizers_of(metadata),
    )


def due(current: PullSecretState | None, spec: PullSecretSpec, threshold: Threshold, now: datetime) -> str:
    """Return why the secret has to be written now. Returns '' when it is fresh and as wanted."""
    if current is None:
        return "it is missing"
    settings = (
        (not current.leases, "it records no expiry"),
        (set(current.leases) != set(spec.hosts), "its registries differ"),
        (
            any(current.leases[host].identity != spec.hosts[host] for host in set(current.leases) & set(spec.hosts)),
            "its identity differs",
        ),
        (current.service_accounts != spec.service_accounts, "its service accounts differ"),
        (current.tracked and OWNER not in current.owners, f"its content was changed by {_named(current.owners)}"),
        (bool(current.meddlers), f"its annotations were changed by {_named(current.meddlers)}"),
    )
    reasons = [reason for differs, reason in settings if differs]
    return reasons[0] if reasons else due_by_time(current.leases.values(), threshold, now)


def docker_config(passwords: Mapping[str, str], kept: Mapping[str, Any] | None = None) -> bytes:
    """Return the content of the secret: docker's config.json with one entry per host, beside what is kept of another."""
    auths = {
        host: {
            "username": "AWS",
            "password": password,
            "auth": base64.b64encode(f"AWS:{password}".encode()).decode(),
        }
        for host, password in sorted(passwords.items())
    }
    config = dict(kept or {})
    return json.dumps({**config, "auths": {**auths_in(config), **auths}}, separators=(",", ":")).encode()


def auths_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the log-ins in a docker config by registry."""
    auths = config.get("auths")
    return dict(auths) if isinstance(auths, dict) else {}


def config_in(secret: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the docker config that an existing secret holds; an empty one where it holds none."""
    try:
        config = json.loads(base64.b64decode(((secret or {}).get("data") or {})[DATA_KEY]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    if not isinstance(config, dict):
        return {}
    for login in auths_in(config).values():
        # Of other registries, which stay in it: as secret as ours.
        if isinstance(login, dict):
            learn(*(str(login[key]) for key in ("auth", "password", "identitytoken", "registrytoken") if login.get(key)))
            learn(str(login.get("password") or ""), users=[str(login.get("username") or "")])
    return config


def holds(secret: Mapping[str, Any], current: PullSecretState) -> bool:
    """Whether a secret, read whole, has the content that its metadata records."""
    try:
        content = base64.b64decode(((secret or {}).get("data") or {})[DATA_KEY])
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return digest_of(content) == current.digest


def digest_of(content: bytes) -> str:
    """Return the mark of a content that the metadata records."""
    return hashlib.sha256(content).hexdigest()[:16]


def body_of(
    spec: PullSecretSpec, tokens: Mapping[str, TokenLike], kept: Mapping[str, Any] | None = None, version: str = ""
) -> tuple[bytes, PullSecretState]:
    """Return the object to apply, and what its metadata will record. Without kept it is the same for every namespace.

    version: what is kept was read from this version of the secret, so that no other is replaced.
    """
    content = docker_config({host: tokens[host].password for host in spec.hosts}, kept)
    leases = {host: lease_of(tokens[host], identity) for host, identity in sorted(spec.hosts.items())}
    after = PullSecretState(
        namespace="",
        ours=True,
        leases=leases,
        digest=digest_of(content),
        service_accounts=spec.service_accounts,
        owners=(OWNER,),
        others=tuple(sorted(set(auths_in(kept or {})) - set(spec.hosts))),
    )
    body = json.dumps(_document(spec, after, content, version), separators=(",", ":")).encode()
    if len(content) > SECRET_LIMIT:
        raise InputError(
            f"build pull secret '{spec.name}'",
            f"{len(spec.hosts)} registries need {len(content) // 1024} KiB and a secret holds 1024 KiB",
            "Spread them over several secrets.",
        )
    return body, after


def _document(spec: PullSecretSpec, after: PullSecretState, content: bytes, version: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": spec.name,
            "labels": {OWNER_LABEL: OWNER},
            "annotations": _annotations(after),
            **({"resourceVersion": version} if version else {}),
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {DATA_KEY: base64.b64encode(content).decode()},
    }


def _annotations(record: PullSecretState) -> dict[str, str]:
    notes = {
        "expires-at": stamp(min(lease.expires_at for lease in record.leases.values())),
        "hosts": ",".join(record.leases),
        "identity": ",".join(sorted({lease.identity for lease in record.leases.values()})),
        "digest": record.digest,
        "registries": json.dumps(
            {host: lease.public() for host, lease in record.leases.items()},
            separators=(",", ":"),
        ),
    }
    if record.service_accounts:
        notes["service-accounts"] = ",".join(record.service_accounts)
    if record.others:
        notes["other-registries"] = ",".join(record.others)
    return {PREFIX + key: value for key, value in notes.items()}


def _leases(text: str) -> dict[str, Lease]:
    try:
        return {str(host): lease_from(entry) for host, entry in json.loads(text).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _owners(managed: Any) -> tuple[str, ...]:
    """Return who last wrote the content, from the record that the API server keeps of every field."""
    return tuple(sorted({manager for manager, fields in _managed(managed) if DATA_FIELD in _fields(fields, "f:data")}))


def _meddlers(managed: Any) -> tuple[str, ...]:
    """Return which other managers wrote our annotations."""
    prefix = f"f:{PREFIX}"
    found = {
        manager
        for manager, fields in _managed(managed)
        if any(key.startswith(prefix) for key in _fields(_fields(fields, "f:metadata"), "f:annotations"))
    }
    return tuple(sorted(found - {OWNER}))


def _managed(managed: Any) -> list[tuple[str, Any]]:
    entries = managed if isinstance(managed, (list, tuple)) else ()
    return [(str(entry.get("manager", "")), entry.get("fieldsV1")) for entry in entries if isinstance(entry, dict)]


def _fields(fields: Any, key: str) -> dict[str, Any]:
    found = fields.get(key) if isinstance(fields, dict) else None
    return found if isinstance(found, dict) else {}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _named(managers: tuple[str, ...]) -> str:
    return " and ".join(managers) or "an unknown manager"
