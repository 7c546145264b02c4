# SPDX-License-Identifier: GPL-3.0-or-later
"""Read everything about some profiles, with as few and as parallel commands as possible. Changes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...colima_paths import Name, Paths, parse_name
from ...core.errors import InputError, WorkstationError
from ..client.programs import Colima
from ..model.config import Config
from ..model.state import DAMAGED, LEFTOVER, Current, DataDisk, Files, Row, parse_store, tells_of_running, verdict
from ..model.yaml_text import parse
from .client_files import ClientFiles, text_of
from .guest import Said, ask


@dataclass(frozen=True)
class Snapshot:
    """The profiles that were asked for, and what else Lima runs for colima."""

    profiles: Mapping[str, Current]
    others: tuple[Row, ...] = ()
    problems: tuple[str, ...] = field(default=())
    # The file that ~/.ssh/config includes for colima; only looked for with the wrappers.
    ssh_include: str = ""


def read(colima: Colima, names: Iterable[Name] | None, with_wrappers: bool = False, tolerant: bool = False) -> Snapshot:
    """Return what is there. names None: all profiles that there is any trace of. tolerant: a failing command is a problem only.

    One `colima list`, one `limactl disk list` and, for each running profile, one `colima status` and a word with its engine, side
    by side; more only to a VM that leaves a question open. No command where colima has never been used, because even a read would
    make its directories.
    """
    paths = colima.paths
    wanted = sorted(names) if names is not None else []
    used = _is_there(paths.lima)
    rows: list[Row] = []
    disks: dict[str, DataDisk] = {}
    problems: list[str] = []
    if used and colima.installed:
        asked: dict[str, Callable[[], Any]] = {"rows": colima.rows, "disks": colima.disks}
        if tolerant:
            asked = {"rows": _spared(colima.rows, [], problems), "disks": _spared(colima.disks, {}, problems)}
        candidates = wanted if names is not None else _known(paths)
        guests = {f"guest {name}": partial(ask, colima, name) for name in candidates if colima.looks_started(name)}
        answers = together({**asked, **guests})
        rows, disks = answers["rows"], answers["disks"]
    else:
        answers = {}
    if names is None:
        wanted = sorted({*_known(paths), *_named(rows)})
    by_name = {row.name: row for row in rows}
    late = {
        f"guest {name}": partial(ask, colima, name)
        for name in wanted
        if by_name.get(name.name, Row("")).status == "Running" and f"guest {name}" not in answers
    }
    answers.update(together(late))
    clients = ClientFiles(colima.environment, with_wrappers, paths)
    profiles = {
        name.name: _current(
            paths,
            name,
            row=by_name.get(name.name),
            disk=disks.get(name.id),
            said=answers.get(f"guest {name}") or Said(),
            clients=clients,
        )
        for name in wanted
    }
    others = tuple(row for row in rows if row.name not in profiles)
    include = clients.ssh_include(paths) if with_wrappers else ""
    return Snapshot(profiles, others, tuple(dict.fromkeys((*problems, *clients.problems))), include)


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


def together(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Run the calls side by side and return their answers. The first failure is raised when all have ended."""
    answers: dict[str, Any] = {}
    failures: list[BaseException] = []

    def run(key: str, call: Callable[[], Any]) -> None:
        try:
            answers[key] = call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in calls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers


def _named(rows: Iterable[Row]) -> list[Name]:
    result = []
    for row in rows:
        with contextlib.suppress(InputError):
            result.append(parse_name(row.name))
    return result


def _known(paths: Paths) -> list[Name]:
    """Return the profiles that have settings, a VM or a data disk."""
    found = set()
    traces = (("*/colima.yaml", paths.base), ("colima*/lima.yaml", paths.lima), ("_disks/colima*/datadisk", paths.lima))
    for pattern, base in traces:
        for file in base.glob(pattern):
            if not file.parent.name.startswith("_"):
                with contextlib.suppress(InputError):
                    found.add(parse_name(file.parent.name))
    return sorted(found)


def _current(paths: Paths, name: Name, *, row: Row | None, disk: DataDisk | None, said: Said, clients: ClientFiles) -> Current:
    configured, problem = _config(paths.configured(name))
    applied, _error = _config(paths.applied(name))
    instance = paths.instance(name)
    files = Files(instance.is_dir(), (instance / "lima.yaml").exists(), paths.configured(name).exists())
    health = verdict(row, files, said.live, reached=said.reached, dead_engine=said.dead_engine)
    store, fresh = text_of(paths.store(name)), paths.fresh(name).exists()
    return Current(
        name=name,
        health=health,
        row=row,
        configured=configured,
        configured_problem=problem,
        applied=applied,
        interrupted=_journal(paths.journal(name)),
        fresh=fresh,
        seen_up=fresh and tells_of_running(text_of(paths.events(name)) or ""),
        store=None if store is None else parse_store(store),
        disk=disk,
        disk_unfinished=_is_unfinished(paths.data_disk(name)),
        unseen_agent=living(instance / "ha.pid") if health in (DAMAGED, LEFTOVER) else 0,
        live=said.live,
        dead_engine=said.dead_engine,
        clients=clients.of(name),
        docker_socket=paths.socket(name, "docker"),
        definition=text_of(instance / "lima.yaml"),
    )


def living(pid_file: Path) -> int:
    """Return the process that a pid file names if it lives, else 0."""
    try:
        pid = int(pid_file.read_text().strip())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return 0
    return pid


def _is_unfinished(data_disk: Path) -> bool:
    return data_disk.is_dir() and not (data_disk / "datadisk").exists()


def _config(path: Path) -> tuple[Config | None, str]:
    text = text_of(path)
    if text is None:
        return None, "can't be read" if path.exists() else "is missing"
    return parse(text)


def _journal(path: Path) -> Config | None:
    text = text_of(path)
    if text is not None:
        with contextlib.suppress(ValueError):
            data = json.loads(text)
            return data if isinstance(data, dict) else None
    return None
