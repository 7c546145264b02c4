# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings refer to beside themselves: profiles of another role, names in the user's own files, and these files."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..module_utils.colima_paths import parse_name, resolve, short_name
from ..module_utils.core.errors import WorkstationError
from ..module_utils.core.options import suggestion
from ..module_utils.core.system.files import read_file
from ..module_utils.core.system.home import home
from ..module_utils.docker.client import context_directory, docker_directory, read_config
from ..module_utils.ecr.profiles import aws_config, aws_profiles
from ..module_utils.kube.entry import context_names, find_entry, kubeconfig_paths
from ..module_utils.kube.kubeconfig import load, path_from
from ..module_utils.nerdctl.wrapper import WrapperSpec, why_not_written


def unknown_profiles(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for each profile that is neither in the settings nor on the laptop.

    works: the options of the tasks that the run reaches, by module. Without colima_profile among them nothing is known.
    """
    profiles = works.get("colima_profile", {}).get("profiles")
    if not isinstance(profiles, list | tuple) or not all(isinstance(profile, Mapping) for profile in profiles):
        return
    known = {short_name(str(profile["name"])) for profile in profiles if profile.get("name")} - {""}
    for value, where in (*_mentions(works), *_contexts(works.get("ecr_pull_secret", {}), known, environment)):
        short = short_name(value)
        if short and short not in known and not _directory(works, environment, short).is_dir():
            # A kube context is called after its profile.
            written = {f"colima-{name}" for name in known} if value != short else known
            help_ = suggestion(value, written) or (f" Use one of {', '.join(sorted(written))}." if known else " List it there.")
            yield f"Could not use profile '{value}' {where}: colima_profiles does not have it.{help_}", value


def unfit_profiles(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for each profile that must run another runtime for what it is named for.

    works: as for unknown_profiles. A profile that they do not have is looked up on the laptop.
    """
    listed = works.get("colima_profile", {}).get("profiles")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list | tuple) else []
    stated = {short_name(entry.get("name")): entry.get("runtime") for entry in entries}
    nerdctl = [(*user, "containerd") for user in _users_of_nerdctl(works)]
    engine = [(value, where, "tools reach its engine", "docker") for value, where in _users_of_engine(works)]
    for value, where, what, needed in (*nerdctl, *engine):
        # Of a profile that is nowhere, only that is told; one whose settings do not say it runs docker, once it is new.
        short = short_name(value)
        usual = "docker" if short in stated else needed
        runtime = stated.get(short) or _runtime(_directory(works, environment, short) / "colima.yaml") or usual
        if short and runtime != needed:
            yield _unfit(value, where, f"its runtime is {runtime}, and {what} with {needed} only", needed, stated), value


def _unfit(value: Any, where: str, reason: str, needed: str, stated: Mapping[str, Any]) -> str:
    """Return what is wrong with a profile of another runtime, with one of the settings that would do."""
    fit = next((repr(name) for name, found in stated.items() if name and found == needed), "")
    remedy = f"Name one with runtime {needed}{', such as ' + fit if fit else ''}, or leave it out."
    return f"Could not use profile '{value}' {where}: {reason}. {remedy}"


def _directory(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str], short: str) -> Path:
    """Return where colima keeps a profile's settings, on the system that the run takes the laptop for."""
    host = works.get("colima_profile", {}).get("host")
    system = host.get("system") if isinstance(host, Mapping) else None
    return resolve(environment, str(system or platform.system())).base / short


def _runtime(settings: Path) -> str:
    """Return the runtime in a profile's settings; empty where it can't be told."""
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
        found = yaml.safe_load(settings.read_text(encoding="utf-8"))
        return str(found.get("runtime") or "") if isinstance(found, Mapping) else ""
    return ""


