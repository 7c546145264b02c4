# SPDX-License-Identifier: GPL-3.0-or-later
"""`make engines`: install the real engines that this machine can have, and say which ones it cannot have and why.

System packages come from apt (as root), the others are built with Go into a cache outside the work tree, each from the
go.mod of its folder here. Existing ones stay; a build is repeated only when its go.mod or source changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rehearsal.engines import ENGINES, Engine, as_released, caches, find
from rehearsal.engines.as_released import go_environment

HERE = Path(__file__).resolve().parent
# Beside the packages of ENGINES: tools for networks, one that shows how processes start, a second Debian for the newer Python,
# a file system that can clone files and one that knows no links, what compares copied trees, and the name server of guests.
OTHER_PACKAGES = {
    "iptables": "iptables",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
    "strace": "strace",
    "mkfs.xfs": "xfsprogs",
    "rsync": "rsync",
    "mkfs.exfat": "exfatprogs",
    "mount.exfat-fuse": "exfat-fuse",
    "dnsmasq": "dnsmasq-base",
}
# Seconds before the next attempt.
PAUSES = (10, 30, 60, 0)
# There while systemd manages the machine's services.
SYSTEMD = Path("/run/systemd/system")
# Debian 13 has the command line in a package of its own.
SPLIT_PACKAGES = {"docker": "docker-cli"}


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Wait until no other process of this user installs engines, and say so where that takes time."""
    place = caches()[0].parent
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".installing").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another 'make engines' is running: this one waits until it has ended")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def took() -> dict[str, float]:
    """Return how many seconds the last build of each engine took on this machine."""
    try:
        found = json.loads((caches()[0].parent / ".took.json").read_text())
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def announce(wanted: Sequence[Engine]) -> None:
    """Say what will be built, and how long that took last time."""
    last = took()
    known = sum(last.get(engine.name, 0.0) for engine in wanted)
    some = "" if all(engine.name in last for engine in wanted) else "of some of them "
    before = f"; the last build {some}took {known / 60:.1f} min" if known else "; that takes some 10 min on two cores"
    say(f"builds {', '.join(engine.name for engine in wanted)}{before}")


def packages_wanted() -> list[str]:
    """The system packages whose programs are missing."""
    started = SYSTEMD.exists()
    ours = {engine.name: engine.package for engine in ENGINES.values() if engine.package and not (engine.serves and started)}
    programs = ours | OTHER_PACKAGES
    return sorted({package for program, package in programs.items() if find(program) is None})


def install_packages() -> list[str]:
    """Install missing packages with apt. Returns the failures."""
    wanted = packages_wanted()
    if not wanted:
        return []
    names = " ".join(wanted)
    if shutil.which("apt-get") is None:
        return [f"{names}: this system has no apt-get; install them the way it does"]
    if os.geteuid() != 0:
        return [f"{names}: needs root; run 'sudo make engines', or: sudo apt-get install {names}"]
    say(f"apt-get install {names}")
    if not update():
        return [f"{names}: 'apt-get update' failed (see above)"]
    failed = [] if apt("install", *wanted) else [f"{names}: 'apt-get install' failed (see above)"]
    for program, package in SPLIT_PACKAGES.items():
        if not failed and find(program) is None and not apt("install", package):
            failed.append(f"{program}: 'apt-get install {package}' failed (see above)")
    return failed


def update() -> bool:
    """Renew apt's package lists. After a boot another apt-get may lock them, and this one does not wait by itself."""
    for seconds in PAUSES:
        if apt("update"):
            return True
        time.sleep(seconds)
    return False


def apt(verb: str, *packages: str) -> bool:
    """Run apt-get without questions."""
    patient = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
    argv = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *patient, verb]
    argv += ["--no-install-recommends", *packages] if packages else []
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def fingerprint(engine: Engine) -> str:
    """What a build depends on."""
    text = "".join(file.read_text() for file in sources(engine)) + engine.go_package
    return hashlib.sha256(text.encode()).hexdigest()


def sources(engine: Engine) -> list[Path]:
    """The files that a build starts from."""
    folder = HERE / engine.module
    return [folder / "go.mod", *sorted(folder.glob("*.go"))]


def stamp(engine: Engine) -> Path:
    """Where the fingerprint of the built program is kept."""
    return caches()[0] / f".{engine.name}.built-from"


def builds_wanted() -> list[Engine]:
    """The engines to build: not there, or built here from another go.mod."""
    wanted = []
    for engine in ENGINES.values():
        if not engine.module or (engine.long and not os.environ.get("LAPTOP_LONG")):
            continue
        found = find(engine.name)
        ours = found is not None and found.parent == caches()[0]
        outdated = ours and (not stamp(engine).exists() or stamp(engine).read_text() != fingerprint(engine))
        if found is None or outdated:
            wanted.append(engine)
    return wanted


