# SPDX-License-Identifier: GPL-3.0-or-later
"""A laptop with the stand-in colima, in a short directory of its own, and the requests that tests make to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import policy_from, specs_from
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import TimeLimits
from ansible_collections.laptop.containers.plugins.module_utils.colima.survey import ProfilesSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima.task import Profiles
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Paths, parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Pending
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run

from rehearsal.standin.colima import install
from tests.support.colima.docker_and_kubectl import script
from tests.support.test_runs import fault_rows

# Answers `docker -H SOCKET ps` from a file, so that a test says what runs; there is never a context, and none is missed.
DOCKER = """#!/bin/sh
case "$1" in
-H) cat "$LAB/containers" 2>/dev/null; exit 0 ;;
context) case "$2" in inspect) exit 1 ;; esac ;;
esac
exit 0
"""
MARKER = "a user's volume"


@dataclass(frozen=True)
class Result:
    """What a run told, as a module gives it."""

    actions: tuple[str, ...]
    profiles: tuple[dict[str, Any], ...]
    pending: tuple[Pending, ...]
    warnings: tuple[str, ...]
    diff: dict[str, Any]


class _Given(Profiles):
    """The subject of the module, with a request in place of options."""

    def __init__(self, colima: Colima, request: ProfilesSpec) -> None:
        super().__init__()
        self.colima, self.request = colima, request

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ProfilesSpec:
        del params
        self.request = replace(self.request, check_mode=check_mode)
        return self.request


def converge(colima: Colima, request: ProfilesSpec, check: bool) -> Result:
    """Run once, through the skeleton of all modules."""
    result = run(_Given(colima, request), {}, check_mode=check)
    return Result(
        tuple(result["actions"]),
        tuple(result["profiles"]),
        tuple(Pending(**item) for item in result["pending"]),
        tuple(result["warnings"]),
        result["diff"],
    )


class ColimaLab:
    """The rehearsed laptop: by default a Mac with 12 CPUs and 36 GiB."""

    docker = DOCKER

    def __init__(self, root: Path, **settings: str) -> None:
        self.root = root
        self.home = root / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.bin = root / "bin"
        self.path = str(self.bin)
        install(self.bin)
        for name, text in (("docker", self.docker), ("kubectl", script("kubectl"))):
            if not (self.bin / name).exists():
                (self.bin / name).write_text(text)
                (self.bin / name).chmod(0o755)
        self.calls_file = root / "calls"
        self.settings = {
            "SYSTEM": "Darwin",
            "ARCH": "aarch64",
            "CPUS": "12",
            "MEMORY_GIB": "36",
            "BOOT_SECONDS": "0.05",
            "CALLS": str(self.calls_file),
            **settings,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What programs of this laptop get."""
        return {
            "LAB": str(self.root),
            "HOME": str(self.home),
            "TMPDIR": str(self.root),
            "PATH": f"{self.path}:{os.environ['PATH']}",
            **{f"REHEARSAL_{key}": value for key, value in self.settings.items()},
        }

    @property
    def host(self) -> Host:
        """The laptop as the modules see it."""
        system, arch = self.settings["SYSTEM"], self.settings["ARCH"]
        memory = int(float(self.settings["MEMORY_GIB"]) * 1024)
        return Host(system, arch, str(self.home), int(self.settings["CPUS"]), memory, 500_000)

    @property
    def paths(self) -> Paths:
        """colima's directories."""
        return resolve(self.environment, self.host.system)

    @property
    def colima(self) -> Colima:
        """The client under test."""
        return Colima(self.paths, self.environment)

    def request(self, *profiles: dict[str, Any], **policy: Any) -> ProfilesSpec:
        """Return what a module would ask for."""
        # "stop" is a limit in seconds, or, as a word, the option.
        numbers = [key for key in ("timeout", "stall", "stop") if isinstance(policy.get(key), (int, float))]
        limits: dict[str, float] = {key: policy.pop(key) for key in numbers}
        return ProfilesSpec(tuple(specs_from(profiles, self.host)), policy_from(policy), self.host, TimeLimits(**limits))

    def converge(self, *profiles: dict[str, Any], check: bool = False, **policy: Any) -> Result:
        """Run once, as the module does."""
        with fault_rows.noting():
            result = converge(self.colima, self.request(*profiles, **policy), check)
        fault_rows.noted({"actions": result.actions})
        return result

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program as the laptop's user."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def failing(self, failures: str) -> Iterator[None]:
        """Make these failures happen inside the block."""
        self.settings["FAIL"] = failures
        try:
            yield
        finally:
            self.settings["FAIL"] = ""

    def calls(self) -> list[list[str]]:
        """Return the calls of colima and limactl since the last look, and forget them."""
        try:
            lines = self.calls_file.read_text().splitlines()
        except FileNotFoundError:
            return []
        self.calls_file.unlink()
        return [json.loads(line)["argv"] for line in lines]

    def put_marker(self, name: str) -> None:
        """Put a user's work on the data disk."""
        (self.paths.data_disk(parse_name(name)) / "data" / "marker").write_text(MARKER)

    def has_marker(self, name: str) -> bool:
        """Whether it is still there."""
        file = self.paths.data_disk(parse_name(name)) / "data" / "marker"
        return file.exists() and file.read_text() == MARKER

    def containers(self, *names: str, labels: str = "") -> None:
        """Let these docker containers run."""
        rows = [json.dumps({"Names": name, "Labels": labels}) for name in names]
        (self.root / "containers").write_text("\n".join(rows))

    def machine(self, name: str, kind: str = "ha.pid") -> int:
        """Return the process id of a VM's host agent (ha.pid) or driver (qemu.pid)."""
        return int((self.paths.instance(parse_name(name)) / kind).read_text())

    def tree(self) -> dict[str, str]:
        """Return every file of the laptop with its content, to see that nothing changed."""
        return {
            str(path.relative_to(self.root)): path.read_text(errors="replace")
            if path.is_file() and path.stat().st_size < 99999
            else ""
            for path in sorted(self.root.rglob("*"))
            if path != self.calls_file
        }

    def close(self) -> None:
        """End all machines and remove the laptop."""
        end_machines(self.paths.lima)
        shutil.rmtree(self.root, ignore_errors=True)


Lab = TypeVar("Lab", bound=ColimaLab)


def end_machines(lima: Path) -> None:
    """End all machines of a Lima home, their host agents first."""
    for kind in ("ha", "qemu", "vz"):
        for file in lima.glob(f"*/{kind}.pid"):
            with contextlib.suppress(ValueError, OSError):
                os.kill(int(file.read_text()), signal.SIGKILL)


@contextlib.contextmanager
def lab_of(kind: type[Lab], room: str = "/tmp", **settings: str) -> Iterator[Lab]:
    """A laptop of this kind for one test. Its directory is short: sockets in it must fit into their addresses."""
    root = Path(tempfile.mkdtemp(prefix="cl-", dir=room))
    lab = kind(root / "l", **settings)
    try:
        yield lab
    finally:
        lab.close()
        shutil.rmtree(root, ignore_errors=True)


def colima_lab(**settings: str) -> contextlib.AbstractContextManager[ColimaLab]:
    """A laptop of the usual kind."""
    return lab_of(ColimaLab, **settings)
