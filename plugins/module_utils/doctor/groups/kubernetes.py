# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster of each profile with Kubernetes: whether its context leads to it, and whether pods run on containerd directly."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...colima.model.config import has_kubernetes
from ...colima.model.state import RUNNING, ProfileState
from ...core.errors import CommandFailed, ToolMissing, WorkstationError
from ...core.install import install_command
from ...core.system.files import moved_away
from ...core.system.home import home
from ...docker.engine import EngineSilent
from ...kube.answers import Unreachable
from ...kube.entry import kubeconfig_paths
from ...kube.kubeconfig import load, parts, path_from
from ...toolchain.judge import findings
from ...toolchain.programs import in_digits, version_of
from ..cluster import ClusterReader
from ..laptop import ENDS, Bounded, Laptop
from ..model import Check, CheckKind

CONTEXT = CheckKind("kubernetes.context", "whether the kube context of a profile is there, and is that of the k3s in it")
CURRENT = CheckKind("kubernetes.current", "whether kubectl has a current context that exists")
API = CheckKind("kubernetes.api", "whether the API server answers to the kubeconfig's credentials")
CERTIFICATES = CheckKind("kubernetes.certificates", "how long the certificates of the API server and of the kubeconfig are valid")
NODE = CheckKind("kubernetes.node", "whether the node is ready")
RUNTIME = CheckKind("kubernetes.runtime", "whether the node runs pods on containerd itself, not through a shim to docker")
PODS = CheckKind("kubernetes.pods", "whether a docker engine is free of the cluster's containers, which would fill `docker ps`")
SKEW = CheckKind("kubernetes.skew", "whether kubectl is at most one minor version from the server")
KINDS = (CONTEXT, CURRENT, API, CERTIFICATES, NODE, RUNTIME, PODS, SKEW)

FEW_DAYS = 14
_PODS = '/containers/json?filters={"label":["io.kubernetes.pod.name"]}'


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if not laptop.has("colima_profile"):
        return
    answers = laptop.engines()
    found = laptop.profiles()
    clusters = {name: profile for name, profile in found.items() if _wants_kubernetes(laptop, name, profile)}
    for name, current in clusters.items():
        yield from _cluster(laptop, name, current)
    if clusters:
        yield _current([*clusters.values()][0])  # noqa: RUF015 - in a generator, next() would end it without a word
    sockets = laptop.docker_sockets()
    for name, current in found.items():
        # Whether an engine answers is a check of the group docker.
        if current.health == RUNNING and isinstance(answers.get(name), dict):
            yield from _pods(laptop, name, sockets[name])


def _wants_kubernetes(laptop: Laptop, name: str, current: ProfileState) -> bool:
    wanted = next(spec for spec in laptop.look("colima_profile").spec.profiles if spec.name.name == name)
    applied = current.applied is not None and has_kubernetes(current.applied)
    return wanted.state != "absent" and bool(wanted.stated.get("kubernetes.enabled", applied))


def _current(current: ProfileState) -> Check:
    clients = current.clients
    if clients.kube_current_dangling:
        found = f"the current context '{clients.kube_current}' does not exist"
        return CURRENT.warning(found, f"kubectl config use-context {current.name.id}")
    return CURRENT.ok(f"'{clients.kube_current}'" if clients.kube_current else "none is current")


def _cluster(laptop: Laptop, name: str, current: ProfileState) -> Iterator[Check]:
    context, converge = current.name.id, laptop.converge("colima")
    if current.health != RUNNING:
        return
    if not current.live.get("kubernetes"):
        yield API.broken("k3s does not run in the profile", f"colima kubernetes start --profile {name}", context)
        return
    problems = {
        "": "it is not in the kubeconfig",
        "incomplete": "its entry is incomplete",
        "stale": "its entry is that of another k3s",
    }
    if current.clients.kube_entry in problems:
        yield _missing_entry(laptop, problems[current.clients.kube_entry], context)
        return
    yield CONTEXT.ok("it is that of the profile", context)
    try:
        cluster = laptop.cluster(context)
        version = cluster.version()
    except WorkstationError as error:
        why = error.reason or error.message
        if isinstance(error, Unreachable):
            yield API.broken(*laptop.restarted_k3s(name, why), context)
        else:
            yield API.broken(why, converge, context)
        return
    yield answers(version, context)
    yield _certificates(laptop, cluster, name, context)
    yield from _nodes(cluster, name, context)
    yield _skew(laptop, version, context)


def _missing_entry(laptop: Laptop, found: str, context: str) -> Check:
    """Return why a context is not there, the file first: an unreadable one, or a wrong name in KUBECONFIG."""
    path, converge = path_from(laptop.environment), laptop.converge("colima")
    file = shlex.quote(str(path))
    try:
        load(path)
    except WorkstationError as error:
        if path.is_file() and not os.access(path, os.R_OK):
            return CONTEXT.broken(f"{path} can't be read: permission denied", f"chmod u+rw {file}", context)
        return CONTEXT.broken(error.complaint, f"{moved_away(path)} && {converge}", context)
    usual = path_from({"HOME": home()})
    for other in kubeconfig_paths("", laptop.environment):
        with contextlib.suppress(WorkstationError):
            if other != path and parts(load(other), context):
                return CONTEXT.warning(
                    f"its entry is in {other}, and colima writes to {path}, which KUBECONFIG names first", converge
                )
    if path != usual:
        found = f"{found} {path}, which KUBECONFIG names"
        with contextlib.suppress(WorkstationError):
            if parts(load(usual), context):
                return CONTEXT.broken(f"{found}; it is in {usual}", "unset KUBECONFIG", context)
    return CONTEXT.broken(found, converge, context)


