# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier profiles, other tools and killed runs have left: it takes room or leads astray, and nothing needs it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ...colima.client.retained_vms import everything, room_of
from ...colima.model.state import GIB
from ...colima.observe.read import known_profiles
from ...colima.observe.space import taken_by
from ...colima_paths import short_name
from ...core.errors import WorkstationError
from ...core.records import directory, last_of_each
from ...core.system.files import is_json_object, moved_away
from ...core.system.home import home, state_directory
from ...docker.client import context_hosts, docker_directory
from ...docker.config.surroundings import desktop_is_installed
from ...kube.kubeconfig import load, path_from
from ..laptop import Laptop
from ..model import Check, CheckKind
from ..settings import MODULES

DESKTOP = CheckKind("leftovers.docker_desktop", "whether Docker Desktop is installed beside the workstation")
PROFILE = CheckKind("leftovers.profile", "whether there are profiles that the settings do not have")
DISK = CheckKind("leftovers.disk", "whether a data disk belongs to no profile, and what it takes")
KEPT = CheckKind("leftovers.kept", "whether a VM is kept after a move or a deletion, and what it takes")
CONTEXT = CheckKind("leftovers.context", "whether docker contexts lead to profiles that are gone")
KUBE = CheckKind("leftovers.kube_context", "whether kube contexts lead to profiles that are gone")
NOTES = CheckKind("leftovers.notes", "whether the collection's own notes can be read")
ASIDE = CheckKind("leftovers.aside", "whether repairs have put files aside")
FAILURE = CheckKind("leftovers.failure", "whether the last run that set out to change something failed, and with what")
KINDS = (DESKTOP, PROFILE, DISK, KEPT, CONTEXT, KUBE, NOTES, ASIDE, FAILURE)


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    desktop = desktop_is_installed(laptop.environment)
    yield (
        DESKTOP.note("it is installed, and its licence may need a subscription", "brew uninstall --cask docker-desktop")
        if desktop
        else (DESKTOP.ok("it is not installed"))
    )
    yield from _notes(laptop)
    yield from _failures(laptop)
    if laptop.has("colima_profile"):
        wanted = {str(name) for name in laptop.profiles()}
        there = {name.name for name in known_profiles(laptop.colima.paths, with_disks=False)}
        yield from _profiles(there - wanted)
        yield from _disks(laptop, there | wanted)
        yield from _kept(laptop)
        yield from _docker_contexts(laptop, there | wanted)
        yield from _kube_contexts(laptop, there | wanted)
        yield _aside(laptop)


def _profiles(others: set[str]) -> Iterator[Check]:
    for name in sorted(others):
        yield PROFILE.note("the settings do not have it", f"colima delete --force --profile {name}", name)
    if not others:
        yield PROFILE.ok("none")


def _disks(laptop: Laptop, known: set[str]) -> Iterator[Check]:
    lost = [place for place in (laptop.colima.paths.lima / "_disks").glob("colima*") if short_name(place.name) not in known]
    for place in lost:
        taken = taken_by(place)
        found = f"it belongs to no profile, and takes {taken / GIB:.1f} GiB; a profile of its name would use it again"
        yield DISK.note(
            found, f"LIMA_HOME={shlex.quote(str(laptop.colima.paths.lima))} limactl disk delete --force {place.name}", place.name
        )
    if not lost:
        yield DISK.ok("none")


def _kept(laptop: Laptop) -> Iterator[Check]:
    paths = laptop.colima.paths
    there = everything(paths)
    for vm in there:
        takes, profile = f"takes {room_of(paths, vm) / GIB:.1f} GiB", f"move_profile={vm.profile}"
        if vm.until:
            back = laptop.other_play("restore", "snapshot", f"snapshot_profile={vm.profile}", f"snapshot_name={vm.name}")
            free = laptop.other_play("reclaim", "reclaim", "reclaim_deleted=all")
            yield KEPT.note(
                f"it was deleted, {takes}, and can be brought back until {vm.lasts}; to free that now: {free}", back, vm.name
            )
        else:
            found = f"it is kept since profile '{vm.profile}' has moved, and {takes}"
            yield KEPT.note(found, laptop.other_play("move", "retire", profile, f"move_confirm={vm.name}"), vm.name)
    if not there:
        yield KEPT.ok("none")


def _docker_contexts(laptop: Laptop, known: set[str]) -> Iterator[Check]:
    base = f"unix://{laptop.colima.paths.base}/"
    hosts = context_hosts(docker_directory(laptop.environment, home()))
    ours = {name: host for name, host in hosts.items() if host.startswith(base)}
    lost = {name: host for name, host in ours.items() if short_name(host.removeprefix(base).partition("/")[0]) not in known}
    for name, host in lost.items():
        yield CONTEXT.note(f"it leads to {host}, whose profile is gone", f"docker context rm --force {name}", name)
    if not lost:
        yield CONTEXT.ok("none")


def _kube_contexts(laptop: Laptop, known: set[str]) -> Iterator[Check]:
    try:
        config = load(path_from(laptop.environment))
    except WorkstationError as error:
        # What repairs it, the check of the kube context says.
        yield KUBE.unknown(f"could not {error.what}: {error.reason}")
        return
    listed = [str(item.get("name")) for item in config.get("contexts") or () if isinstance(item, dict)]
    lost = [name for name in listed if (name == "colima" or name.startswith("colima-")) and short_name(name) not in known]
    for name in lost:
        remove = " && ".join(f"kubectl config {verb} {name}" for verb in ("delete-context", "delete-cluster", "delete-user"))
        yield KUBE.note("its profile is gone", remove, name)
    if not lost:
        yield KUBE.ok("none")


def _notes(laptop: Laptop) -> Iterator[Check]:
    directory_ = state_directory(laptop.environment)
    damaged = [file for file in sorted(directory_.glob("*.json")) if not is_json_object(file)]
    for file in damaged:
        found = "it can't be read, so what earlier runs changed can't be undone"
        yield NOTES.warning(found, moved_away(file), file.name)
    if not damaged and not directory_.is_dir() and any(profile.exists for profile in laptop.profiles().values()):
        found = f"'{directory_}' is gone, so what earlier runs changed in files of yours can't be undone"
        yield NOTES.note(found, "Restore it from a backup, if you have one. Later runs note what they change.")
    elif not damaged:
        yield NOTES.ok("readable")


def _failures(laptop: Laptop) -> Iterator[Check]:
    last = last_of_each(directory(laptop.environment))
    failed = {task: row for task, row in last.items() if row.get("failed") and task in MODULES}
    for task, row in failed.items():
        role = MODULES[task][0]
        found = f"it failed at {row.get('time')}: {' '.join(str(row.get('msg') or 'it gave no reason').split())}"
        yield FAILURE.warning(found, laptop.converge(role), role)
    if not failed:
        yield FAILURE.ok("none")


def _aside(laptop: Laptop) -> Check:
    place = laptop.colima.paths.own / "aside"
    files = sorted(place.iterdir()) if place.is_dir() else []
    if files:
        return ASIDE.note(f"{len(files)} directories that repairs have replaced", f"rm -r {shlex.quote(str(place))}", str(place))
    return ASIDE.ok("none")
