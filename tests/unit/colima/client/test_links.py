# SPDX-License-Identifier: GPL-3.0-or-later
"""A Lima home behind a link: Lima follows it in its own paths, so its processes name another path than the user's settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.run_lock import RunningStart
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Paths, parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.system.processes import command_of, environment_of

from rehearsal.processes.system import comes_true

DEV = parse_name("dev")


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A directory, named through a link, as /tmp on a Mac names /private/tmp."""
    (tmp_path / "private").mkdir()
    (tmp_path / "tmp").symlink_to("private")
    return tmp_path / "tmp"


@contextmanager
def runs(*words: str, **environment: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", *words], stdin=-1, env=environment) as process:
        try:
            assert comes_true(lambda: words[-1] in command_of(process.pid) and bool(environment_of(process.pid)), 20)
            yield process.pid
        finally:
            process.kill()


def test_a_machine_is_seen_by_the_path_that_lima_gives_it(linked: Path) -> None:
    colima = Colima(Paths(linked / "colima", linked / "colima" / "_lima"))
    directory = colima.paths.instance(DEV)
    directory.mkdir(parents=True)
    with runs(f"unix:{directory.resolve()}/qmp.sock", A="1") as pid:
        (directory / "qemu.pid").write_text(str(pid))
        assert colima.machine_lives(DEV)


def test_a_start_is_seen_whose_home_is_named_without_the_link(linked: Path) -> None:
    colima = Colima(Paths(linked / "colima", linked / "colima" / "_lima"))
    with runs("start", HOME=str(linked), COLIMA_HOME=str(linked.resolve() / "colima")) as pid:
        assert colima.is_under_way(pid, RunningStart(DEV.id))
    with runs("start", HOME=str(linked), COLIMA_HOME=str(linked.resolve() / "other")) as pid:
        assert not colima.is_under_way(pid, RunningStart(DEV.id))


def test_a_start_that_does_not_tell_its_home_counts_as_one_of_this_home(linked: Path) -> None:
    # ps of a Mac shows no environment of a program that the system protects.
    colima = Colima(Paths(linked / "colima", linked / "colima" / "_lima"))
    with runs("start", A="1") as pid:
        assert colima.is_under_way(pid, RunningStart(DEV.id))
