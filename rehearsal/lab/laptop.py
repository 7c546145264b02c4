# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab, a laptop in a directory: how it comes up and goes down, and the environment of playbook runs."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import shutil
import signal
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rehearsal import engines, machines
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.realm import remove_cgroups
from rehearsal.processes.system import LabError, comes_true, command_of, processes
from rehearsal.services import grades
from rehearsal.services.containerd import remove_container_cgroups
from rehearsal.services.ecr import REGION, Ecr
from rehearsal.services.registry import Registry

# Unix sockets of virtual machines are deep inside; a longer path would exceed their limit.
LONGEST_PATH = 32
SECONDS_TO_END = 5
CPUS, MEMORY_GIB = 12, 36
COLIMA_CACHE = Path("Library/Caches/colima")
_AT_WORK = "another rehearsal runs there. Wait until it has ended, or use --dir."


def default_directory() -> Path:
    """LAPTOP_REHEARSAL_DIR, or a directory of this user in /tmp (TMPDIR is too long for sockets on a Mac)."""
    return Path(os.environ.get("LAPTOP_REHEARSAL_DIR") or f"/tmp/laptop-rehearsal-{os.getuid()}")


def here(verb: str, lab: Lab) -> str:
    """Return the command of a verb, as it can be typed in the shell that this was started from."""
    near = os.path.relpath(sys.executable)
    python = "python" if shutil.which("python") == sys.executable else near if not near.startswith("../../") else sys.executable
    where = "" if lab.directory == default_directory() else f" --dir {shlex.quote(str(lab.directory))}"
    return f"{python} -m rehearsal {verb}{where}"


