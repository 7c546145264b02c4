# SPDX-License-Identifier: GPL-3.0-or-later
"""One suite, three subjects: the stand-in, the real colima on the stand-in limactl, and the real colima on the real limactl.

The real colima is looked for in the directory that LAPTOP_REAL_COLIMA names, else on PATH, else among the engines that 'make
engines' has built. limactl refuses root, so as root the third subject runs as the user 'nobody'. With LAPTOP_ANY_COLIMA=1 it may
be of another version than the contract: the radar (`make radar`) tells where it differs.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.engines import caches, find
from rehearsal.processes.system import comes_true
from rehearsal.standin import colima as vm
from rehearsal.standin.colima.lima.instances import alive
from rehearsal.standin.program import write_program
from tests.support.colima.real_colima import Release
from tests.support.command_result import CommandResult
from tests.support.processes import kill, standing_still

HERE = Path(__file__).parent
STANDIN = "stand-in"
COLIMA = "real colima on the stand-in limactl"
REAL = "real colima and limactl"
SUPPORTED = (0, 10)
LINE = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg=(?P<msg>"(?:[^"\\]|\\.)*"|\S*)(?: context=(?P<context>\S+))?')
K3S = {"v1.35.0+k3s1", "v1.34.1+k3s1"}
ARCH = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


def spoken(text: str) -> list[tuple[str, str, str]]:
    """The log lines in a text: level, message, context."""
    found = []
    for line in text.splitlines():
        if match := LINE.match(line):
            message = json.loads(match["msg"]) if match["msg"].startswith('"') else match["msg"]
            found.append((match["level"], message, match["context"] or ""))
    return found


class Result(CommandResult):
    """What a command left, read."""

    @property
    def messages(self) -> list[str]:
        """colima's own messages, which are on stderr."""
        return [message for _, message, _ in spoken(self.err)]

    @property
    def warnings(self) -> list[str]:
        """colima's warnings."""
        return [message for level, message, _ in spoken(self.err) if level == "warning"]

    @property
    def fatal(self) -> str:
        """colima's last word, or ''."""
        return next((message for level, message, _ in spoken(self.err) if level == "fatal"), "")


