# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs built from a module as it was released: with the dependencies and the go.sum that are its own.

as-released/go.sum pins the module itself, so an old release needs no checksum database that still knows it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engines import caches

# Releases that an upgrade begins with in tests: one before colima had a data disk, and one with other downloads than today's.
OLDER = ("0.8.1", "0.9.1")
PINS = Path(__file__).resolve().parent / "as-released"


class NotBuilt(Exception):
    """A release could not be built; the text says why."""


def go_environment() -> dict[str, str]:
    """Return the environment in which Go builds the same for everyone."""
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


@dataclass(frozen=True)
class Released:
    """A program of a module, and the variable there that a release sets to its version."""

    program: str
    module: str
    version: str
    variable: str
    # A folder of the module, and its place beside the program's folder.
    data: tuple[str, str] = ("", "")

    def place(self, cache: Path) -> Path:
        """The folder of this release in a cache of engines, which is a folder bin."""
        return cache.parent / "releases" / f"{self.program}-{self.version}"

    @property
    def built(self) -> Path | None:
        """The program, where it has been built."""
        found = (self.place(cache) / "bin" / self.program for cache in caches())
        return next((path for path in found if os.access(path, os.X_OK)), None)

    def build(self, go: str) -> Path:
        """Build it into the first cache of engines, unless it has been built. Returns the program. Raises NotBuilt."""
        if self.built is not None:
            return self.built
        place = self.place(caches()[0])
        built = place / "bin" / self.program
        source = place / "source" / self.program
        shutil.rmtree(source, ignore_errors=True)
        # Go's own copy may not be written to.
        shutil.copytree(self._download(go, place), source, copy_function=shutil.copyfile)
        flags = f"-s -w -X {self.module}/{self.variable.format(self.version)}"
        argv = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", f"{built}.part", f"./cmd/{self.program}"]
        self._go(argv, source)
        # Once the program is there, its data is.
        if self.data[0]:
            shutil.copytree(source / self.data[0], place / self.data[1], copy_function=shutil.copyfile, dirs_exist_ok=True)
        shutil.rmtree(place / "source")
        Path(f"{built}.part").replace(built)
        return built

    def _download(self, go: str, place: Path) -> Path:
        """Return the module's files, checked against the pin."""
        pins = place / "pins"
        # Go writes into a go.sum what it lacks: not in the work tree.
        shutil.copytree(PINS, pins, dirs_exist_ok=True)
        said = self._go([go, "mod", "download", "-json", f"{self.module}@v{self.version}"], pins)
        return Path(json.loads(said)["Dir"])

    def _go(self, argv: list[str], folder: Path) -> str:
        done = subprocess.run(
            argv, cwd=folder, env=go_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if not line.startswith("go: downloading")]
            raise NotBuilt(f"'go {argv[1]}' failed: {' | '.join(lines[-3:])}")
        return done.stdout


def colima(version: str) -> Released:
    """Return a release of colima."""
    return Released("colima", "github.com/abiosoft/colima", version, "config.appVersion=v{}")


def limactl(version: str) -> Released:
    """Return a release of Lima's command; it looks for its templates beside itself."""
    module = "github.com/lima-vm/lima" if version.startswith("1.") else f"github.com/lima-vm/lima/v{version.partition('.')[0]}"
    return Released("limactl", module, version, "pkg/version.Version={}", ("templates", "share/lima/templates"))