class Lab:
    """The lab in a directory, whether it is up or not."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(os.path.abspath(directory))  # noqa: PTH100 - links stay as they were given
        self.home = self.directory / "home"
        self.bin = self.directory / "bin"
        self.run = self.directory / "run"
        self.environment_file = self.directory / "environment.json"
        self.ecr = Ecr(self.run / "ecr")
        self.registry = Registry(self.run / "registry", self.ecr)
        # The process that brought it up and may still work in it.
        self.rehearsal = Daemon("rehearsal", self.directory)

    @property
    def exists(self) -> bool:
        """Whether a lab is there, even an incomplete one."""
        return (self.directory / grades.MARKER).exists() or self._debris

    @property
    def _debris(self) -> bool:
        """Whether only Ansible's folder is there, created again by a run that outlived its lab."""
        tree = [path.relative_to(self.directory).parts[:2] for path in self.directory.glob("*/*")]
        return bool(tree) and set(tree) == {("tmp", "ansible")} and len(list(self.directory.iterdir())) == 1

    @property
    def environment(self) -> dict[str, str]:
        """The environment of playbook runs. Raises LabError when the lab is not up."""
        try:
            found: dict[str, str] = json.loads(self.environment_file.read_text())
        except (OSError, ValueError):
            raise LabError(f"The lab in {self.directory} is not up. Run '{here('up', self)}' first.") from None
        return found

    def up(self, grade: str = "auto") -> list[grades.Choice]:
        """Bring the lab up, in place of a previous one. Raises LabError and then leaves nothing."""
        choices = grades.choose(grade)
        self._claim()
        self.down()
        try:
            self.directory.mkdir(mode=0o700)
        except FileExistsError:
            raise LabError(f"Could not bring up the lab in '{self.directory}': {_AT_WORK}") from None
        try:
            self.rehearsal.remember(os.getpid(), sys.argv)
            for place in (self.home, self.bin, self.run):
                place.mkdir(mode=0o700)
            grades.write(self.directory, grade, choices)
            for name in ("tmp", "logs", "home/.colima", "home/.aws"):
                (self.directory / name).mkdir(mode=0o700)
            self.ecr.spawn()
            self._install(grades.real_parts(self.directory))
            self.ecr.wait()
            if grades.real_parts(self.directory)["registry"]:
                self.registry.start()
            self._write_environment()
        except BaseException:
            self.down()
            raise
        return choices

    def _claim(self) -> None:
        """Refuse a directory that the lab may not fill and remove."""
        if len(str(self.directory)) > LONGEST_PATH:
            raise LabError(
                f"Could not bring up the lab in '{self.directory}': the path has more than {LONGEST_PATH} characters, "
                "too many for the sockets inside. Use --dir with a shorter one, for example /tmp/lab."
            )
        if self.rehearsal.pid not in (None, os.getpid()):
            raise LabError(f"Could not bring up the lab in '{self.directory}': {_AT_WORK}")
        if self.exists or not os.path.lexists(self.directory):
            owner = self.directory.lstat().st_uid if self.exists else os.getuid()
            if owner == os.getuid():
                return
            raise LabError(f"Could not bring up the lab in '{self.directory}': another user's lab is there. Use --dir.")
        if self.directory.is_dir() and not any(self.directory.iterdir()):
            self.directory.rmdir()
            return
        raise LabError(
            f"Could not bring up the lab in '{self.directory}': other files are in it. "
            "Choose another one: --dir, or DIR= of make."
        )

    def _install(self, real: Mapping[str, bool]) -> None:
        """Fill bin/ with stand-ins, then with links to real programs."""
        from rehearsal.standin import brew, docker_cli, service_manager
        from rehearsal.standin import colima as vm
        from rehearsal.standin.program import write_program

        if real["colima"]:
            machines.link_programs(self.bin)
            machines.fill_cache(self.home / COLIMA_CACHE / "caches")
        else:
            vm.install(self.bin)
        brew.install(self.bin)
        service_manager.install(self.bin)
        docker_cli.install(self.bin)
        for name, module in (("rehearsal-guest", "colima.inside"), ("kubectl", "kubectl")):
            write_program(self.bin / name, f"from rehearsal.standin.{module} import main; sys.exit(main())")
        self._link("docker", real["docker command"])
        self._link("docker-buildx", real["buildx"])
        self._link("kubectl", real["kubectl"])
        # Where Homebrew has docker's plugins, which docker finds only when its config.json says so.
        plugins = self.directory / "lib" / "docker" / "cli-plugins"
        if real["buildx"]:
            plugins.mkdir(parents=True, exist_ok=True)
            (plugins / "docker-buildx").unlink(missing_ok=True)
            (plugins / "docker-buildx").symlink_to(self.bin / "docker-buildx")

    def _link(self, name: str, real: bool) -> None:
        program = engines.find(name) if real else None
        if program is not None:
            (self.bin / name).unlink(missing_ok=True)
            (self.bin / name).symlink_to(program)

    def _write_environment(self) -> None:
        (self.home / ".aws" / "config").write_text(f"[default]\nregion = {REGION}\n")
        (self.home / ".aws" / "credentials").write_text("")
        part = self.environment_file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(self._environment(), indent=2) + "\n")
        part.replace(self.environment_file)

    def _environment(self) -> dict[str, str]:
        home = self.home
        ours = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(self.bin), str(home / ".local" / "bin"), engines.SYSTEM_PATH]),
            "TMPDIR": str(self.directory / "tmp"),
            "COLIMA_HOME": str(home / ".colima"),
            "COLIMA_CACHE_HOME": str(home / COLIMA_CACHE),
            "DOCKER_CONFIG": str(home / ".docker"),
            "KUBECONFIG": str(home / ".kube" / "config"),
            "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
            "AWS_PROFILE": "default",
            **self.ecr.environment,
            # Where the tools under test would otherwise look for the user's own files.
            **{f"XDG_{kind}_HOME": str(home / f".{kind.lower()}") for kind in ("CONFIG", "CACHE", "STATE", "DATA")},
            "REHEARSAL_LAB": str(self.directory),
            "REHEARSAL_GUEST": str(self.bin / "rehearsal-guest"),
            "REHEARSAL_ENGINES": str(
                next((place for place in engines.caches() if os.access(place, os.X_OK)), engines.caches()[0])
            ),
            **self._facts(),
            "REHEARSAL_CALLS": str(self.directory / "logs" / "calls.jsonl"),
            # Everything in a lab is on the loopback.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        # A play can set variables but not unset them; for these tools an empty one counts as unset.
        foreign = ("COLIMA_PROFILE", "LIMA_HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER", "AWS_SESSION_TOKEN")
        proxies = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
        return {**dict.fromkeys((*foreign, *proxies), ""), **ours}

    def _facts(self) -> dict[str, str]:
        """What the stand-ins take the laptop for: with virtual machines, what it is."""
        if grades.real_parts(self.directory)["colima"]:
            return {"REHEARSAL_SYSTEM": platform.system(), "REHEARSAL_ARCH": platform.machine()}
        pretended = {"SYSTEM": "Darwin", "ARCH": "aarch64", "CPUS": str(CPUS), "MEMORY_GIB": str(MEMORY_GIB)}
        return {f"REHEARSAL_{name}": value for name, value in pretended.items()}

    def down(self) -> None:
        """End every process of the lab and remove it, also an incomplete one."""
        if not self.exists:
            return
        self._end_commands()
        self._end_machines()
        # A machine may have started the end of its guest before its own.
        self._end_commands()
        for record in self.run.rglob("*.daemon"):
            Daemon(record.stem, record.parent).kill()
        for group in self.run.rglob("*.cgroup"):
            remove_cgroups(group.read_text().strip())
        for data in (self.home / ".colima" / "_lima" / "_disks").glob("*/data/containerd"):
            remove_container_cgroups(data)
        _remove(self.directory)

    def _end_commands(self) -> None:
        """End running commands of bin/, so that none of them creates anything while the rest is removed."""
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline:
            commands = [
                pid
                for pid, command in processes().items()
                if any(word.startswith(f"{self.bin}/") for word in command.removeprefix(sys.executable).split()[:3])
            ]
            if not commands:
                return
            for pid in commands:
                _kill(pid)
            time.sleep(0.02)

    def _end_machines(self) -> None:
        """End the stand-ins' host agents, and before them the processes that would clean up after them."""
        bells, agents = [], []
        for instance in (self.home / ".colima" / "_lima").glob("*"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                bells.append(int(json.loads((instance / "rehearsal.json").read_text())["bell"]))
            for file in instance.glob("*.pid"):
                with contextlib.suppress(OSError, ValueError):
                    agents.append(int(file.read_text()))
        # The id in an old file may be another process by now: end only what names this lab.
        ended = [
            pid
            for pid in dict.fromkeys((*bells, *agents))
            if any(word in command_of(pid) for word in (str(self.directory), "sleep 2000000000"))
        ]
        if grades.real_parts(self.directory).get("colima"):
            # Lima's network between machines, and masters of ssh connections.
            ended += [pid for pid in self._processes() if pid not in ended]
        for pid in ended:
            _kill(pid)
        # The signal is only on its way.
        comes_true(lambda: not any(command_of(pid) for pid in ended), SECONDS_TO_END)

    def leftovers(self) -> list[str]:
        """Return the commands of processes that name this lab, for tests and for the end of a run."""
        return list(self._processes().values())

    def _processes(self) -> dict[int, str]:
        found = {pid: command for pid, command in processes().items() if f"{self.directory}/" in command}
        return {pid: command for pid, command in found.items() if pid != os.getpid()}


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _remove(directory: Path) -> None:
    """Remove a tree, including folders that a tool left read-only."""

    def again(_function: object, path: str, _error: object) -> None:
        # What is above the tree is not the lab's: where another process has removed it meanwhile, /tmp would be closed to all.
        if Path(path) == directory:
            return
        with contextlib.suppress(OSError):
            Path(path).parent.chmod(stat.S_IRWXU)
            Path(path).unlink()

    if sys.version_info >= (3, 12):
        shutil.rmtree(directory, onexc=again)
    else:
        shutil.rmtree(directory, onerror=again)
    if directory.exists():
        shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        raise LabError(f"Could not remove the lab in '{directory}': some files stay. Remove it by hand.")