class Rig:
    """A home of its own with one subject's programs first on PATH."""

    def __init__(self, subject: str, place: Path, bin_dir: Path) -> None:
        self.subject = subject
        self.place = place
        self.home = place / "h"
        self.bin = bin_dir
        self.user = "nobody" if subject == REAL and os.geteuid() == 0 else None
        self.home.mkdir()
        (place / "t").mkdir()
        self.base = self.home / (".colima" if platform.system() == "Darwin" else ".config/colima")
        self.lima = self.base / "_lima"
        cache = "Library/Caches/colima" if platform.system() == "Darwin" else ".cache/colima"
        self.cache = self.home / cache / "caches"
        self.release = None if subject == STANDIN else Release.of((bin_dir / "colima").resolve())
        self.environment = {
            "HOME": str(self.home),
            "TMPDIR": str(place / "t"),
            "PATH": f"{bin_dir}:{os.environ['PATH']}",
            "LC_ALL": "C",
            "REHEARSAL_SYSTEM": platform.system(),
            "REHEARSAL_ARCH": ARCH,
            "REHEARSAL_BOOT_SECONDS": "0.05",
        }
        if subject == COLIMA and self.release:
            self.release.put_downloads(self.cache, K3S)
        if self.user:
            for path in (place, self.home, place / "t"):
                shutil.chown(path, self.user)

    def popen(self, *argv: str, stdin: Any = subprocess.DEVNULL, **environment: str | None) -> subprocess.Popen[str]:
        """Start a command."""
        merged = {key: value for key, value in {**self.environment, **environment}.items() if value is not None}
        program = shutil.which(argv[0], path=merged["PATH"])
        return subprocess.Popen(
            [program or argv[0], *argv[1:]],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=merged,
            cwd=self.home,
            user=self.user,
            extra_groups=[] if self.user else None,
            start_new_session=True,
            # A shell may have started us with Ctrl-C switched off.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def run(self, *argv: str, stdin: str | None = None, **environment: str | None) -> Result:
        """Run a command to its end. An environment value of None takes the variable away."""
        process = self.popen(*argv, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, **environment)
        out, err = process.communicate(stdin, timeout=120)
        return Result(process.returncode, out, err)

    def colima(self, *argv: str, stdin: str | None = None, **environment: str | None) -> Result:
        """Run colima."""
        if self.release and self.release.version < SUPPORTED:
            # It takes 'none' for a folder; what is mounted matters to hardly a test.
            argv = tuple("\0".join(argv).replace("\0--mount\0none", "").split("\0"))
        return self.run("colima", *argv, stdin=stdin, **environment)

    @property
    def version(self) -> str:
        """colima's version."""
        return ".".join(map(str, self.release.version)) if self.release else "0.10.3"

    def started(self, profile: str = "", *argv: str, **environment: str | None) -> Result:
        """Start a profile that has to come up."""
        result = self.colima("start", *([profile] if profile else []), *argv, **environment)
        assert result.rc == 0, result
        return result

    def limactl(self, *argv: str) -> Result:
        """Run limactl in colima's Lima home."""
        return self.run("limactl", *argv, LIMA_HOME=str(self.lima))

    def rows(self) -> dict[str, dict[str, Any]]:
        """colima list --json by name."""
        result = self.colima("list", "--json")
        assert result.rc == 0, result
        return {row["name"]: row for row in map(json.loads, result.out.splitlines())}

    def config(self, profile: str = "default") -> dict[str, Any]:
        """colima.yaml of a profile."""
        found: dict[str, Any] = yaml.safe_load((self.base / profile / "colima.yaml").read_text())
        return found

    def configure(self, profile: str, **changes: Any) -> None:
        """Write keys into colima.yaml; a value of ... takes the key away."""
        merged = {**self.config(profile), **changes}
        text = yaml.safe_dump({key: value for key, value in merged.items() if value is not ...})
        (self.base / profile / "colima.yaml").write_text(text)

    def state(self, profile: str) -> dict[str, Any]:
        """The state file of a profile."""
        found: dict[str, Any] = yaml.safe_load((self.instance(profile) / "colima.yaml").read_text())
        return found

    def instance(self, profile: str) -> Path:
        """LIMA/ID."""
        return self.lima / ("colima" if profile == "default" else f"colima-{profile}")

    def store(self, profile: str) -> dict[str, Any]:
        """The store of a profile."""
        found: dict[str, Any] = json.loads((self.base / "_store" / f"colima-{profile}.json").read_text())
        return found

    def contents(self, profile: str) -> Path:
        """What is on the data disk (of the stand-in limactl)."""
        return self.lima / "_disks" / f"colima-{profile}" / "data"

    def true_size(self, profile: str) -> int:
        """The size of the data disk in GiB, from the only source that does not lie."""
        return int(json.loads(self.limactl("disk", "list", "--json", f"colima-{profile}").out)["size"]) >> 30

    def pid(self, profile: str, name: str) -> int:
        """The process in a pid file of the instance."""
        return int((self.instance(profile) / f"{name}.pid").read_text())

    def kill(self, profile: str, name: str) -> None:
        """Kill the process in a pid file of the instance, and wait until it is gone."""
        kill(self.pid(profile, name))

    def standing_still(self, profile: str) -> contextlib.AbstractContextManager[None]:
        """Let a host agent stand still, so that nothing ends or begins while it is looked at, however long that takes."""
        return standing_still(self.pid(profile, "ha"))

    def wait_for(self, profile: str, status: str, seconds: float = 20) -> None:
        """Wait until list shows a status."""
        shown = comes_true(lambda: self.rows().get(profile, {}).get("status") == status, seconds)
        assert shown, f"{profile} is not {status}: {self.rows()}"

    def contexts(self) -> tuple[list[str], str]:
        """docker's contexts and the current one."""
        names = self.run("docker", "context", "ls", "--format", "{{.Name}}").out.split()
        file = self.home / ".docker" / "config.json"
        current = json.loads(file.read_text()).get("currentContext", "default") if file.exists() else "default"
        return sorted(names), current

    def kubectl_config(self) -> dict[str, Any]:
        """The user's kubeconfig."""
        file = self.home / ".kube" / "config"
        found: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
        return found

    def without(self, *programs: str) -> str:
        """A PATH on which these programs are not found."""
        place = self.place / ("without-" + "-".join(programs))
        place.mkdir(exist_ok=True)
        for directory in self.environment["PATH"].split(os.pathsep):
            for path in sorted(Path(directory).iterdir()) if Path(directory).is_dir() else []:
                link = place / path.name
                if path.name not in programs and not link.is_symlink():
                    link.symlink_to(path)
        return str(place)

    def close(self) -> None:
        """End the machines that are left, and wait until what was inside them is gone."""
        bells = [json.loads(file.read_text()).get("bell", 0) for file in self.place.glob("**/rehearsal.json")]
        for file in self.place.glob("**/*.pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(file.read_text()), signal.SIGKILL)
        comes_true(lambda: not any(alive(bell) for bell in bells if bell), 5)


def _real_directory() -> Path | None:
    named = os.environ.get("LAPTOP_REAL_COLIMA")
    found = shutil.which("colima", path=named) if named else find("colima")
    return Path(found).parent if found else None


@pytest.fixture(scope="session")
def programs() -> Iterator[dict[str, Path]]:
    """The directory of programs of each subject that is there."""
    place = Path(tempfile.mkdtemp(prefix="cb-", dir="/tmp"))
    found = {STANDIN: place / "standin"}
    vm.install(found[STANDIN])
    if (real := _real_directory()) is not None:
        mixed = place / "mixed"
        vm.install(mixed)
        (mixed / "colima").unlink()
        (mixed / "colima").symlink_to(real / "colima")
        found[COLIMA] = mixed
        if (real / "limactl").exists():
            found[REAL] = place / "real"
            found[REAL].mkdir()
            (found[REAL] / "colima").symlink_to(real / "colima")
            if real in caches():
                # Below the home of root, where 'nobody' can't go.
                for name in ("colima", "limactl"):
                    (found[REAL] / name).unlink(missing_ok=True)
                    shutil.copy(real / name, found[REAL] / name)
                shutil.copytree(real.parent / "share", place / "share")
                # A script in Lima's releases; colima only looks whether it is there.
                (found[REAL] / "lima").write_text('#!/bin/sh\nexec limactl shell "${LIMA_INSTANCE:-default}" "$@"\n')
                (found[REAL] / "lima").chmod(0o755)
            else:
                for name in ("limactl", "lima"):
                    # limactl finds its templates beside itself: a script, not a link.
                    (found[REAL] / name).write_text(f'#!/bin/sh\nexec "{real / name}" "$@"\n')
                    (found[REAL] / name).chmod(0o755)
    for directory in found.values():
        # colima on Linux wants to see one; nothing here uses it.
        (directory / "qemu-img").write_text("#!/bin/sh\nexit 0\n")
        (directory / "qemu-img").chmod(0o755)
        if not shutil.which("docker"):
            from rehearsal.standin import docker_cli

            docker_cli.install(directory)
        if not shutil.which("kubectl"):
            write_program(directory / "kubectl", "from rehearsal.standin.kubectl import main; sys.exit(main())")
    place.chmod(0o755)
    yield found
    shutil.rmtree(place, ignore_errors=True)


def _rig(subject: str, programs: dict[str, Path]) -> Iterator[Rig]:
    if subject not in programs:
        what = "limactl beside it" if subject == REAL and COLIMA in programs else "real colima 0.10"
        pytest.skip(f"no {what}: run 'make engines', put them on PATH, or set LAPTOP_REAL_COLIMA to a directory that holds them")
    place = Path(tempfile.mkdtemp(prefix="c-", dir="/tmp"))
    place.chmod(0o755)
    rig = Rig(subject, place, programs[subject])
    try:
        if rig.release and rig.release.version[:2] != SUPPORTED and "LAPTOP_ANY_COLIMA" not in os.environ:
            pytest.skip(f"the contract is that of colima 0.10, and this is {rig.version}")
        yield rig
    finally:
        rig.close()
        shutil.rmtree(place, ignore_errors=True)


# On the real colima, a command of these files starts the stand-in limactl dozens of times.
FILES_OF_THE_STANDIN = ("test_kubernetes", "test_config_file", "test_disk_and_delete", "test_processes", "test_guest")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the real colima's rows of some files to make test-long."""
    long = pytest.mark.long("the real colima in five files; test_runtimes and seven more files run on it")
    for item in items:
        if item.path.parent == HERE and item.path.stem in FILES_OF_THE_STANDIN and COLIMA in item.name:
            item.add_marker(long)


@pytest.fixture(params=[STANDIN, COLIMA])
def rig(request: pytest.FixtureRequest, programs: dict[str, Path]) -> Iterator[Rig]:
    """For behaviour with machines: the stand-in, and the real colima on the stand-in limactl."""
    yield from _rig(request.param, programs)


@pytest.fixture(params=[STANDIN, COLIMA, REAL])
def bare(request: pytest.FixtureRequest, programs: dict[str, Path]) -> Iterator[Rig]:
    """For behaviour that needs no machine: all three."""
    yield from _rig(request.param, programs)


@pytest.fixture
def standin(programs: dict[str, Path]) -> Iterator[Rig]:
    """For what only the stand-in can be set to do."""
    yield from _rig(STANDIN, programs)