def build_all() -> list[str]:
    """Build missing engines. Returns the failures."""
    wanted = builds_wanted()
    if not wanted and all(as_released.colima(version).built for version in as_released.OLDER):
        return []
    go = find_go()
    if go is None:
        names = " ".join([*(engine.name for engine in wanted), "older colima"])
        return [f"{names}: Go is missing; install Go 1.26 or newer (https://go.dev/dl) and run 'make engines' again"]
    if wanted:
        announce(wanted)
    return [problem for engine in wanted if (problem := build(go, engine))] + build_older(go)


def build_older(go: str) -> list[str]:
    """Build older releases of colima. Returns the failures."""
    problems = []
    for version in as_released.OLDER:
        try:
            say(f"colima {version:<9} {as_released.colima(version).build(go)}")
        except as_released.NotBuilt as error:
            problems.append(f"colima {version}: {error}")
    return problems


def find_go() -> str | None:
    """Return the path of Go."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/opt/homebrew/bin:/usr/lib/go/bin")


def work_folder(engine: Engine) -> Path:
    """Return a folder with what a build starts from: resolving modules writes into go.mod and go.sum, so not in the work tree."""
    work = caches()[0].parent / "build" / engine.module
    work.mkdir(parents=True, exist_ok=True)
    for file in sources(engine):
        shutil.copy(file, work / file.name)
    return work


def build(go: str, engine: Engine) -> str | None:
    """Build one engine into the cache. Returns the failures."""
    started = time.monotonic()
    say(f"building {engine.name} ({engine.go_package}) ...")
    target, work = caches()[0], work_folder(engine)
    target.mkdir(parents=True, exist_ok=True)
    part = target / f".{engine.name}.part"
    argv = [go, "build", "-mod=mod", "-trimpath", "-ldflags", f"-s -w{version_flag(engine)}", "-o", str(part), engine.go_package]
    # Modules come over the network, and a second attempt continues where the first one failed.
    for _ in range(2):
        done = subprocess.run(
            argv, cwd=work, env=go_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            break
    else:
        lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("go: downloading")]
        return f"{engine.name}: 'go build' failed: {' | '.join(lines[-3:])}"
    if engine.data[0]:
        take_data(go, engine, engine.data[0], target.parent / engine.data[1])
    part.replace(target / engine.name)
    stamp(engine).write_text(fingerprint(engine))
    seconds = time.monotonic() - started
    (target.parent / ".took.json").write_text(json.dumps({**took(), engine.name: round(seconds, 1)}))
    say(f"built {engine.name} in {seconds:.0f} s")
    return None


def take_data(go: str, engine: Engine, source: str, target: Path) -> None:
    """Copy a file or folder of a program's module to its place."""
    work, module = work_folder(engine), requirement(engine)[0]
    for verb in (["mod", "download", module], ["list", "-mod=mod", "-m", "-f", "{{.Dir}}", module]):
        done = subprocess.run([go, *verb], cwd=work, env=go_environment(), capture_output=True, text=True, check=True)
    found = Path(done.stdout.strip()) / source
    target.parent.mkdir(parents=True, exist_ok=True)
    # Go's own copies may not be written to.
    if found.is_file():
        shutil.copyfile(found, target)
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(found, target, copy_function=shutil.copyfile)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def requirement(engine: Engine) -> tuple[str, str]:
    """Return the module that an engine is built from, and its version without the v."""
    text = (HERE / engine.module / "go.mod").read_text()
    found = re.search(r"^require (\S+) v(\S+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{engine.module}/go.mod requires no single module")
    return found[1], found[2]


def version_flag(engine: Engine) -> str:
    """Return the linker's flag for an engine that is to know its version: that of its go.mod."""
    return f" -X {engine.version.format(requirement(engine)[1])}" if engine.version else ""


def say(text: str) -> None:
    """One line of progress."""
    print(f"engines: {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, build, report. The exit code is 1 only if an attempt failed."""
    if arguments or len(sys.argv) > 1:
        print(__doc__)
        return 0
    with lock():
        problems = [*install_packages(), *build_all()]
    for engine in ENGINES.values():
        found = find(engine.name)
        say(f"{engine.name:<16} {found if found is not None else 'missing: ' + engine.how}")
    for problem in problems:
        say(f"could not get {problem}")
    return 1 if any("failed" in problem for problem in problems) else 0


if __name__ == "__main__":
    sys.exit(main())
