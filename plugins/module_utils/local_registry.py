# SPDX-License-Identifier: GPL-3.0-or-later
"""The ConfigMap by which a cluster tells developers' tools of a registry on the laptop (KEP-1755): ours alone, and where it is.

It neither runs a registry nor lets a cluster pull from one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .core.errors import InputError, RefusedStep, WorkstationError
from .core.notes import Notes
from .core.plan import Pending, Plan, Step
from .core.subject import Result, Subject
from .kube.answers import ApiError, Unreachable
from .kube.entry import kubeconfig_paths
from .kube.objects import MANAGER, Kube, path_of, why_refused

NAMESPACE, NAME, KEY = "kube-public", "local-registry-hosting", "localRegistryHosting.v1"
OWNER = {"app.kubernetes.io/managed-by": MANAGER}
# The fields of the KEP by their options.
FIELDS = {
    "host": "host",
    "host_from_cluster": "hostFromClusterNetwork",
    "host_from_containers": "hostFromContainerRuntime",
    "help": "help",
}
_TARGET = f"configmap {NAMESPACE}/{NAME}"


@dataclass(frozen=True)
class RegistrySpec:
    """What the options ask for: the text of the ConfigMap in the cluster of a context; an empty one in none."""

    context: str
    text: str
    paths: tuple[Path, ...]
    # Whether this run has yet to start the cluster, as in check mode.
    expected: bool = False


@dataclass(frozen=True)
class ClusterState:
    """What a cluster has. text: None without a ConfigMap, or without that key in it; why: why the cluster did not answer."""

    text: str | None = None
    uid: str = ""
    ours: bool = False
    why: str = ""
    # Whether no way leads to it any more: the kubeconfig does not know the context.
    unknown: bool = False


@dataclass(frozen=True)
class RegistryState:
    """What was found by context: in the cluster asked for, and where earlier runs wrote."""

    clusters: Mapping[str, ClusterState]
    noted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Write(Step):
    """Write our ConfigMap."""

    context: str = ""
    text: str = ""


@dataclass(frozen=True)
class Remove(Step):
    """Remove our ConfigMap."""

    context: str = ""
    uid: str = ""


@dataclass(frozen=True)
class Note(Step):
    """Note that a cluster has it, or has it no more; silent."""

    context: str = ""
    there: bool = True


class LocalRegistry(Subject[RegistrySpec, RegistryState]):
    """The ConfigMap of a local registry."""

    argument_spec = {
        **{option: {"type": "str", "default": ""} for option in FIELDS},
        "context": {"type": "str", "default": "colima-k8s"},
        "expected_contexts": {"type": "list", "elements": "str", "default": []},
        "kubeconfig": {"type": "path"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    work = "tell of the local registry"

    asked: RegistrySpec

    def __init__(self) -> None:
        self.notes = Notes("local_registry")
        self.kubes: dict[str, Kube] = {}

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> RegistrySpec:
        """Return what to write where. Raises InputError."""
        given = {field: params[option] for option, field in FIELDS.items() if params[option]}
        present = params["state"] == "present" and bool(params["host"])
        for option, field in FIELDS.items():
            if option != "help" and "/" in given.get(field, ""):
                raise InputError(
                    self.work, f"O({option}) is '{given[field]}'", "Give host and port alone, such as localhost:5000."
                )
        # Each value is JSON, which is YAML.
        text = "".join(f"{field}: {json.dumps(value)}\n" for field, value in given.items()) if present else ""
        paths = kubeconfig_paths(params["kubeconfig"] or "", os.environ)
        self.asked = RegistrySpec(params["context"], text, paths, check_mode and params["context"] in params["expected_contexts"])
        return self.asked

    def read(self, spec: RegistrySpec) -> RegistryState:
        """Return what the clusters have. One that never had it is not asked for its absence."""
        noted = frozenset(self.notes.read())
        contexts = sorted(noted | ({spec.context} if spec.text else set()))
        return RegistryState({context: self._found(context, spec.paths) for context in contexts}, noted)

    def _found(self, context: str, paths: tuple[Path, ...]) -> ClusterState:
        from .kube.access import read_access
        from .kube.client import KubeHttp

        try:
            kube = self.kubes[context] = Kube(KubeHttp(read_access(context, paths)))
            there = kube.read(path_of("configmaps", NAMESPACE, NAME))
        except ApiError as error:
            raise _refused(context, error, "read configmaps") from error
        except WorkstationError as error:
            if isinstance(error, Unreachable) or error.context.get("missing_context"):
                return ClusterState(why=error.reason or error.message, unknown="missing_context" in error.context)
            raise
        if there is None:
            return ClusterState()
        metadata, data = there["metadata"], there.get("data") or {}
        ours = OWNER.items() <= (metadata.get("labels") or {}).items()
        return ClusterState(data.get(KEY), str(metadata["uid"]), ours)

    def plan(self, spec: RegistrySpec, current: RegistryState) -> Plan:
        """Return the steps."""
        return plan_registry(spec, current)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        try:
            if isinstance(step, Write):
                # Noted first: killed in between, a later run still knows where to look.
                self._note(step.context, there=True)
                self.kubes[step.context].apply(path_of("configmaps", NAMESPACE, NAME), _body(step.text), force=True)
            elif isinstance(step, Remove):
                self.kubes[step.context].delete(path_of("configmaps", NAMESPACE, NAME), step.uid)
            elif isinstance(step, Note):
                self._note(step.context, there=step.there)
        except ApiError as error:
            raise _refused(getattr(step, "context", ""), error, "write configmaps") from error

    def _note(self, context: str, *, there: bool) -> None:
        with self.notes.edit() as notes:
            notes.pop(context, None)
            if there:
                notes[context] = True

    def public(self, outcome: Result[RegistrySpec, RegistryState]) -> dict[str, Any]:
        """Return nothing more than every module does."""
        del outcome
        return {}


SUBJECT = LocalRegistry


def plan_registry(spec: RegistrySpec, current: RegistryState) -> Plan:
    """Return the steps. A ConfigMap that is not ours is neither changed nor removed."""
    steps: list[Step] = []
    pending: list[Pending] = []
    after: dict[str, str] = {}
    for context, found in current.clusters.items():
        wanted = spec.text if context == spec.context else ""
        after[context] = wanted if found.ours or wanted else (found.text or "")
        if found.why and not (wanted and spec.expected):
            # Where no way leads to the cluster, its data may come back with the profile; the note stays until then.
            if wanted or not found.unknown:
                pending.append(_unreachable(context, found, wanted))
                after[context] = ""
            continue
        steps += _write(context, found, wanted, current.noted) if wanted else _remove(context, found)
    before = {context: found.text or "" for context, found in current.clusters.items()}
    return Plan(tuple(steps), before, after, tuple(pending))


def _unreachable(context: str, found: ClusterState, wanted: str) -> Pending:
    change = "writing it" if wanted else "removing it"
    return Pending(f"{_TARGET} of {context}", change, found.why, "Start the profile, and run again.", "unreachable")


def _write(context: str, found: ClusterState, wanted: str, noted: Collection[str]) -> list[Step]:
    if found.text == wanted:
        return [Note("note", context, silent=True, context=context)] if found.ours and context not in noted else []
    if found.uid and not found.ours:
        remove = f"kubectl --context {context} --namespace {NAMESPACE} delete configmap {NAME}"
        what, remedy = f"change {_TARGET} of {context}", f"To have it replaced, run '{remove}' first."
        raise RefusedStep(what, "another tool has written it", remedy)
    return [Write("change" if found.uid else "write", f"{_TARGET} of {context}", context=context, text=wanted)]


def _remove(context: str, found: ClusterState) -> list[Step]:
    remove = Remove("remove", f"{_TARGET} of {context}", context=context, uid=found.uid)
    return [*([remove] if found.ours else []), Note("forget", context, silent=True, context=context, there=False)]


def _body(text: str) -> bytes:
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": OWNER}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}).encode()


def _refused(context: str, error: ApiError, action: str) -> WorkstationError:
    reason, _dot, remedy = why_refused(error, action).partition(". ")
    return WorkstationError(f"tell of the local registry in {context}", reason, remedy or "Look at the cluster, and run again.")
