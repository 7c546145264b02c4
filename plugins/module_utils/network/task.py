# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network as a subject: the laptop's file of authorities, ConfigMaps for pods, routes that collide, and requests."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..colima.client.programs import Colima
from ..colima.model.answers import ListedProfile
from ..colima.model.options import profile_options
from ..colima.model.overrides import overridden
from ..colima_paths import parse_name, resolve
from ..company.network import OPTIONS, CompanyNetwork, company_from
from ..company.routes import collisions, routes
from ..config_maps import ConfigMapPlace, ConfigMaps, ConfigMapsState, ConfigMapStep, apply_each, plan_config_maps
from ..core.errors import InputError, ToolMissing, WorkstationError, naming_files
from ..core.notes import Notes
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.files import FileState, read_file, write_file
from ..core.system.home import authorities_file
from ..core.system.lock import user_files
from ..kube.entry import kubeconfig_paths
from ..kube.objects import check_name
from .ask import ask_all
from .pods import config_maps, shown
from .ranges import finding, ranges_of
from .reach import Finding, Reach, unreached

_MARK = "# laptop.containers writes this file: the authorities of your system, and those of your company.\n"
_REMEDY = "Make the directory writable."
_MOST_BYTES = 8 << 20
_RUNNING = "Running"
# Its host gets into a script of root's in a VM.
_PROBE = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?(/[!-~]*)?\Z")


@dataclass(frozen=True)
class NetworkSpec:
    """What the options ask for. profiles: their options; probes: addresses that each consumer is asked to reach.

    context: of the cluster whose namespaces pod_namespaces get ConfigMaps; expected: contexts that this run has yet to start.
    """

    company: CompanyNetwork
    profiles: tuple[Mapping[str, Any], ...]
    probes: tuple[str, ...]
    context: str = ""
    pod_namespaces: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    kubeconfig: tuple[Path, ...] = ()


@dataclass(frozen=True)
class NetworkState:
    """What was found. bundle: the file of authorities; wanted: what is to be in it, empty for none.

    for_pods: what is to be in which ConfigMap; pods: what is in them.
    """

    bundle: FileState
    wanted: str
    for_pods: Mapping[ConfigMapPlace, Mapping[str, str]]
    pods: ConfigMapsState
    collisions: tuple[Finding, ...]
    reaches: tuple[Reach, ...]


@dataclass(frozen=True)
class WriteBundle(Step):
    """The file of authorities gets this text."""

    text: str = ""


@dataclass(frozen=True)
class RemoveBundle(Step):
    """The file of authorities goes."""


