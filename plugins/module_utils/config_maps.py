# SPDX-License-Identifier: GPL-3.0-or-later
"""ConfigMaps that a subject keeps in clusters: ours alone, noted where they were written, and removed when not wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote as quote_word
from typing import Any
from urllib.parse import quote

from .core.errors import RefusedStep, WorkstationError, failed
from .core.notes import Notes
from .core.plan import Pending, Plan, Step
from .core.system.together import together
from .kube.answers import ApiError, Unreachable
from .kube.objects import MANAGER, Conflict, KeptByFinalizers, Kube, NamespaceGone, path_of, why_refused

_FORBIDDEN = 403
_NOBODY = "before-first-apply"
OWNER = {"app.kubernetes.io/managed-by": MANAGER}


@dataclass(frozen=True, order=True)
class ConfigMapPlace:
    """Where a ConfigMap is. context: of the kubeconfig."""

    context: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"configmap {self.namespace}/{self.name} of {self.context}"

    @property
    def path(self) -> str:
        """Its path at the API server."""
        return path_of("configmaps", self.namespace, self.name)


@dataclass(frozen=True)
class ConfigMapState:
    """What a cluster has at a place. data: None without a ConfigMap; why: why the cluster did not answer.

    owned: the keys that are ours; theirs: those that are another manager's, some of which may be ours as well.
    unknown: no way leads to the cluster any more: the kubeconfig does not know the context. homeless: it has no such namespace.
    """

    data: Mapping[str, str] | None = None
    uid: str = ""
    ours: bool = False
    owned: frozenset[str] = frozenset()
    theirs: frozenset[str] = frozenset()
    why: str = ""
    remedy: str = ""
    unknown: bool = False
    homeless: bool = False

    @property
    def owned_data(self) -> dict[str, str]:
        """What we have written into it."""
        return {key: value for key, value in (self.data or {}).items() if self.ours and key in self.owned}


@dataclass(frozen=True)
class ConfigMapsState:
    """What was found where a ConfigMap is wanted and where earlier runs wrote, and where they did."""

    found: Mapping[ConfigMapPlace, ConfigMapState]
    noted: frozenset[ConfigMapPlace] = frozenset()


@dataclass(frozen=True)
class ConfigMapStep(Step):
    """Write our ConfigMap; or remove it, where data is None. uid: of the one that was found, empty where there was none."""

    place: ConfigMapPlace = ConfigMapPlace("", "", "")
    data: Mapping[str, str] | None = None
    uid: str = ""


@dataclass(frozen=True)
class NoteConfigMap(Step):
    """Note that a cluster has it, or has it no more; silent."""

    place: ConfigMapPlace = ConfigMapPlace("", "", "")
    there: bool = True


class ConfigMaps:
    """The ConfigMaps of one subject. notes: where they were written. work: for messages, such as "tell of the local registry".

    only: the one place in each cluster, whose context alone is noted; None where a subject writes to several.
    """

    def __init__(self, notes: Notes, work: str, only: tuple[str, str] | None = None) -> None:
        self.notes, self.work, self.only = notes, work, only
        self.kubes: dict[str, Kube] = {}

    def read(self, wanted: Collection[ConfigMapPlace], paths: tuple[Path, ...]) -> ConfigMapsState:
        """Return what the clusters have. One that never had any is not asked for its absence. paths: of the kubeconfig."""
        noted = frozenset(filter(None, map(self._place, self.notes.read())))
        by_context: dict[str, list[ConfigMapPlace]] = {}
        for place in sorted(noted | set(wanted)):
            by_context.setdefault(place.context, []).append(place)
        # A cluster that is silent takes half a minute, and holds up neither another one nor Ctrl-C.
        found = together({context: partial(self._found, context, places, paths) for context, places in by_context.items()})
        return ConfigMapsState({place: state for of_context in found.values() for place, state in of_context.items()}, noted)

    def _found(
        self, context: str, places: Collection[ConfigMapPlace], paths: tuple[Path, ...]
    ) -> dict[ConfigMapPlace, ConfigMapState]:
        from .kube.access import read_access
        from .kube.client import KubeHttp

        try:
            kube = self.kubes[context] = Kube(KubeHttp(read_access(context, paths)))
            return {place: _state(kube, place) for place in places}
        except ApiError as error:
            away = _away(_refused(f"{self.work} in {context}", error, "read configmaps"))
        except Unreachable as error:
            away = ConfigMapState(why=error.reason or error.message, remedy="Start the profile, and run again.")
        except WorkstationError as error:
            away = _away(error)
        # One cluster holds up no other.
        return dict.fromkeys(places, away)

    def apply(self, step: Step) -> None:
        """Carry out one step; others are not its concern."""
        if isinstance(step, NoteConfigMap):
            self._note(step.place, there=step.there)
        elif isinstance(step, ConfigMapStep):
            try:
                self._write(step)
            except ApiError as error:
                what = f"{'remove' if step.data is None else 'write'} {step.place}"
                raise _refused(what, error, "write configmaps") from error
            except Conflict as error:
                raise RefusedStep(f"write {step.place}", f"{error} has just written it", "Run again, to see it.") from None
            except NamespaceGone:
                reason = f"namespace '{step.place.namespace}' is gone, or being deleted"
                raise WorkstationError(f"write {step.place}", reason, "Create it, or leave it out, and run again.") from None
            except KeptByFinalizers as held:
                reason = f"the cluster keeps it for {held}"
                raise WorkstationError(f"remove {step.place}", reason, "See what has to remove that finalizer.") from None

    def _write(self, step: ConfigMapStep) -> None:
        kube, place = self.kubes[step.place.context], step.place
        if step.data is None:
            kube.delete(place.path, step.uid)
            return
        # Noted first: killed in between, a later run still knows where to look.
        self._note(place, there=True)
        metadata = {"name": place.name, "namespace": place.namespace, "labels": OWNER}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": step.data}
        # Of one that was not there when it was read, nothing is taken over.
        kube.apply(place.path, json.dumps(body).encode(), force=bool(step.uid))

    def _note(self, place: ConfigMapPlace, *, there: bool) -> None:
        key = place.context if self.only else f"{place.namespace}/{place.name}/{place.context}"
        with self.notes.edit() as notes:
            notes.pop(key, None)
            if there:
                notes[key] = True

    def _place(self, key: str) -> ConfigMapPlace | None:
        """Return the place that is noted so; None for a damaged note."""
        if self.only:
            return ConfigMapPlace(key, *self.only)
        namespace, _slash, rest = key.partition("/")
        name, _slash, context = rest.partition("/")
        return ConfigMapPlace(context, namespace, name) if context else None


def _away(error: WorkstationError) -> ConfigMapState:
    why = f"a run could not {error.what}: {error.reason}" if error.reason else error.complaint
    return ConfigMapState(why=why, remedy=error.remedy, unknown="missing_context" in error.context)


def _refused(what: str, error: ApiError, action: str) -> WorkstationError:
    reason, _dot, remedy = why_refused(error, action).partition(". ")
    return WorkstationError(what, reason, remedy or "Look at the cluster, and run again.")


def _state(kube: Kube, place: ConfigMapPlace) -> ConfigMapState:
    there = kube.read(place.path)
    if there is None:
        return ConfigMapState(homeless=_is_missing(kube, place.namespace))
    metadata = there.get("metadata") or {}
    labels = metadata.get("labels")
    ours = isinstance(labels, dict) and OWNER.items() <= labels.items()
    data = {**(there.get("binaryData") or {}), **(there.get("data") or {})}
    managers = {key: _managers(metadata, key) for key in data}
    owned = frozenset(key for key in data if MANAGER in managers[key])
    # A key that nobody applied has no manager, as after a backup was restored, where we have written it again.
    theirs = frozenset(key for key in data if managers[key] - {MANAGER, _NOBODY} or key not in owned)
    return ConfigMapState(data, str(metadata.get("uid", "")), ours, owned, theirs)


def _managers(metadata: Mapping[str, Any], key: str) -> set[str]:
    """Return who has written a key."""
    return {
        str(entry.get("manager"))
        for entry in metadata.get("managedFields") or ()
        for content in ("f:data", "f:binaryData")
        if f"f:{key}" in ((entry.get("fieldsV1") or {}).get(content) or {})
    }


def _is_missing(kube: Kube, namespace: str) -> bool:
    """Whether a namespace is known not to exist: who may write into it need not be allowed to look at it."""
    try:
        return kube.read_metadata(f"{path_of('namespaces')}/{quote(namespace, safe='')}") is None
    except ApiError as error:
        if error.status == _FORBIDDEN:
            return False
        raise


def apply_each(plan: Plan, apply: Callable[[Step], None], report: Callable[[str], None]) -> None:
    """Carry out steps, of which only those of one place follow from each other. Raises what failed, after all others are done."""
    failures, failed_at = list[WorkstationError](), set[ConfigMapPlace]()
    for step in plan.steps:
        place = getattr(step, "place", None)
        if place in failed_at:
            continue
        try:
            apply(step)
        except WorkstationError as error:
            failures.append(error)
            if place is not None:
                failed_at.add(place)
            continue
        if not step.silent:
            report(str(step))
    if failures:
        raise failed(failures)


def plan_config_maps(
    wanted: Mapping[ConfigMapPlace, Mapping[str, str]], current: ConfigMapsState, expected: Collection[str]
) -> Plan:
    """Return steps, what waits, and refusals. One that is not ours is neither changed nor removed.

    expected: contexts that this run has yet to start.
    """
    # A cluster that two contexts lead to has it once.
    kept = {found.uid for place, found in current.found.items() if place in wanted and found.uid}
    plans = [
        _absent(place, found, kept)
        if (data := wanted.get(place)) is None
        else _present(place, found, data, noted=place in current.noted, expected=place.context in expected)
        for place, found in current.found.items()
    ]
    return Plan(
        tuple(step for plan in plans for step in plan.steps),
        pending=tuple(waiting for plan in plans for waiting in plan.pending),
        refusals=tuple(refusal for plan in plans for refusal in plan.refusals),
    )


def _absent(place: ConfigMapPlace, found: ConfigMapState, kept: Collection[str]) -> Plan:
    if found.why:
        # Where no way leads to the cluster, its data may come back with the profile; the note stays until then.
        return Plan() if found.unknown else Plan(pending=(_unreachable(place, "removing it", found),))
    ours = found.ours and found.uid not in kept
    if ours and found.theirs:
        why = f"it holds what is not ours ({', '.join(sorted(found.theirs)[:3])})"
        return Plan(pending=(Pending(str(place), "removing it", why, "Take that out, or delete it, and run again.", "foreign"),))
    remove = ConfigMapStep("remove", str(place), place=place, uid=found.uid)
    return Plan((*((remove,) if ours else ()), NoteConfigMap("forget", str(place), silent=True, place=place, there=False)))


def _present(place: ConfigMapPlace, found: ConfigMapState, data: Mapping[str, str], *, noted: bool, expected: bool) -> Plan:
    write = Plan((ConfigMapStep("change" if found.uid else "write", str(place), place=place, data=data, uid=found.uid),))
    if found.why:
        return write if expected else Plan(pending=(_unreachable(place, "writing it", found),))
    if found.homeless:
        why = f"namespace '{place.namespace}' does not exist"
        return Plan(pending=(Pending(str(place), "writing it", why, "Create it, and run again.", "missing"),))
    if found.uid and not found.ours:
        # Another tool's that says the same is as good as ours.
        if data.items() <= (found.data or {}).items():
            return Plan()
        remove = f"kubectl --context {quote_word(place.context)} --namespace {place.namespace} delete configmap {place.name}"
        remedy = f"To have it replaced, run '{remove}' first."
        return Plan(refusals=(RefusedStep(f"change {place}", "another tool has written it", remedy),))
    if found.owned_data == data:
        return Plan(() if noted else (NoteConfigMap("note", str(place), silent=True, place=place),))
    return write


def _unreachable(place: ConfigMapPlace, change: str, found: ConfigMapState) -> Pending:
    return Pending(str(place), change, found.why, found.remedy, "unreachable")
