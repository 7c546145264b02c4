# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in the stand-in engine's containers: the tar, b2sum and mv of helpers that move volumes, on its volumes' files.

A running container that can write to a volume and has the label "writes" counts up in the files "first" and "last", as a database
that changes two files together: who reads the volume meanwhile finds one of them older.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .volumes import ROOT

if TYPE_CHECKING:
    from .state import State

WRITES, ASIDE = "writes", "_aside"
_DIRECTORY = re.compile(r"(?:--directory=|^cd )(\S+)")
# What a volume has under the names of its directories. One that is not there, as it was moved away, is None.
_PARTS = {"_data": "Files", ASIDE: "Aside"}
_FULL = b"tar: ./%s: Cannot write: No space left on device\ntar: Exiting with failure status due to previous errors\n"


@dataclass(frozen=True)
class Ended:
    """What a program has printed, and how it ended."""

    out: bytes = b""
    err: bytes = b""
    code: int = 0


def run(state: State, container: Mapping[str, Any], command: str, stdin: bytes = b"") -> Ended:
    """Run a command to its end."""
    if "--no-target-directory" in command:
        return _move(state, container, *command.split()[-2:])
    if command.startswith("for at in "):
        return Ended(b"".join(f"{one}\n".encode() for one in _listed(state, container, command)))
    place = _DIRECTORY.search(command)
    name, part = _volume(container, place[1] if place else "")
    if not _there(state, name, part):
        return Ended(err=b"tar: cannot open: No such file or directory\n", code=2)
    if command.startswith("cd "):
        # Of what no archive carries there is nothing.
        return Ended()
    if "--extract" in command:
        written = _extract(state, name, stdin)
        if written.code or "b2sum" not in command:
            return written
    packed = _packed(state, name, part, str(container["Id"]))
    return Ended(f"{hashlib.blake2b(packed).hexdigest()}  -\n".encode()) if "b2sum" in command else Ended(packed)


def _volume(container: Mapping[str, Any], path: str) -> tuple[str, str]:
    """Return the volume that a container has at a path, and which part of it."""
    for mount in container["Mounts"]:
        if mount["Destination"] == path:
            return str(mount.get("Name")), "Files"
        inside = path.removeprefix(f"{mount['Destination']}/")
        if mount["Source"] == ROOT and inside != path:
            name, _slash, part = inside.partition("/")
            return name, _PARTS[part]
    return "", "Files"


def _there(state: State, name: str, part: str) -> bool:
    return any(one["Name"] == name and has(one, part) for one in state.load("volumes"))


def has(volume: Mapping[str, Any], part: str) -> bool:
    """Whether a volume has its data in a directory; one of which a test says nothing has it where it belongs."""
    return volume.get(part, {} if part == "Files" else None) is not None


def _listed(state: State, container: Mapping[str, Any], command: str) -> list[str]:
    """Return those of the directories, or of patterns of them, that are there."""
    patterns = command.partition(";")[0].split()[3:]
    places = [f"/d/{one['Name']}/{part}" for one in state.load("volumes") for part, key in _PARTS.items() if has(one, key)]
    visible = any(mount["Source"] == ROOT for mount in container["Mounts"])
    return [place for pattern in patterns for place in places if visible and fnmatchcase(place, pattern)]


def files(state: State, name: str, part: str = "Files") -> dict[str, str]:
    """Return the files of a volume."""
    return dict(next(one.get(part) or {} for one in state.load("volumes") if one["Name"] == name))


def put(state: State, name: str, content: Mapping[str, str] | None, part: str = "Files") -> None:
    """Set the files of a volume; None: its directory was moved away."""
    state.save("volumes", [{**one, part: content} if one["Name"] == name else one for one in state.load("volumes")])


def _packed(state: State, name: str, part: str, reader: str) -> bytes:
    found = files(state, name, part)
    if _written_to(state, name, reader):
        count = int(found.get("first", "0")) + 1
        put(state, name, {**found, "first": str(count), "last": str(count)})
        found["last"] = str(count)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as made:
        root = tarfile.TarInfo(".")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        made.addfile(root)
        for path, text in sorted(found.items()):
            entry = tarfile.TarInfo(f"./{path}")
            entry.size = len(data := text.encode())
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _written_to(state: State, name: str, reader: str) -> bool:
    place = f"{ROOT}/{name}/_data"
    return any(
        mount["RW"] and (mount.get("Name") == name or mount["Source"] == place)
        for one in state.containers()
        if one["State"] == "running" and WRITES in one["Labels"] and one["Id"] != reader
        for mount in one["Mounts"]
    )


def _extract(state: State, name: str, stdin: bytes) -> Ended:
    """Write the files of an archive, as far as it goes."""
    found = files(state, name)
    try:
        with tarfile.open(fileobj=io.BytesIO(stdin), mode="r:") as opened:
            for entry in opened:
                if (file := opened.extractfile(entry) if entry.isfile() else None) is None:
                    continue
                if state.load("engine").get("full"):
                    return Ended(err=_FULL % entry.name.encode(), code=2)
                found[entry.name.removeprefix("./")] = file.read().decode()
                put(state, name, found)
    except tarfile.TarError:
        return Ended(err=b"tar: Unexpected EOF in archive\n", code=2)
    whole = stdin.endswith(bytes(1024))
    return Ended() if whole else Ended(err=b"tar: Unexpected EOF in archive\n", code=2)


def _move(state: State, container: Mapping[str, Any], source: str, target: str) -> Ended:
    """Rename a directory, in place of an empty directory."""
    one, other = _volume(container, source), _volume(container, target)
    if not _there(state, *one):
        return Ended(err=f"/bin/mv: cannot stat '{source}': No such file or directory\n".encode(), code=1)
    if files(state, *other):
        return Ended(err=f"/bin/mv: cannot move '{source}' to '{target}': Directory not empty\n".encode(), code=1)
    put(state, other[0], files(state, *one), other[1])
    put(state, one[0], None, one[1])
    # An engine tells the time of this directory as that of the volume's creation.
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(state.now()))
    state.save("volumes", [{**row, "CreatedAt": made} if row["Name"] == other[0] else row for row in state.load("volumes")])
    return Ended()
