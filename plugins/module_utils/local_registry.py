# SPDX-License-Identifier: GPL-3.0-or-later
"""The ConfigMap by which a cluster tells developers' tools of a registry on the laptop (KEP-1755): ours alone, and where it is.

It neither runs a registry nor lets a cluster pull from one.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .config_maps import ConfigMapPlace, ConfigMaps, ConfigMapsState, ConfigMapStep, apply_each, plan_config_maps
from .core.errors import InputError
from .core.notes import Notes
from .core.plan import Plan, Step
from .core.subject import Result, Subject
from .core.system.lock import user_files
from .kube.entry import kubeconfig_paths

NAMESPACE, NAME, KEY = "kube-public", "local-registry-hosting", "localRegistryHosting.v1"
# The fields of the KEP by their options.
FIELDS = {
    "host": "host",
    "host_from_cluster": "hostFromClusterNetwork",
    "host_from_containers": "hostFromContainerRuntime",
    "help": "help",
}


@dataclass(frozen=True)
class RegistrySpec:
    """What the options ask for: the text of the ConfigMap in the cluster of a context; an empty one in none."""

    context: str
    text: str
    paths: tuple[Path, ...]
    # The contexts that this run has yet to start, in check mode.
    expected: tuple[str, ...] = ()

    @property
    def wanted(self) -> dict[ConfigMapPlace, dict[str, str]]:
        """The ConfigMap, by its place."""
        return {ConfigMapPlace(self.context, NAMESPACE, NAME): {KEY: self.text}} if self.text else {}


class LocalRegistry(Subject[RegistrySpec, ConfigMapsState]):
    """The ConfigMap of a local registry."""

    argument_spec = {
        **{option: {"type": "str", "default": ""} for option in FIELDS},
        "context": {"type": "str", "default": "colima-k8s"},
        "expected_contexts": {"type": "list", "elements": "str", "default": []},
        "kubeconfig": {"type": "path"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    work = "tell of the local registry"

    def __init__(self) -> None:
        self.config_maps = ConfigMaps(Notes("local_registry"), self.work, (NAMESPACE, NAME))

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away: one that removes must not forget what another is about to write."""
        return user_files(self.work)

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> RegistrySpec:
        """Return what to write where. Raises InputError."""
        given = {field: params[option] for option, field in FIELDS.items() if params[option]}
        present = params["state"] == "present" and bool(params["host"])
        for option, field in FIELDS.items():
            if "@" in given.get(field, ""):
                raise InputError(self.work, f"O({option}) has a log-in, which everybody could read", "Leave it out.")
            if option != "help" and "/" in given.get(field, ""):
                raise InputError(
                    self.work, f"O({option}) is '{given[field]}'", "Give host and port alone, such as localhost:5000."
                )
        # Each value is JSON, which is YAML.
        text = "".join(f"{field}: {json.dumps(value)}\n" for field, value in given.items()) if present else ""
        paths = kubeconfig_paths(params["kubeconfig"] or "", os.environ)
        return RegistrySpec(params["context"], text, paths, tuple(params["expected_contexts"] if check_mode else ()))

    def read(self, spec: RegistrySpec) -> ConfigMapsState:
        """Return what the clusters have."""
        return self.config_maps.read(spec.wanted, spec.paths)

    def plan(self, spec: RegistrySpec, current: ConfigMapsState) -> Plan:
        """Return the steps, with the text of each cluster before and after them."""
        plan = plan_config_maps(spec.wanted, current, spec.expected)
        before = {place.context: (found.data or {}).get(KEY, "") for place, found in current.found.items()}
        after = {step.place.context: (step.data or {}).get(KEY, "") for step in plan.steps if isinstance(step, ConfigMapStep)}
        return replace(plan, before=before, after={**before, **after})

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        self.config_maps.apply(step)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan; what one cluster refuses holds up no other."""
        apply_each(plan, self.apply, report)

    def public(self, outcome: Result[RegistrySpec, ConfigMapsState]) -> dict[str, Any]:
        """Return nothing more than every module does."""
        del outcome
        return {}


SUBJECT = LocalRegistry