class Network(Subject[NetworkSpec, NetworkState]):
    """The way out of the laptop and of its VMs."""

    argument_spec = {
        **OPTIONS,
        "context": {"type": "str", "default": "colima-k8s"},
        "expected_contexts": {"type": "list", "elements": "str", "default": []},
        "kubeconfig": {"type": "path"},
        "pod_namespaces": {"type": "list", "elements": "str", "default": []},
        "profiles": {"type": "list", "elements": "raw", "default": []},
        "overrides": {"type": "dict", "default": {}},
        "probes": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    hidden = frozenset({"http_proxy", "https_proxy", "profiles", "overrides"})
    work = "set up the company's network"

    found: NetworkState

    def __init__(self) -> None:
        self.pods = ConfigMaps(Notes("network"), "give the company's network to pods")

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away from the user's files."""
        return user_files(self.work)

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> NetworkSpec:
        """Return the company's network. Raises InputError."""
        if params["state"] == "present":
            _check_probes(params["probes"])
        company = CompanyNetwork() if params["state"] == "absent" else company_from(params, platform.system())
        profiles = overridden(
            [one for one in params["profiles"] if isinstance(one, Mapping)],
            params["overrides"],
            profile_options(name_required=True),
        )
        namespaces = tuple(dict.fromkeys(params["pod_namespaces"] if company else ()))
        for name in namespaces:
            check_name(name, "namespace")
        return NetworkSpec(
            company,
            tuple(profiles),
            tuple(params["probes"] if company else ()),
            params["context"],
            namespaces,
            tuple(params["expected_contexts"] if check_mode else ()),
            kubeconfig_paths(params["kubeconfig"] or "", os.environ),
        )

    def read(self, spec: NetworkSpec) -> NetworkState:
        """Return the file, the routes that collide, and how far each consumer comes."""
        system = platform.system()
        found = routes(system) if spec.company else ()
        ranges = [one for profile in spec.profiles for one in ranges_of(profile)]
        own = "".join(authority.pem for authority in spec.company.authorities)
        colima = Colima(resolve(os.environ, system))
        rows = _running(colima, spec.profiles) if spec.probes else ()
        environment = {**os.environ, **spec.company.proxy.variables()}
        wanted = f"{_MARK}{_roots()}{own}" if own else ""
        for_pods = config_maps(spec.context, spec.pod_namespaces, wanted, spec.company.proxy, spec.profiles)
        self.found = NetworkState(
            _bundle(),
            wanted,
            for_pods,
            self.pods.read(for_pods, spec.kubeconfig),
            tuple(dict.fromkeys(finding(one, found, ranges) for one in collisions(found, ranges))),
            ask_all(colima, rows, spec.probes, environment, own),
        )
        return self.found

    def read_again(self, spec: NetworkSpec, applied: object) -> NetworkState:
        """Return the state with what was written as it is now. Who reaches what was asked once: that changes nothing of it."""
        del applied
        return replace(self.found, bundle=_bundle(), pods=self.pods.read(self.found.for_pods, spec.kubeconfig))

    def plan(self, spec: NetworkSpec, current: NetworkState) -> Plan:
        """Return what to do with the file and the ConfigMaps, and what does not get out."""
        found, wanted = current.bundle.text, current.wanted
        target = f"'{authorities_file()}'"
        ours = found.startswith(_MARK)
        failures = map(str, unreached(current.reaches))
        steps: tuple[Step, ...] = ()
        refusals: tuple[WorkstationError, ...] = ()
        if current.bundle.kind != "absent" and not ours:
            refusal = InputError(f"write {target}", "it is another program's file", "Move it away, and run again.")
            refusals = (refusal,) if wanted else ()
        elif wanted and found != wanted:
            steps = (WriteBundle("write", target, "authorities", text=wanted),)
        elif ours and not wanted:
            steps = (RemoveBundle("remove", target, "authorities"),)
        pods = plan_config_maps(current.for_pods, current.pods, spec.expected)
        before = {str(place): shown(found.owned_data) for place, found in current.pods.found.items() if found.ours}
        after = {str(step.place): shown(step.data) for step in pods.steps if isinstance(step, ConfigMapStep)}
        return Plan(
            (*steps, *pods.steps),
            before,
            {**before, **after},
            pods.pending,
            (*map(str, current.collisions), *failures),
            (*refusals, *pods.refusals),
        )

    def apply(self, step: Step) -> None:
        """Write or remove the file, or a ConfigMap."""
        path = authorities_file()
        if isinstance(step, WriteBundle):
            write_file(path, step.text, 0o644, _REMEDY)
        elif isinstance(step, RemoveBundle):
            with naming_files(f"remove '{path}'", _REMEDY):
                path.unlink(missing_ok=True)
        else:
            self.pods.apply(step)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan; what one cluster refuses holds up no other."""
        apply_each(plan, self.apply, report)

    def public(self, outcome: Result[NetworkSpec, NetworkState]) -> dict[str, Any]:
        """Return the matrix, and the routes that collide."""
        after = outcome.after
        return {
            "matrix": [reach.public() for reach in after.reaches],
            "collisions": [str(collision) for collision in after.collisions],
            "bundle": str(authorities_file()) if after.wanted else "",
        }


SUBJECT = Network


def _bundle() -> FileState:
    return read_file(authorities_file(), _MOST_BYTES)


def _check_probes(probes: Sequence[str]) -> None:
    for probe in probes:
        if not _PROBE.match(probe):
            what = "an address in O(probes)" if "@" in probe else f"'{probe}'"
            raise InputError(f"ask for {what}", "it is not an address", "Use one such as https://ghcr.io/v2/.")


def _running(colima: Colima, profiles: Sequence[Mapping[str, Any]]) -> tuple[ListedProfile, ...]:
    """Return the rows of these profiles whose VMs run. Without colima there are none."""
    if not colima.installed:
        return ()
    names = {parse_name(str(profile.get("name") or "")).name for profile in profiles}
    return tuple(row for row in colima.rows() if row.status == _RUNNING and parse_name(row.name).name in names)


def _roots() -> str:
    """Return the authorities that programs trust by themselves, as PEM.

    Raises ToolMissing where none are found: a file with the company's alone would trust no other server.
    """
    import ssl

    file = ssl.get_default_verify_paths().cafile
    with contextlib.suppress(ImportError):
        import certifi

        file = certifi.where()
    if not file:
        raise ToolMissing("certifi", remedy="Install it into Ansible's Python: pip install certifi.")
    with naming_files(f"read '{file}'", "Set SSL_CERT_FILE to a file of the authorities that your system trusts."):
        return Path(file).read_text(encoding="utf-8")