def answers(version: str, context: str) -> Check:
    """Return that an API server of a version answers, and whether this version is known to break."""
    number = version_of(version)
    for finding in findings({"k3s": number} if number else {}):
        if finding.fault is not None:
            newer = f"Set 'version' below 'kubernetes' of the profile to {in_digits(finding.fault.fixed)} or newer."
            return API.warning(f"{version} answers, and {finding.fault.says}", newer, context)
    return API.ok(f"{version} answers", context)


def _certificates(laptop: Laptop, cluster: ClusterReader, name: str, context: str) -> Check:
    now = datetime.now(UTC)
    left = {whose: (moment - now).days for whose, moment in cluster.certificates().items()}
    if not left:
        return CERTIFICATES.ok("it has none", context)
    whose = min(left, key=lambda certificate: left[certificate])
    found = f"{left[whose]} days are left ({whose})"
    again = laptop.restart(name)
    # A restart has k3s make new ones, and the run after it writes them to the kubeconfig.
    if left[whose] < 0:
        return CERTIFICATES.broken(f"{whose} ended {-left[whose]} days ago{ENDS}", again, context)
    return CERTIFICATES.warning(f"{found}{ENDS}", again, context) if left[whose] < FEW_DAYS else CERTIFICATES.ok(found, context)


def _nodes(cluster: ClusterReader, name: str, context: str) -> Iterator[Check]:
    try:
        nodes = cluster.nodes()
    except WorkstationError as error:
        yield NODE.unknown(error.message, "Ask for a role that may list nodes.", context)
        return
    if not nodes:
        yield NODE.broken(f"the cluster has no node, so no pod can run{ENDS}", f"colima restart {name}", context)
    for node in nodes:
        called, info = str(node["metadata"]["name"]), (node.get("status") or {}).get("nodeInfo") or {}
        why = _not_ready(node)
        yield (
            NODE.broken(f"node '{called}' is not ready: {why}{ENDS}", f"colima restart {name}", context)
            if why
            else NODE.ok(f"'{called}' is ready", context)
        )
        runtime = str(info.get("containerRuntimeVersion") or "")
        if runtime.startswith("containerd://"):
            yield RUNTIME.ok(runtime, context)
        else:
            yield RUNTIME.warning(f"it is {runtime or 'unknown'}, a shim between Kubernetes and docker", _OWN_PROFILE, context)


_OWN_PROFILE = "Give Kubernetes a profile of its own with runtime containerd; see the page of the role colima."


def _not_ready(node: Mapping[str, Any]) -> str:
    """Return why a node is not ready; empty when it is."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next((condition for condition in conditions if condition.get("type") == "Ready"), {})
    return "" if ready.get("status") == "True" else str(ready.get("message") or ready.get("reason") or "it does not report")


def _pods(laptop: Laptop, name: str, socket: str) -> Iterator[Check]:
    try:
        listed = laptop.get(socket, _PODS)
    except EngineSilent as silent:
        yield PODS.unknown(f"the engine did not answer to the question: {silent}", "", name)
        return
    count = len(listed) if isinstance(listed, list) else 0
    if count:
        yield PODS.warning(f"{count} containers of a cluster run in docker", _OWN_PROFILE, name)
    else:
        yield PODS.ok("none", name)


def _skew(laptop: Laptop, version: str, context: str) -> Check:
    try:
        client = laptop.once("kubectl version", _kubectl)
    except (CommandFailed, ToolMissing) as error:
        return SKEW.unknown(error.reason, error.remedy, context)
    mine, server = _minor(client), _minor(version)
    if mine and server and abs(mine - server) > 1:
        return SKEW.warning(f"kubectl is {client}, the server {version}", _newer_kubectl(laptop, version), context)
    return SKEW.ok(f"kubectl {client}", context)


def _newer_kubectl(laptop: Laptop, version: str) -> str:
    """Return the command that puts a kubectl of the server's version in the place of this one, by who keeps it up to date."""
    found, brew = (shutil.which(program, path=laptop.path) for program in ("kubectl", "brew"))
    if (
        brew
        and found
        and Path(found).parent == Path(brew).parent
        and (Path(brew).parents[1] / "Cellar" / "kubernetes-cli").exists()
    ):
        return install_command("kubectl", verb="upgrade", search=laptop.path)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    url = f"https://dl.k8s.io/release/{version.partition('+')[0]}/bin/{laptop.system.lower()}/{machine}/kubectl"
    place = shlex.quote(found or str(Path(home()) / ".local" / "bin" / "kubectl"))
    sudo = "" if os.access(Path(found or home()).parent, os.W_OK) else "sudo "
    return f"{sudo}curl -fLo {place} {url} && {sudo}chmod 755 {place}"


def _kubectl() -> str:
    output = Bounded("kubectl").run("version", "--client", "--output=json")
    try:
        return str(json.loads(output.stdout)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError) as error:
        remedy = "Look at what 'kubectl version --client' prints."
        raise CommandFailed("read the answer of 'kubectl version'", "it is not what kubectl prints", remedy) from error


def _minor(version: str) -> int:
    parts = version.removeprefix("v").split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
