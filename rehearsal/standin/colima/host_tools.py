# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs on the host that colima calls: limactl, docker, kubectl. Both of their channels go to stdout."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .console import Fatal, go_quote
from .files.places import Profile
from .files.settings import Settings
from .process import Process


class HostTools:
    """Programs on PATH, run for one profile."""

    def __init__(self, settings: Settings, profile: Profile) -> None:
        self.settings = settings
        self.profile = profile

    def has(self, program: str) -> bool:
        """Whether a program is on PATH."""
        return self.settings.process.which(program) is not None

    def need(self, program: str, what: str) -> None:
        """Refuse to go on without a program."""
        if not self.has(program):
            missing = f"{program} not found, run 'brew install {program}' to install"
            raise Fatal(f"dependency check failed for {what}: {missing}")

    def environment(self, **extra: str) -> dict[str, str]:
        """What colima sets for its children."""
        mine = {
            "LIMA_HOME": str(self.profile.lima),
            "LIMA_INSTANCE": self.profile.id,
            "COLIMA_BINARY": executable(self.settings.process),
        }
        return {**self.settings.environ, **mine, **extra}

    def run(self, *argv: str, extra: Mapping[str, str] | None = None) -> int:
        """Run a program; what it prints on either channel goes to stdout."""
        try:
            return self.settings.process.run(argv, self.environment(**(extra or {})))
        except FileNotFoundError as error:
            raise Fatal(f'exec: "{argv[0]}": executable file not found in $PATH') from error

    def must(self, *argv: str, extra: Mapping[str, str] | None = None) -> None:
        """Run a program that has to succeed."""
        code = self.run(*argv, extra=extra)
        if code != 0:
            raise Fatal(f"exit status {code}" if code > 0 else "signal: killed")

    def output(self, *argv: str, extra: Mapping[str, str] | None = None) -> str:
        """Run a program quietly and return its stdout. Raises Fatal."""
        done = self.settings.process.output(argv, self.environment(**(extra or {})))
        if done.code != 0:
            first = done.err.split("\n", 1)[0]
            shown = f"error running [{' '.join(argv)}], output: {go_quote(first)}"
            raise Fatal(f'{shown}, err: "exit status {done.code}"')
        return done.out.strip()

    def quiet(self, *argv: str) -> bool:
        """Run a program for its exit code."""
        try:
            self.output(*argv)
        except (Fatal, OSError):
            return False
        return True

    def _context_exists(self) -> bool:
        return self.quiet("docker", "context", "inspect", self.profile.id)

    def create_docker_context(self, activate: bool) -> None:
        """Create the context unless one of that name exists, whatever it points to, and perhaps use it."""
        if not self._context_exists():
            host = f"host=unix://{self.profile.directory / 'docker.sock'}"
            self.must("docker", "context", "create", self.profile.id, "--description", self.profile.display, "--docker", host)
        if activate:
            self.must("docker", "context", "use", self.profile.id)

    def remove_docker_context(self) -> None:
        """Remove the context."""
        if self._context_exists():
            self.must("docker", "context", "rm", "--force", self.profile.id)


def executable(process: Process) -> str:
    """The path of the colima that is running, as it was typed or found on PATH."""
    named = process.environ.get("COLIMA_BINARY")
    return named or process.which(process.name) or os.path.abspath(process.name)  # noqa: PTH100 - links must stay links
