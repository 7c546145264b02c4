# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and places: which directories colima uses, and which profile names it can keep apart.

Knows no setting and reads no file; asks only whether a directory is there and where its links lead, because colima and Lima do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .core.errors import InputError
from .core.system.files import check_links

_IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*")
_LONGEST_IDENTIFIER = 76
# sun_path of a unix socket, with its closing NUL.
_SOCKET_LIMIT = {"Darwin": 104, "Linux": 108}
# Lima's longest socket name: ssh.sock and a random suffix of 16 characters while ssh makes it.
_LONGEST_SOCKET = "ssh.sock." + "x" * 16
# Of the sockets that colima forwards from a VM.
_LONGEST_ENGINE = "containerd.sock"


@dataclass(frozen=True, order=True)
class Name:
    """A profile's name as colima shows it, and the id of its Lima instance."""

    name: str
    id: str

    def __str__(self) -> str:
        return self.name


def parse_name(text: str) -> Name:
    """Return the name that colima would make of a text. Raises InputError for names that it can't keep apart."""
    if text in ("default", "colima"):
        return Name("default", "colima")
    if not text:
        # To colima it is the default profile; here it is a variable that was not set, maybe beside "delete".
        raise InputError("use this profile name", "it is empty", "Name the profile; colima's own default one is 'default'.")
    name = text.removeprefix("colima-")
    if not name or name in ("default", "colima") or name.startswith("_") or text.startswith("_"):
        # `colima delete colima-default` wipes the settings of the real default profile.
        reason = "colima would confuse it with another directory or profile of its own"
        raise InputError(f"use profile name {text!r}", reason, "Use a name such as 'dev'.")
    # A pattern that ends in $ would take a name with a line feed behind it.
    if not _IDENTIFIER.fullmatch(name) or len(f"colima-{name}") > _LONGEST_IDENTIFIER:
        longest = _LONGEST_IDENTIFIER - len("colima-")
        reason = f"Lima allows letters, digits and single '.', '_' or '-' between them, at most {longest} characters"
        raise InputError(f"use profile name {text!r}", reason, "Choose such a name.")
    return Name(name, f"colima-{name}")


def short_name(text: object) -> str:
    """Return colima's short name of a profile; empty for what can't be one."""
    try:
        return parse_name(text).name if isinstance(text, str) and text else ""
    except InputError:
        return ""


@dataclass(frozen=True)
class Paths:
    """Where colima and Lima keep what belongs to this user."""

    base: Path
    lima: Path
    # What colima downloads, complete or not.
    downloads: Path = Path()

    def profile(self, name: Name) -> Path:
        """The profile's own directory: settings and sockets."""
        return self.base / name.name

    def configured(self, name: Name) -> Path:
        """The settings for the next start."""
        return self.base / name.name / "colima.yaml"

    def buildkit(self, name: Name) -> Path:
        """The settings of BuildKit in a containerd VM, where the profile has its own."""
        return self.base / name.name / "containerd" / "buildkitd.toml"

    def instance(self, name: Name) -> Path:
        """Lima's directory of the VM."""
        return self.lima / name.id

    def ssh_master(self, name: Name) -> Path:
        """The control socket of Lima's ssh connection to the VM, which also carries the engine's socket."""
        return self.lima / name.id / "ssh.sock"

    def events(self, name: Name) -> Path:
        """What Lima's host agent has reported since the VM was last switched on, one JSON object per line."""
        return self.lima / name.id / "ha.stdout.log"

    def applied(self, name: Name) -> Path:
        """The settings of the last successful boot."""
        return self.lima / name.id / "colima.yaml"

    def store(self, name: Name) -> Path:
        """What colima remembers about the data disk."""
        return self.base / "_store" / f"{name.id}.json"

    def data_disk(self, name: Name) -> Path:
        """Lima's directory of the data disk."""
        return self.lima / "_disks" / name.id

    @property
    def own(self) -> Path:
        """Our own room in the Lima home (Lima skips what begins with an underscore): lock, journal, set-aside files."""
        return self.lima / "_laptop.containers"

    @property
    def kept(self) -> Path:
        """VMs that a move to another runtime has set aside, each in a directory of its name with a note.json."""
        return self.own / "kept"

    def journal(self, name: Name) -> Path:
        """The settings of a profile that is being recreated, from its deletion until it is there again."""
        return self.own / f"{name.id}.json"

    def saved_buildkit(self, name: Name) -> Path:
        """The profile's settings of BuildKit, while it is being recreated."""
        return self.own / f"{name.id}.buildkitd.toml"

    def fresh(self, name: Name) -> Path:
        """Our note that a data disk is being made, from before its first start until that is over."""
        return self.own / f"{name.id}.fresh"

    def former_kube_context(self, name: Name) -> Path:
        """Our note of the kube context that was current before colima made the profile's own current."""
        return self.own / f"{name.id}.kube"

    def kube_entry(self, name: Name) -> Path:
        """Our note of the profile's entry in the kubeconfig, as it was compared with its k3s."""
        return self.own / f"{name.id}.kube-entry"

    def idle(self, name: Name) -> Path:
        """Our note of since when nothing of the user's was seen to run in a profile."""
        return self.own / f"{name.id}.idle"

    def socket(self, name: Name, tool: str) -> str:
        """The address of one of the profile's sockets on the host."""
        return f"unix://{self.base / name.name / f'{tool}.sock'}"

    def check_socket_length(self, name: Name, system: str) -> None:
        """Raise InputError if a socket of this profile would not fit into a socket address."""
        limit = _SOCKET_LIMIT.get(system, 104)
        # Lima follows links in its own paths, as /tmp on a Mac is one.
        sockets = {"Lima": self.instance(name).resolve() / _LONGEST_SOCKET, "colima": self.base / name.name / _LONGEST_ENGINE}
        for whose, longest in sockets.items():
            if len(os.fsencode(longest)) >= limit:
                raise InputError(
                    f"use profile name '{name}'",
                    f"{whose}'s socket '{longest}' would be longer than the {limit - 1} bytes that the system allows",
                    "Choose a shorter name, or set COLIMA_HOME to a shorter directory.",
                )

    def check_links(self) -> None:
        """Raise InputError where a directory is a link into nothing, as to a disk that is not mounted: its VMs seem absent."""
        check_links(self.lima, self.base)


def resolve(environment: Mapping[str, str], system: str, exists: Callable[[Path], bool] = Path.exists) -> Paths:
    """Return the directories by colima's own rules.

    A COLIMA_HOME that does not exist is used as it is; it must be made before colima starts, because colima
    silently ignores it otherwise.
    """
    home = Path(environment.get("HOME") or "~").expanduser()
    dotted = home / ".colima"
    if environment.get("COLIMA_HOME"):
        base = Path(environment["COLIMA_HOME"])
    elif exists(dotted) or dotted.is_symlink():
        base = dotted
    elif environment.get("XDG_CONFIG_HOME"):
        base = Path(environment["XDG_CONFIG_HOME"]) / "colima"
    else:
        base = dotted if system == "Darwin" else home / ".config" / "colima"
    lima = environment.get("LIMA_HOME")
    # Its own place by the system, whether it is there yet or not: a first download makes it.
    usual = Path(environment.get("XDG_CACHE_HOME") or home / ("Library/Caches" if system == "Darwin" else ".cache")) / "colima"
    cache = Path(environment.get("COLIMA_CACHE_HOME") or usual)
    return Paths(base, Path(lima) if lima else base / "_lima", cache / "caches")
