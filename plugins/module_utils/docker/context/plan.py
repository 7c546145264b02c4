# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan from the present docker contexts to the requested ones. Pure: no file, no process.

A context that the options name is changed or removed, also one of another program. All others, and docker's own "default", stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...core.errors import InputError
from ...core.plan import Plan, Step
from .model import BUILT_IN, TLS_KINDS, Context, ContextSpec, ContextsState, ContextStep, TlsFile, chain


def plan_contexts(store: ContextsState, wanted: Sequence[ContextSpec], current_context: str | None = None) -> Plan:
    """Return the steps from what is in the store to what the options ask for: create and update, then switch, then remove."""
    after, steps = converged(store, wanted, current_context)
    names = [item.name for item in wanted]
    return Plan(tuple(steps), _shown(store, names), _shown(after, names))


def converged(
    store: ContextsState, wanted: Sequence[ContextSpec], current_context: str | None = None
) -> tuple[ContextsState, list[Step]]:
    """Return the store as the options ask for it, and the steps to it. Raises InputError."""
    contexts = dict(store.contexts)
    steps: list[Step] = []
    for item in (item for item in wanted if item.present and item.name != BUILT_IN):
        contexts[item.name], made_by = _plan_one(store.contexts.get(item.name), item)
        steps += made_by
    removed = [item.name for item in wanted if not item.present]
    for name in removed:
        contexts.pop(name, None)
    after = replace(store, contexts=contexts)
    target = _next_current(store, wanted, after, current_context)
    if target is not None:
        steps.append(_switch(store.current or BUILT_IN, target))
        after = replace(after, current=target)
    for name in (name for name in removed if name in store.contexts):
        # The force covers only the moment between reading and removing: the current one was switched off above.
        steps.append(ContextStep("remove", f"docker context '{name}'", argv=("rm", "--force", name)))
    return after, steps


def _switch(before: str, after: str) -> Step:
    return ContextStep(
        "use", f"docker context '{after}'", f"instead of '{before}'", argv=("use", after), switches=(before, after)
    )


def _plan_one(current: Context | None, item: ContextSpec) -> tuple[Context, list[Step]]:
    """Return the context as it will be, and the steps that make it so."""
    if current is None or current.broken:
        return _plan_new(item, broken=current is not None)
    host = current.host if item.host is None else item.host
    skip = current.skip_tls_verify if item.skip_tls_verify is None else item.skip_tls_verify
    tls = _merged_tls(current, item, host)
    # docker can't empty a description, so an empty one counts as not stated.
    description = item.description or current.description
    made = Context(item.name, host, description, skip, tls)
    endpoint_differs = (host, skip, _digests(tls)) != (current.host, current.skip_tls_verify, _digests(current.tls))
    argv: tuple[str, ...] = ("update",)
    details = []
    if description != current.description:
        argv += ("--description", description)
        details.append(f"description {current.description!r} -> {description!r}")
    if endpoint_differs:
        # --docker replaces the endpoint as a whole: whatever is left out of it, TLS files too, is gone.
        argv += ("--docker", _endpoint_argument(made))
        details += _endpoint_changes(current, made)
    if not details:
        return current, []
    step = ContextStep("update", f"docker context '{item.name}'", ", ".join(details), argv=(*argv, item.name))
    return made, [step]


def _plan_new(item: ContextSpec, broken: bool) -> tuple[Context, list[Step]]:
    if item.host is None:
        remedy = "Set host or profile below docker."
        raise InputError(f"create docker context '{item.name}'", "it has no endpoint", remedy)
    tls = {kind: file for kind, file in item.tls.items() if file is not None}
    made = Context(item.name, item.host, item.description or "", bool(item.skip_tls_verify), tls)
    argv: tuple[str, ...] = ("create",)
    if made.description:
        argv += ("--description", made.description)
    argv += ("--docker", _endpoint_argument(made), item.name)
    steps: list[Step] = [ContextStep("create", f"docker context '{item.name}'", made.host, argv=argv)]
    if broken:
        # docker neither reads nor overwrites such an entry, but it can remove it.
        argv = ("rm", "--force", item.name)
        steps.insert(0, ContextStep("remove", f"unreadable docker context '{item.name}'", argv=argv, unreadable=True))
    return made, steps


def _merged_tls(current: Context, item: ContextSpec, host: str) -> dict[str, TlsFile]:
    """Return the TLS files that the context will have. What is stored survives only where TLS means something."""
    kept = dict(current.tls) if host == current.host or host.startswith(("tcp:", "http")) else {}
    for kind, file in item.tls.items():
        if file is None:
            kept.pop(kind, None)
        else:
            kept[kind] = file
    return {kind: kept[kind] for kind in TLS_KINDS if kind in kept}


def _digests(tls: Mapping[str, TlsFile]) -> dict[str, str]:
    return {kind: file.digest for kind, file in tls.items()}


def _endpoint_changes(before: Context, after: Context) -> list[str]:
    changes = []
    if before.host != after.host:
        changes.append(f"endpoint {before.host} -> {after.host}")
    if before.skip_tls_verify != after.skip_tls_verify:
        changes.append(f"skip_tls_verify {before.skip_tls_verify} -> {after.skip_tls_verify}".lower())
    if _digests(before.tls) != _digests(after.tls):
        changes.append("TLS files")
    return changes


def _endpoint_argument(context: Context) -> str:
    """Return the value of --docker: one line of CSV, so a comma or a quote in a path needs quoting."""
    fields = [f"host={context.host}", *(f"{kind}={file.path}" for kind, file in context.tls.items())]
    if context.skip_tls_verify:
        fields.append("skip-tls-verify=true")
    return ",".join('"' + item.replace('"', '""') + '"' if set(item) & set(',"\n') else item for item in fields)


def _next_current(
    store: ContextsState, wanted: Sequence[ContextSpec], after: ContextsState, current_context: str | None
) -> str | None:
    """Return the context to switch to, or None to leave the current one alone."""
    now = store.current or BUILT_IN
    chosen = _chosen(store, wanted, after, current_context)
    if chosen is not None:
        if not after.has(chosen):
            remedy = "Add it to O(contexts), or name a context that 'docker context ls' shows."
            raise InputError(f"make docker context '{chosen}' current", "that context does not exist", remedy)
        return None if chosen == now else chosen
    if any(item.name == now and not item.present for item in wanted):
        return next((before for before in chain(store.came_from, now) if after.has(before) and before != now), BUILT_IN)
    return None


def _chosen(store: ContextsState, wanted: Sequence[ContextSpec], after: ContextsState, current_context: str | None) -> str | None:
    """Return the context that the options want current; None when they leave that open."""
    chosen = current_context or _first(wanted, "always")
    unset = not store.current or not after.has(store.current)
    return _first(wanted, "if_unset") if chosen is None and unset else chosen


def _first(wanted: Sequence[ContextSpec], current: str) -> str | None:
    """Return the first context that asks to become current in this case."""
    return next((item.name for item in wanted if item.present and item.current == current), None)


def _shown(store: ContextsState, names: Sequence[str]) -> dict[str, Any]:
    shown = {name: store.contexts[name].public() for name in names if name in store.contexts}
    return {"current": store.current or BUILT_IN, "contexts": shown}
