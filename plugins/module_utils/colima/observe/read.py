# SPDX-License-Identifier: GPL-3.0-or-later
"""Read everything about some profiles, with as few and as parallel commands as possible. Changes nothing."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...colima_paths import Name, Paths, parse_name
from ...core.errors import InputError, WorkstationError
from ...core.system.files import text_of
from ...core.system.processes import command_of, commands
from ...core.system.together import together
from ..client.programs import Colima
from ..client.retained_vms import RetainedVm, deleted, on_one_disk
from ..model.answers import ListedProfile, Malformed, loads, parse_pid, parse_store, tells_of_running
from ..model.config import Config, config_from
from ..model.state import (
    ABSENT,
    DAMAGED,
    DEFINED,
    HALF,
    LEFTOVER,
    RUNNING,
    SILENT,
    DataDisk,
    ProfileFiles,
    ProfileState,
    SharedTraces,
    contradiction_of,
    health_of,
)
from ..model.yaml_text import parse
from .client_files import ClientFiles
from .guest import GuestState, read_guest
from .idle_note import idle_seconds


@dataclass(frozen=True)
class ColimaState:
    """The profiles that were asked for, and what else Lima runs for colima."""

    profiles: Mapping[str, ProfileState]
    others: tuple[ListedProfile, ...] = ()
    problems: tuple[str, ...] = field(default=())
    # Only looked for with the wrappers.
    shared: SharedTraces = field(default_factory=SharedTraces)
    # What was set aside in place of a deletion, and for long enough.
    expired: tuple[RetainedVm, ...] = ()


def read(colima: Colima, names: Iterable[Name] | None, with_wrappers: bool = False, tolerant: bool = False) -> ColimaState:
    """Return the profiles as they are. names None: every profile with any trace. tolerant: a failing command is only a problem.

    One `colima list`, one `limactl disk list` and, for each running profile, a word with its engine and its API server, side by
    side; `colima status` and more only for a VM that leaves a question open. No command where colima has never been used, because
    even a read would make its directories. What contradicts itself may have changed between two answers, so it is read once more.
    """
    wanted = None if names is None else sorted(names)
    found = _read(colima, wanted, with_wrappers, tolerant)
    if any(current.contradiction for current in found.profiles.values()):
        found = _read(colima, wanted, with_wrappers, tolerant)
    return found


def _read(colima: Colima, names: Sequence[Name] | None, with_wrappers: bool, tolerant: bool) -> ColimaState:
    paths, problems = colima.paths, list[str]()
    answers: dict[str, Any] = {}
    clients = ClientFiles(colima.environment, with_wrappers, paths)

    def spared(call: Callable[[], Any], instead: Any) -> Callable[[], Any]:
        return _spared(call, instead, problems) if tolerant else call

    def guests(which: Iterable[Name]) -> dict[str, Callable[[], Any]]:
        asked = {name: partial(read_guest, colima, name, clients.compared(name)) for name in which}
        return {f"guest {name}": spared(call, GuestState(reached=False)) for name, call in asked.items()}

    if _is_there(paths.lima) and colima.installed:
        asked = {"rows": spared(colima.rows, None), "disks": spared(colima.disks, {})}
        candidates = names if names is not None else known_profiles(paths)
        started = [name for name in candidates if colima.looks_started(name)]
        answers = together({**asked, **guests(started)})
    rows: list[ListedProfile] | None = answers.get("rows")
    listed = rows or ()
    wanted = names if names is not None else sorted({*known_profiles(paths), *_named(listed)})
    by_name = {row.name: row for row in listed}
    running = [name for name in wanted if by_name.get(name.name, ListedProfile("")).status == "Running"]
    answers.update(together(guests(name for name in running if f"guest {name}" not in answers)))
    profiles = {
        name.name: _current(
            paths,
            name,
            row=by_name.get(name.name),
            listed=rows is not None,
            disk=answers.get("disks", {}).get(name.id),
            guest=answers.get(f"guest {name}", GuestState()),
            clients=clients,
        )
        for name in wanted
    }
    others = tuple(row for row in listed if row.name not in profiles)
    shared = clients.shared()
    expired = tuple(vm for vm in deleted(paths) if vm.until <= time.time())
    return ColimaState(profiles, others, tuple(dict.fromkeys((*problems, *clients.problems))), shared, expired)


def _is_there(directory: Path) -> bool:
    """Whether there is such a directory. Raises OSError when that can't be seen: what is closed to us is not absent."""
    try:
        return stat.S_ISDIR(directory.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _spared(call: Callable[[], Any], instead: Any, problems: list[str]) -> Callable[[], Any]:
    def spared() -> Any:
        try:
            return call()
        except WorkstationError as error:
            problems.append(error.message)
            return instead

    return spared


def _named(rows: Iterable[ListedProfile]) -> list[Name]:
    result = []
    for row in rows:
        with contextlib.suppress(InputError):
            result.append(parse_name(row.name))
    return result


def known_profiles(paths: Paths, *, with_disks: bool = True) -> list[Name]:
    """Return the profiles that have settings, a VM or (with_disks) a data disk."""
    found = set()
    traces = [("*/colima.yaml", paths.base), ("colima*/lima.yaml", paths.lima)]
    if with_disks:
        traces.append(("_disks/colima*/datadisk", paths.lima))
    for pattern, base in traces:
        for file in base.glob(pattern):
            if not file.parent.name.startswith("_"):
                with contextlib.suppress(InputError):
                    found.add(parse_name(file.parent.name))
    return sorted(found)


def _current(
    paths: Paths,
    name: Name,
    *,
    row: ListedProfile | None,
    listed: bool,
    disk: DataDisk | None,
    guest: GuestState,
    clients: ClientFiles,
) -> ProfileState:
    configured, problem = _config(paths.configured(name))
    applied, _error = _config(paths.applied(name))
    instance = paths.instance(name)
    defined, finished = (instance / "lima.yaml").exists(), paths.applied(name).exists()
    files = ProfileFiles(instance.is_dir(), defined, paths.configured(name).exists(), finished)
    health = health_of(row, files, guest.live, reached=guest.reached, dead_engine=guest.dead_engine)
    agent = living(instance / "ha.pid")
    events = text_of(paths.events(name))
    store, fresh = text_of(paths.store(name)), paths.fresh(name).exists()
    return ProfileState(
        name=name,
        health=health,
        row=row,
        configured=configured,
        configured_problem=problem,
        applied=applied,
        interrupted=_journal(paths.journal(name)),
        fresh=fresh,
        seen_up=fresh and tells_of_running(events or ""),
        never_up=health in (HALF, SILENT) and events is not None and not tells_of_running(events),
        store=None if store is None else parse_store(store),
        disk=disk,
        disk_unfinished=_is_unfinished(paths.data_disk(name)),
        unseen_agent=_unseen(instance, agent, health, disk),
        live=guest.live,
        dead_engine=guest.dead_engine,
        still=guest.still if health == SILENT else None,
        machine=guest.machine,
        lost_socket=guest.lost_socket if health == RUNNING else "",
        ssh_master=paths.ssh_master(name).is_socket(),
        clients=clients.of(name, guest.k3s, row.address if row else ""),
        idle_seconds=idle_seconds(paths, name, time.time()),
        docker_socket=paths.socket(name, "docker"),
        buildkit=clients.buildkit(name),
        contradiction=contradiction_of(row, files, guest.live, agent) if listed else "",
        one_disk=on_one_disk(paths, name),
        definition=text_of(instance / "lima.yaml"),
    )


def living(pid_file: Path) -> int:
    """Return the process that a pid file names if it runs, else 0."""
    pid = parse_pid(text_of(pid_file) or "")
    try:
        if pid:
            os.kill(pid, 0)
    except OSError:
        return 0
    return pid


def _unseen(instance: Path, agent: int, health: str, disk: DataDisk | None) -> int:
    """Return the process of a VM that runs, although Lima can't read its definition or its directory is gone; else 0."""
    if health in (DAMAGED, LEFTOVER):
        return agent
    if health not in (ABSENT, DEFINED) or disk is None or not disk.used_by:
        return 0
    # Both the host agent and the machine name files in it. The agent shuts the machine down.
    place = str(instance.resolve())
    held = [pid for pid, words in commands().items() if any(word == place or f"{place}/" in word for word in words)]
    return next((pid for pid in held if "hostagent" in command_of(pid)), held[0] if held else 0)


def _is_unfinished(data_disk: Path) -> bool:
    return data_disk.is_dir() and not (data_disk / "datadisk").exists()


def _config(path: Path) -> tuple[Config | None, str]:
    text = text_of(path)
    if text is None:
        return None, "can't be read" if path.exists() else "is missing"
    return parse(text)


def _journal(path: Path) -> Config | None:
    """Return the settings that a killed run kept. Only a complete one counts."""
    with contextlib.suppress(Malformed):
        return config_from(loads(text_of(path) or ""))
    return None
