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
from ..company.network import OPTIONS, CompanyNetwork, Proxy, company_from
from ..company.no_proxy import NEAR
from ..company.routes import collisions, routes
from ..config_maps import ConfigMapPlace, ConfigMaps, ConfigMapsState, ConfigMapStep, apply_each, plan_config_maps
from ..core.errors import InputError, ToolMissing, naming_files
from ..core.notes import Notes
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.files import FileState, read_file, write_file
from ..core.system.home import authorities_file
from ..core.system.lock import user_files
from ..core.system.proxies import proxies_around, proxy_file
from ..kube.entry import kubeconfig_paths
from ..kube.objects import check_name
from .ask import ask_all, ask_pods
from .pods import config_maps, shown, written
from .ranges import finding, ranges_of
from .reach import Consumer, Finding, Reach, unreached

_MARK = "# laptop.containers writes this file: "
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
class OwnFile:
    """A file of this module in the user's home. wanted: its text, empty for none."""

    path: Path
    wanted: str
    found: FileState


@dataclass(frozen=True)
class NetworkState:
    """What was found. files: of this module alone; bundle: the authorities, empty for none.

    for_pods: what is to be in which ConfigMap; pods: what is in them.
    """

    files: tuple[OwnFile, ...]
    bundle: str
    for_pods: Mapping[ConfigMapPlace, Mapping[str, str]]
    pods: ConfigMapsState
    collisions: tuple[Finding, ...]
    reaches: tuple[Reach, ...]


@dataclass(frozen=True)
class WriteOwnFile(Step):
    """A file gets this text; without one it goes."""

    path: Path = Path()
    text: str = ""


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
        for name in params["pod_namespaces"]:
            check_name(name, "namespace")
        namespaces = tuple(dict.fromkeys(params["pod_namespaces"] if company else ()))
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
        proxy = spec.company.proxy
        bundle = f"{_MARK}the authorities of your system, and those of your company.\n{_roots()}{own}" if own else ""
        for_pods = config_maps(spec.context, spec.pod_namespaces, bundle, proxy, spec.profiles)
        pods = self.pods.read(for_pods, spec.kubeconfig)
        self.found = NetworkState(
            _own_files({authorities_file(): bundle, proxy_file(): _proxy_text(proxy)}),
            bundle,
            for_pods,
            pods,
            tuple(dict.fromkeys(finding(one, found, ranges) for one in collisions(found, ranges))),
            ask_all(colima, rows, spec.probes, proxies_around(proxy.by_scheme()), own, pods=written(for_pods, pods)),
        )
        return self.found

    def read_again(self, spec: NetworkSpec, applied: object) -> NetworkState:
        """Return the state with what was written as it is now. Pods that have got it are asked; no one else is asked again."""
        del applied
        found = self.found
        files = _own_files({file.path: file.wanted for file in found.files})
        pods = self.pods.read(found.for_pods, spec.kubeconfig)
        asked = any(cell.consumer is Consumer.POD for cell in found.reaches)
        new = written(found.for_pods, pods) if spec.probes and not asked else []
        colima = Colima(resolve(os.environ, platform.system()))
        cells = ask_pods(colima, _running(colima, spec.profiles) if new else (), spec.probes, new)
        return replace(found, files=files, pods=pods, reaches=(*found.reaches, *cells))

    def plan(self, spec: NetworkSpec, current: NetworkState) -> Plan:
        """Return what to do with the file and the ConfigMaps, and what does not get out."""
        failures = map(str, unreached(current.reaches))
        files = list(map(_plan_file, current.files))
        pods = plan_config_maps(current.for_pods, current.pods, spec.expected)
        before = {str(place): shown(found.owned_data) for place, found in current.pods.found.items() if found.ours}
        after = {str(step.place): shown(step.data) for step in pods.steps if isinstance(step, ConfigMapStep)}
        return Plan(
            (*(step for file in files for step in file.steps), *pods.steps),
            before,
            {**before, **after},
            pods.pending,
            (*map(str, current.collisions), *failures),
            (*(refusal for file in files for refusal in file.refusals), *pods.refusals),
        )

    def apply(self, step: Step) -> None:
        """Write or remove a file, or a ConfigMap."""
        if not isinstance(step, WriteOwnFile):
            self.pods.apply(step)
        elif step.text:
            write_file(step.path, step.text, 0o644, _REMEDY)
        else:
            with naming_files(f"remove '{step.path}'", _REMEDY):
                step.path.unlink(missing_ok=True)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan; what one cluster refuses holds up no other."""
        apply_each(plan, self.apply, report)

    def public(self, outcome: Result[NetworkSpec, NetworkState]) -> dict[str, Any]:
        """Return the matrix, and the routes that collide."""
        after = outcome.after
        return {
            "matrix": [reach.public() for reach in after.reaches],
            "collisions": [str(collision) for collision in after.collisions],
            "bundle": str(authorities_file()) if after.bundle else "",
            "warnings": list(map(str, unreached(after.reaches))),
        }


SUBJECT = Network


def _own_files(wanted: Mapping[Path, str]) -> tuple[OwnFile, ...]:
    return tuple(OwnFile(path, text, read_file(path, _MOST_BYTES)) for path, text in wanted.items())


def _proxy_text(proxy: Proxy) -> str:
    """Return the text of the file with the proxy. What is on the laptop, such as a stand-in for AWS, is asked without it."""
    known = replace(proxy, no_proxy=(*NEAR, *proxy.no_proxy)).variables() if proxy else {}
    lines = [f"{name}={value}\n" for name, value in known.items() if name.islower()]
    return f"{_MARK}the proxy of your company, for requests to AWS.\n{''.join(lines)}" if lines else ""


def _plan_file(file: OwnFile) -> Plan:
    ours, what = file.found.text.startswith(_MARK), f"'{file.path}'"
    if file.found.kind != "absent" and not ours:
        refusal = InputError(f"write {what}", "it is another program's file", "Move it away, and run again.")
        return Plan(refusals=(refusal,) if file.wanted else ())
    if file.wanted == file.found.text:
        return Plan()
    return Plan((WriteOwnFile("write" if file.wanted else "remove", what, file.path.stem, path=file.path, text=file.wanted),))


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
