# SPDX-License-Identifier: GPL-3.0-or-later
"""Where colima keeps its files and what a profile is called. Directories are made on first use, as colima does."""

from __future__ import annotations

from pathlib import Path

from ..console import Log
from .settings import Settings


def required(directory: Path) -> Path:
    """Return the directory, made if it was missing."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    return directory


def base_directory(settings: Settings, log: Log | None = None) -> Path:
    """Return colima's configuration directory. COLIMA_HOME counts only if that path exists."""
    named = settings.environ.get("COLIMA_HOME", "")
    if named and Path(named).exists():
        return Path(named)
    home = Path(settings.environ.get("HOME", ""))
    usual, xdg = home / ".colima", settings.environ.get("XDG_CONFIG_HOME")
    if usual.exists():
        if xdg is not None and log is not None:
            log.warning("found ~/.colima, ignoring $XDG_CONFIG_HOME...")
            log.warning("delete ~/.colima to use $XDG_CONFIG_HOME as config directory")
            log.warning(f'or run `mv ~/.colima "{Path(xdg) / "colima"}"`')
        return usual
    if xdg is not None:
        return Path(xdg) / "colima"
    return usual if settings.darwin else home / ".config" / "colima"


def cache_directory(settings: Settings) -> Path:
    """Return the directory of downloads."""
    named = settings.environ.get("COLIMA_CACHE_HOME")
    if named:
        return Path(named)
    if settings.environ.get("XDG_CACHE_HOME"):
        return Path(settings.environ["XDG_CACHE_HOME"]) / "colima"
    home = Path(settings.environ.get("HOME", ""))
    return (home / "Library" / "Caches" if settings.darwin else home / ".cache") / "colima"


class Profile:
    """One colima profile: its instance id, its display name, its short name and where its files are."""

    def __init__(self, id: str, display: str, name: str, base: Path, lima: Path) -> None:
        self.id = id
        self.display = display
        self.name = name
        self.base = base
        self.lima = lima

    @classmethod
    def of(cls, name: str, base: Path, lima: Path) -> Profile:
        """Name a profile from what was typed. One leading 'colima-' is dropped."""
        if name in ("", "colima", "default"):
            return cls("colima", "colima", "default", base, lima)
        short = name.removeprefix("colima-")
        return cls(f"colima-{short}", f"colima [profile={short}]", short, base, lima)

    @property
    def directory(self) -> Path:
        """BASE/P: settings and host sockets."""
        return self.base / self.name

    @property
    def file(self) -> Path:
        """The settings for the next start."""
        return self.directory / "colima.yaml"

    @property
    def instance_directory(self) -> Path:
        """LIMA/ID."""
        return self.lima / self.id

    @property
    def lima_file(self) -> Path:
        """Lima's description of the instance; an instance exists if this does."""
        return self.instance_directory / "lima.yaml"

    @property
    def state_file(self) -> Path:
        """The settings as applied at the last successful boot."""
        return self.instance_directory / "colima.yaml"

    @property
    def store_file(self) -> Path:
        """What colima remembers of the data disk."""
        return self.base / "_store" / f"{self.id}.json"

    @property
    def sockets(self) -> dict[str, dict[str, Path]]:
        """The host sockets per runtime: guest end to host file."""
        here = self.directory
        containerd = {"/var/run/containerd/containerd.sock": here / "containerd.sock"}
        docker = {"/var/run/docker.sock": here / "docker.sock", **containerd}
        return {
            "docker": docker,
            "containerd": {**containerd, "/var/run/buildkit/buildkitd.sock": here / "buildkitd.sock"},
            "incus": {"/var/lib/incus/unix.socket": here / "incus.sock"},
        }


def profile_named(name: str, settings: Settings, log: Log | None = None) -> Profile:
    """Return the profile in the directories that the environment asks for, and make these."""
    base = required(base_directory(settings, log))
    lima = required(Path(settings.environ.get("LIMA_HOME") or base / "_lima"))
    required(base / "_store")
    return Profile.of(name, base, lima)
