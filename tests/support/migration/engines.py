# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real engines, and moves between them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.engines import ends_from
from ansible_collections.laptop.containers.plugins.module_utils.migration.info import MoveReader
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Inventory
from ansible_collections.laptop.containers.plugins.module_utils.migration.task import Mover

from rehearsal.services.dockerd import Dockerd
from tests.support.test_runs import fault_rows


@dataclass(frozen=True)
class Engines:
    """A source and a target."""

    source: Dockerd
    target: Dockerd

    def move(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module."""
        with fault_rows.noting():
            result = run(Mover(), self.options(Mover.argument_spec, options), check_mode=check)
        fault_rows.noted(result)
        return result

    def compare(self, **options: Any) -> dict[str, Any]:
        """Run the module that reads."""
        return run(MoveReader(), self.options(MoveReader.argument_spec, {"compare": True, **options}), check_mode=False)

    def retire(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Ask whether the source may go."""
        asked = {"retire": True, "confirm": self.source.host, **options}
        return run(MoveReader(), self.options(MoveReader.argument_spec, asked), check_mode=check)

    def options(self, spec: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return all options of a module."""
        ends = {"source": self.source.host, "target": self.target.host, "timeout": 20.0}
        return {name: one.get("default") for name, one in spec.items()} | ends | options


@contextmanager
def two_engines(place: Path | None = None) -> Iterator[Engines]:
    """Start two engines, and remove them and what they keep at the end."""
    directory = Path(tempfile.mkdtemp(prefix="mig-", dir=place or "/tmp"))
    try:
        with Dockerd(directory / "old") as source, Dockerd(directory / "new") as target:
            yield Engines(source, target)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def docker(engine: Dockerd, *arguments: str, data: bytes | None = None) -> str:
    """Run the docker command on an engine."""
    program = shutil.which("docker")
    assert program
    done = subprocess.run(
        [program, "-H", engine.host, *arguments], input=data, env=dict(os.environ), capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def place_of(engine: Dockerd, volume: str) -> Path:
    """Return the directory of a volume."""
    return Path(docker(engine, "volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip())


def volumes_of(engine: Dockerd) -> list[str]:
    """Return the names of its volumes."""
    return docker(engine, "volume", "ls", "--quiet").split()


def work_of(engines: Engines) -> str:
    """Return how the temporary names of volumes begin that are filled for these engines."""
    ends = ends_from(engines.options(Mover.argument_spec, {}))
    source, target = (Inventory(docker(one, "info", "--format", "{{.ID}}").strip()) for one in (engines.source, engines.target))
    return ends.work(ends.manifest(source, target))


def wipe(engine: Dockerd) -> None:
    """Remove all volumes and images."""
    for name in volumes_of(engine):
        docker(engine, "volume", "rm", name)
    there = docker(engine, "images", "--all", "--quiet").split()
    if there:
        docker(engine, "rmi", "--force", *dict.fromkeys(there))
