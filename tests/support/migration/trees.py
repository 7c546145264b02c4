# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of files with everything that a copy could lose, and what the system's own tools say of a tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rehearsal.processes.system import comes_true

# Names that are not text, or look like something else.
ODD = (b" leading", b"two\nlines", b"\xff\xfe not text", b"-rf", b"a'b\"c$d", "\u00fcml\u00e4ut".encode(), b"x" * 255)


def odd_tree(place: Path) -> None:
    """Make files of every kind, as root can."""
    root = os.fsencode(place)
    for number, name in enumerate(ODD):
        Path(os.fsdecode(root + b"/" + name)).write_bytes(bytes([number]) * number)
    deep = place / "deep" / "er"
    deep.mkdir(parents=True, mode=0o2751)
    (deep / "first").write_bytes(b"linked")
    for other in ("a-second", "z-third"):
        os.link(deep / "first", place / other)
    os.chown(deep / "first", 70000, 3_000_000)
    (place / "link").symlink_to("/nowhere/" + "long" * 40)
    (place / "dangling").symlink_to(os.fsdecode(b"\xff"))
    os.mkfifo(place / "fifo", 0o640)
    os.mknod(place / "device", 0o60600, os.makedev(7, 200))
    (place / "set-uid").write_bytes(b"s")
    (place / "set-uid").chmod(0o4755)
    os.setxattr(place / "set-uid", "user.note", b"with\0zero and \xff")
    os.setxattr(place / "set-uid", "trusted.overlay.opaque", b"y")
    (place / "empty").touch()
    os.utime(place / "empty", ns=(0, 123_456_789_987_654_321))
    os.utime(deep, ns=(0, 1_000_000_001))
    place.chmod(0o1770)
    os.chown(place, 999, 998)


def sparse_file(path: Path, size: int, *data: int) -> None:
    """Make a file that is a hole but for a few bytes at these places."""
    with path.open("wb") as file:
        file.truncate(size)
        for at in data:
            file.seek(at)
            file.write(b"data")


def many_files(place: Path, count: int) -> None:
    """Make many small files, a hundred in a directory."""
    for number in range(count):
        directory = place / f"{number // 100:04}"
        directory.mkdir(exist_ok=True)
        (directory / f"{number}").write_bytes(b"%d" % number * (number % 50))


def told(place: Path) -> list[bytes]:
    """Return what find, sha256sum and the file system say of everything below a directory, and of itself."""
    # Of directories neither size nor links: file systems count them as they like.
    looks = (r"%y %m %U %G %s %T@ %n %l %P\0", r"%y %m %U %G %T@ %P\0")
    kinds = (["!", "-type", "d"], ["-type", "d"])
    rows = [row for look, kind in zip(looks, kinds, strict=True) for row in _run(place, "find", ".", *kind, "-printf", look)]
    sums = _run(place, "find", ".", "-type", "f", "-exec", "sha256sum", "--zero", "{}", "+")
    inodes = _run(place, "find", ".", "-type", "f", "-links", "+1", "-printf", r"%i %P\0")
    return sorted([*rows, *sums, *_attributes(place), *_linked(inodes)])


def is_whole_or_empty(place: Path, tree: list[bytes]) -> bool:
    """Whether a volume is one of both. It is made a moment before its data takes its place, maybe by a helper that still runs."""
    return comes_true(lambda: told(place) == tree or not [*place.iterdir()], 5)


def differences(one: Path, other: Path) -> list[str]:
    """Return what rsync would do to make a tree what another one is; files are compared by their content."""
    kept = ["--archive", "--hard-links", "--acls", "--xattrs", "--numeric-ids", "--devices", "--specials"]
    compare = ["rsync", "--dry-run", "--checksum", "--delete", "--itemize-changes", *kept, f"{one}/", f"{other}/"]
    return subprocess.run(compare, capture_output=True, check=True).stdout.decode(errors="replace").splitlines()


def occupied(place: Path) -> int:
    """Return how many bytes a tree takes on its disk."""
    return int(subprocess.run(["du", "-sk", place], capture_output=True, check=True).stdout.split()[0]) * 1024


def _run(place: Path, *argv: str) -> list[bytes]:
    return [row for row in subprocess.run(argv, cwd=place, capture_output=True, check=True).stdout.split(b"\0") if row]


def _attributes(place: Path) -> list[bytes]:
    paths = [path for path in (place, *place.rglob("*")) if not path.is_symlink()]
    return [
        os.fsencode(path.relative_to(place)) + name.encode() + os.getxattr(path, name)
        for path in paths
        for name in os.listxattr(path)
        if not name.startswith("security.selinux")
    ]


def _linked(rows: list[bytes]) -> list[bytes]:
    groups: dict[bytes, list[bytes]] = {}
    for row in rows:
        inode, _space, name = row.partition(b" ")
        groups.setdefault(inode, []).append(name)
    return [b"one file: " + b" ".join(sorted(names)) for names in groups.values()]
