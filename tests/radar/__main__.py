# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.radar [VERSION ...]`: try releases of colima (all of them by default), and write what was seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rehearsal.engines import ROOT, as_released
from tests.radar.differences import unexplained
from tests.radar.page import FILE, page
from tests.radar.results import Result, Results, Suite, load, save, suite_of, version_of

# Each colima with a Lima of its time.
PAIRS = {"0.8.1": "1.0.7", "0.8.4": "1.2.2", "0.9.1": "1.2.2", "0.10.3": "2.1.4"}
SUITES = {"contract": ("tests/contract/colima", "real and colima"), "life": ("tests/integration/colima_releases", "newest")}
# As many as the Makefile lets run at a time.
WORKERS = "3"
# Seconds for a suite, several times what it takes on a busy machine.
LIMIT = 3600


def main(arguments: Sequence[str]) -> int:
    """Try the releases. The exit code is 1 where something is not explained."""
    go = shutil.which("go")
    if go is None:
        print("radar: Go is missing; install Go 1.26 or newer (https://go.dev/dl)", file=sys.stderr)
        return 1
    newest, said = _newest(go)
    pairs = {**PAIRS, **({newest: PAIRS["0.10.3"]} if newest else {})}
    results = load()
    failed = False
    for version in arguments or pairs:
        result = _try(go, version, pairs[version])
        results = Results({**results.tried, version: result}, said)
        save(results)
        left = unexplained(result)
        failed = failed or bool(left)
        print(f"radar: colima {version}: {len(left)} failures without explanation {' '.join(left)}", flush=True)
    FILE.write_text(page(load()))
    return int(failed)


def _newest(go: str) -> tuple[str, str]:
    """Return a release that is newer than all listed ones, and what to say of the newest one."""
    argv = [go, "list", "-m", "-f", "{{.Version}}", "github.com/abiosoft/colima@latest"]
    done = subprocess.run(argv, cwd=as_released.PINS, capture_output=True, text=True, check=False, timeout=120)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    if done.returncode != 0:
        return "", f"the module proxy did not say on {day} which one it is"
    version = done.stdout.strip().removeprefix("v")
    newer = version_of(version) > max(map(version_of, PAIRS))
    return (version if newer else ""), f"{version} on {day}"


def _try(go: str, version: str, lima: str) -> Result:
    print(f"radar: colima {version} with Lima {lima}", flush=True)
    began = time.monotonic()
    # limactl refuses root, so as root it runs as another user, who can't look into root's cache.
    with tempfile.TemporaryDirectory(prefix="radar-", dir="/tmp") as place:
        programs = _programs(go, Path(place), version, lima)
        contract, life = (_suite(name, programs, Path(place) / f"{name}.xml") for name in SUITES)
    seconds = round(time.monotonic() - began)
    return Result(version, lima, f"{datetime.now(UTC):%Y-%m-%d}", seconds, contract, life)


def _programs(go: str, place: Path, version: str, lima: str) -> Path:
    """Put a pair of programs, and what they look for beside them, where every user can start them."""
    place.chmod(0o755)
    bin_dir = place / "bin"
    bin_dir.mkdir()
    limactl = as_released.limactl(lima)
    for released in (as_released.colima(version), limactl):
        shutil.copy(released.build(go), bin_dir / released.program)
    shutil.copytree(limactl.build(go).parent.parent / "share", place / "share")
    # colima and limactl only look whether these are there.
    (bin_dir / "lima").write_text('#!/bin/sh\nexec limactl shell "${LIMA_INSTANCE:-default}" "$@"\n')
    (bin_dir / "lima").chmod(0o755)
    (place / "share" / "lima" / f"lima-guestagent.Linux-{os.uname().machine}").touch()
    return bin_dir


def _suite(name: str, programs: Path, report: Path) -> Suite:
    folder, choice = SUITES[name]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-n", WORKERS, "--dist", "loadfile"]
    environment = {**os.environ, "LAPTOP_REAL_COLIMA": str(programs), "LAPTOP_ANY_COLIMA": "1"}
    subprocess.run(
        [*pytest, folder, "-k", choice, f"--junitxml={report}"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=LIMIT,
    )
    return suite_of(report)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