def unknown_docker_contexts(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for each docker context that neither the run makes nor the laptop has.

    works: as for unknown_profiles. Without docker_context among them nothing is known.
    """
    if "docker_context" not in works:
        return
    entries = _entries(works, "docker_context", "contexts")
    # What runs on containerd has no docker context.
    profiles = [
        entry for entry in _entries(works, "colima_profile", "profiles") if (entry.get("runtime") or "docker") == "docker"
    ]
    known = {
        "default",
        *(str(entry.get("name")) for entry in entries),
        *(f"colima-{short_name(profile.get('name'))}" for profile in profiles),
    }
    directory = docker_directory(environment, home())
    for value, where in _docker_contexts(works):
        if isinstance(value, str) and value not in known and not context_directory(directory, value).is_dir():
            help_ = suggestion(value, known) or f" Use one of {', '.join(sorted(known))}."
            yield f"Could not use docker context '{value}' {where}: docker_context_contexts does not have it.{help_}", value


def unknown_aws_profiles(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for each AWS profile of a registry that the user's files do not have.

    works: as for unknown_profiles. Without colima_profile among them, the task that has to ask AWS says it soon enough itself.
    """
    registries = [entry for entry in _entries(works, "ecr_pull_secret", "registries") if entry.get("profile")]
    if "colima_profile" not in works or not registries:
        return
    try:
        known = aws_profiles(environment)
    except WorkstationError as error:
        yield error.message, None
        return
    for registry in registries:
        value, where = registry["profile"], f"of registry '{registry.get('host') or registry.get('account_id')}'"
        if str(value) not in known:
            help_ = suggestion(str(value), known)
            help_ = help_ or f" Create it with 'aws configure sso --profile {value}', or correct the name."
            yield f"Could not use AWS profile '{value}' {where}: '{aws_config(environment)}' does not have it.{help_}", value


def unknown_clusters(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for a kubeconfig or a kube context that is not there, and that no profile makes.

    works: as for unknown_aws_profiles. Where clusters may be away, they may come later.
    """
    work = works.get("ecr_pull_secret", {})
    if "colima_profile" not in works or work.get("state") == "absent" or work.get("unreachable") == "pending":
        return
    given = os.path.expandvars(str(work.get("kubeconfig") or ""))
    paths = kubeconfig_paths(given, environment)
    # The file that colima writes to.
    comes = path_from(environment) in paths
    if given and not comes and not paths[0].exists():
        yield f"Could not use kubeconfig '{given}': it does not exist. Correct its path.", work["kubeconfig"]
        return
    yield from _unknown_contexts(work.get("contexts") or (), paths, works, comes=comes)


def _unknown_contexts(
    contexts: Iterable[Any], paths: Sequence[Path], works: Mapping[str, Mapping[str, Any]], *, comes: bool
) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for each kube context that is not in the files. comes: whether colima writes to one."""
    for context in contexts:
        if comes and str(context).startswith("colima-"):
            continue
        try:
            find_entry(str(context), paths)
        except WorkstationError as error:
            if not error.context.get("missing_context"):
                yield error.message, context
                continue
            known = sorted({*context_names(paths), *(_comes_with(works) if comes else ())})
            files = ", ".join(f"'{path}'" for path in paths)
            help_ = suggestion(str(context), known) or " Correct its name, or add it there."
            yield f"Could not use kube context '{context}' in secret_refresh_context: {files} does not have it.{help_}", context


def unmovable_clusters(works: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value where the cluster that is to move along can't: it comes after images and volumes.

    works: as for unknown_profiles.
    """
    work = works.get("cluster_migration", {})
    if not work.get("context"):
        return
    with contextlib.suppress(WorkstationError):
        # colima names the context after Lima's id of the profile.
        if work["context"] == (target := parse_name(str(work.get("target") or ""))).id:
            yield (
                f"Could not move a cluster to itself: kube context '{work['context']}' is the cluster of profile '{target}'. "
                "Name the context of the old cluster as migrate_cluster, or leave that empty.",
                work["context"],
            )
            return
    try:
        find_entry(str(work["context"]), kubeconfig_paths("", environment))
    except WorkstationError as error:
        yield error.message, work["context"]


def foreign_wrappers(works: Mapping[str, Mapping[str, Any]], _environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield a sentence and the value for each path of a nerdctl wrapper at which another file is: VMs need not start for that.

    works: as for unknown_profiles.
    """
    for entry in _entries(works, "nerdctl_wrapper", "wrappers"):
        path = Path(os.path.expandvars(str(entry.get("path") or "~/.local/bin/nerdctl"))).expanduser()
        if "absent" not in (entry.get("state"), works["nerdctl_wrapper"].get("state")) and path.is_absolute():
            wrapper = WrapperSpec(path, str(entry.get("profile")), move_foreign=bool(entry.get("move_foreign")))
            refusal = why_not_written(wrapper, read_file(path))
            if refusal:
                yield refusal.message.replace("O(wrappers)", "nerdctl_wrappers"), entry.get("path") or entry.get("profile")


def _comes_with(works: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the kube contexts of the profiles that the settings have."""
    for entry in _entries(works, "colima_profile", "profiles"):
        kubernetes = entry.get("kubernetes")
        if isinstance(kubernetes, Mapping) and kubernetes.get("enabled"):
            yield f"colima-{short_name(entry.get('name'))}"


def _docker_contexts(works: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Any, str]]:
    chosen = works["docker_context"].get("current_context")
    if chosen:
        yield chosen, "as docker_context_current"
    for entry in _entries(works, "buildx_builder", "builders"):
        nodes = [one for one in entry.get("nodes") or () if isinstance(one, Mapping)]
        for endpoint in (entry.get("endpoint"), *(node.get("endpoint") for node in nodes)):
            # Anything else is an address, or a node in pods.
            if endpoint and "://" not in str(endpoint) and (entry.get("driver") or "docker-container") == "docker-container":
                yield endpoint, f"of builder '{entry.get('name')}'"


def unreadable_files(works: Iterable[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for docker's configuration and the kubeconfig, where a task of the run has to read it and can't.

    works: the modules that the run reaches.
    """
    reached = set(works)
    if reached & {"docker_cli_config", "docker_context", "buildx_builder"}:
        yield from _trouble(lambda: read_config(docker_directory(environment, home())))
    if reached & {"colima_profile", "ecr_pull_secret"}:
        yield from _trouble(lambda: load(path_from(environment)))


def _trouble(read: Callable[[], object]) -> Iterator[str]:
    try:
        read()
    except WorkstationError as error:
        yield error.message


def _mentions(works: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Any, str]]:
    for value, where, _what in _users_of_nerdctl(works):
        yield value, where
    yield from _users_of_engine(works)
    confirmed = works["colima_profile"].get("confirm_data_loss") or ()
    for name in confirmed.split(",") if isinstance(confirmed, str) else confirmed:
        yield name, "in colima_confirm_data_loss"
    for entry in _entries(works, "docker_context", "contexts"):
        endpoint = entry.get("docker")
        if isinstance(endpoint, Mapping):
            yield endpoint.get("profile"), f"of docker context '{entry.get('name')}'"


def _users_of_engine(works: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Any, str]]:
    """Yield the profile whose engine docker's configuration names, where it names one: the profile, and where it stands."""
    work = works.get("docker_cli_config", {})
    if work.get("state") != "absent" and (work.get("env_file") or work.get("testcontainers")):
        yield work.get("profile"), "as docker_cli_profile"


def _users_of_nerdctl(works: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Any, str, str]]:
    """Yield each profile that something needs which only containerd has: the profile, where it is named, and what needs it."""
    for entry in _entries(works, "nerdctl_wrapper", "wrappers"):
        yield entry.get("profile"), f"of nerdctl wrapper '{entry.get('path', '~/.local/bin/nerdctl')}'", "nerdctl works"
    for entry in _entries(works, "buildx_builder", "builders"):
        yield entry.get("profile"), f"of builder '{entry.get('name')}'", "a profile's own BuildKit runs"
    listed = works.get("ecr_pull_secret", {}).get("nerdctl_profiles") or ()
    # A text is a list with commas, for Ansible.
    for profile in listed.split(",") if isinstance(listed, str) else listed:
        yield profile, "in secret_refresh_nerdctl_profiles", "nerdctl works"


def _contexts(work: Mapping[str, Any], known: Collection[str], environment: Mapping[str, str]) -> Iterator[tuple[Any, str]]:
    """Yield the kube contexts that only a profile of colima's can bring, and that does not exist yet."""
    for context in work.get("contexts") or () if work.get("state") != "absent" else ():
        if str(context).startswith("colima-") and short_name(context) not in known:
            try:
                find_entry(context, kubeconfig_paths(str(work.get("kubeconfig") or ""), environment))
            except WorkstationError as error:
                if error.context.get("missing_context"):
                    yield context, "in secret_refresh_context"


def _entries(works: Mapping[str, Mapping[str, Any]], module: str, option: str) -> list[Mapping[str, Any]]:
    work = works.get(module, {})
    found = work.get(option) if work.get("state") != "absent" else None
    entries = found if isinstance(found, list | tuple) else ()
    return [entry for entry in entries if isinstance(entry, Mapping) and entry.get("state", "present") == "present"]
