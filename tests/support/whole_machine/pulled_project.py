# SPDX-License-Identifier: GPL-3.0-or-later
"""A team's repository, those who sign its commits, and a laptop that pulls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
REFRESH = ROOT / "roles" / "refresh_timer" / "files" / "refresh.py"
PULL = ROOT / "roles" / "pull_timer" / "files" / "pull.py"
# Says where it runs, and notes what of the project it found there.
PLAYBOOK = """import pathlib
print(pathlib.Path("text").read_text(), file=(pathlib.Path.home() / "ran").open("a"))
"""
NOBODY = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


class Signer(NamedTuple):
    """Someone whose key signs: flags of git that let it sign, and its environment."""

    flags: tuple[str, ...]
    environment: Mapping[str, str]


def ssh_signer(place: Path, name: str) -> tuple[Signer, str]:
    """Make an SSH key; return its signer, and its line in a file of allowed signers."""
    key = place / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    kind, public = key.with_suffix(".pub").read_text().split()[:2]
    flags = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}.pub")
    return Signer(flags, {}), f'{name}@example.com namespaces="git" {kind} {public}\n'


@contextmanager
def gpg_signer(name: str) -> Iterator[Signer]:
    """Make a gpg key in a keyring of its own, whose agent ends with the block."""
    with tempfile.TemporaryDirectory(prefix="g-", dir="/tmp") as keyring:
        around = {"GNUPGHOME": keyring}
        gpg = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", f"{name}@example.com"]
        subprocess.run([*gpg, "ed25519", "sign", "never"], env={**os.environ, **around}, check=True, capture_output=True)
        try:
            yield Signer(("-c", f"user.signingKey={name}@example.com"), around)
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, **around}, check=True)


class Repository:
    """The team's repository, with a branch main."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        (place / "play.py").write_text(PLAYBOOK)

    @property
    def url(self) -> str:
        return f"file://{self.place}"

    def git(self, *words: str, signer: Signer | None = None) -> str:
        who = ("-c", "user.name=Team", "-c", "user.email=team@example.com")
        command = ["git", "-C", str(self.place), *who, *(signer.flags if signer else ()), *words]
        around = {**os.environ, **NOBODY, **(signer.environment if signer else {})}
        done = subprocess.run(command, env=around, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, text: str, signer: Signer | None = None) -> str:
        """Make a commit in which the file "text" holds a text; return it as a status shows it."""
        (self.place / "text").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", text, *(["--gpg-sign"] if signer else []), signer=signer)
        return self.git("rev-parse", "HEAD")[:12]


class Laptop:
    """A laptop that pulls: what its timer runs, with a script of the project in the playbook's place."""

    def __init__(self, home: Path, repository: str) -> None:
        self.home, self.repository = home, repository
        self.clone, self.state = home / "clone", home / "state"
        self.environment: dict[str, str] = {**NOBODY}

    def pull(self, *flags: str, command: tuple[str, ...] = (), code: int = 0) -> dict[str, Any]:
        """Let the timer's program run once, and return the status that it leaves."""
        source = [f"--repository={self.repository}", f"--project={self.clone}", *flags]
        playbook = command or (sys.executable, "play.py")
        words = [str(REFRESH), str(self.state), "--job=pull", "--alone", "--force", "--"]
        argv = [sys.executable, *words, sys.executable, str(PULL), *source, "--", *playbook]
        around = {**os.environ, "HOME": str(self.home), **self.environment}
        done = subprocess.run(argv, env=around, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == code, done.stdout + done.stderr + self.log
        found: dict[str, Any] = json.loads((self.state / "pull.json").read_text())
        return found

    @property
    def log(self) -> str:
        file = self.state / "pull.log"
        return file.read_text() if file.exists() else ""

    @property
    def ran(self) -> list[str]:
        """The texts of the commits with which the playbook ran."""
        file = self.home / "ran"
        return file.read_text().split() if file.exists() else []

    @property
    def text(self) -> str:
        """What the clone's files are now; empty where there are none."""
        file = self.clone / "text"
        return file.read_text() if file.exists() else ""

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.clone), "-c", "user.name=Me", "-c", "user.email=me@example.com", *words]
        return subprocess.run(command, env={**os.environ, **NOBODY}, capture_output=True, text=True, check=True).stdout.strip()


def stand_in(folder: Path, name: str, script: str) -> None:
    """Make a program that is a shell script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
