# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the user: reading a small one, replacing one at once so that no reader ever meets half of it, moving one aside.

What is in them, it does not know.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import itertools
import json
import os
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, file_trouble

# renameat2's flags on Linux, renamex_np's on macOS: the two names change places; a name that exists is not replaced.
_LINUX = {"exchange": 2, "new": 1}
_MACOS = {"exchange": 2, "new": 4}
_AT_CURRENT_DIRECTORY = -100
# What a file system says that has no links, modes, owners or locks.
UNKNOWN_HERE = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL)
# What every system takes: the name of one file, and a whole path.
_LONGEST_NAME, _LONGEST_PATH = 255, 1023
# How often a file is put back that other programs write without a pause.
_MOST_ROUNDS = 1000


@dataclass(frozen=True)
class FileState:
    """What is found at a path, links followed. kind is absent, file, dangling (link to nothing) or other.

    readable is False for a file that is large or not text: this collection did not write it, and its text is not known.
    """

    kind: str
    text: str = ""
    mode: int = 0
    readable: bool = True


def read_file(path: Path, limit: int = 1 << 20) -> FileState:
    """Return what is at the path. Of a file that is large or not text only that it is there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return FileState("dangling" if path.is_symlink() else "absent")
    except OSError as error:
        raise file_trouble(f"look at '{path}'", error, "Choose a path that you can read.") from error
    if not stat.S_ISREG(found.st_mode):
        return FileState("other")
    mode = stat.S_IMODE(found.st_mode)
    if found.st_size > limit:
        return FileState("file", mode=mode, readable=False)
    try:
        return FileState("file", path.read_text(encoding="utf-8"), mode)
    except UnicodeDecodeError:
        return FileState("file", mode=mode, readable=False)
    except FileNotFoundError:
        # Another run has removed it since.
        return FileState("absent")
    except OSError as error:
        raise file_trouble(f"read '{path}'", error, "Choose a path that you can read.") from error


def text_of(path: Path) -> str | None:
    """Return the text of a file that another program writes; None when there is none, it can't be read, or it is not a file."""
    with contextlib.suppress(OSError):
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    return None


def check_path(what: str, path: str, *, suffix: str = "") -> None:
    """Raise InputError for a path that no file can have, also not with a suffix added to its name."""
    shown = f"use '{path if len(path) <= _LONGEST_NAME else path[:40] + '...'}' as {what}"
    if not path.startswith("/"):
        raise InputError(shown, "it is not absolute", "Start it with '/' or '~/'.")
    if "\0" in path or not Path(path).name:
        raise InputError(shown, "it names no file", "Give the path of a file.")
    parts = [part.encode(errors="surrogatepass") for part in f"{path}{suffix}".split("/")]
    if max(map(len, parts)) > _LONGEST_NAME or len(b"/".join(parts)) > _LONGEST_PATH:
        raise InputError(shown, "it is too long", f"Give a path of less than {_LONGEST_PATH - len(suffix)} bytes.")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise InputError(shown, "it holds half of a character", "Correct it.") from None


def check_links(*directories: Path) -> None:
    """Raise InputError where a directory, or one above it, is a link into nothing, as to a disk that is not mounted."""
    for place in (path for own in directories for path in (*reversed(own.parents), own)):
        if place.is_symlink() and not place.exists():
            reason = f"it leads to '{place.readlink()}', which does not exist"
            raise InputError(f"use '{place}'", reason, "Mount the disk that it is on, or remove the link.")


def write_file(path: Path, text: str, mode: int, remedy: str) -> None:
    """Replace the file at once. A link stays a link: its target is replaced. remedy tells what to do on a refusal."""
    try:
        write_atomically(Path(os.path.realpath(path)), text, mode)
    except OSError as error:
        raise file_trouble(f"write '{path}'", error, remedy) from error


def rename_new(source: Path, target: Path) -> None:
    """Rename a file, a link or a directory. Raises FileExistsError where the target exists, also when it was made just now."""
    if _rename("new")(os.fsencode(source), os.fsencode(target)):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    if source.is_dir() and not source.is_symlink():
        source.rename(target)
        return
    # A system or file system without that call.
    if second_name(source, target):
        source.unlink()
    else:
        # Between the look above and this, another program could make the target.
        source.rename(target)


def second_name(source: Path, target: Path) -> bool:
    """Give a file or link a second name. Returns False where its file system has none (exFAT, SMB)."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in UNKNOWN_HERE:
            raise
        return False
    return True


def keep_aside(path: Path, suffix: str) -> Path:
    """Rename the file to the first free one of path.suffix, path.suffix.1, ... and return its new path."""
    for place in aside(path, suffix):
        with contextlib.suppress(FileExistsError):
            rename_new(path, place)
            return place
    raise AssertionError("the names never end")


def aside(path: Path, suffix: str) -> Iterator[Path]:
    """Yield path.suffix, path.suffix.1, path.suffix.2, ... without an end."""
    yield path.with_name(f"{path.name}.{suffix}")
    for number in itertools.count(1):
        yield path.with_name(f"{path.name}.{suffix}.{number}")


def link_target(path: Path) -> str | None:
    """Return where a link leads, as it is written; None for nothing, and "" for anything else."""
    try:
        return os.readlink(path)  # noqa: PTH115 - compared as text
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return ""


def replace_link(path: Path, target: str, found: str | None) -> None:
    """Let a link lead to a target, at once, so that a link exists at every moment. found: where it led (None: no link).

    Raises FileExistsError, and leaves the file, when it is not what was found.
    """
    if found is None:
        path.symlink_to(target)
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_beside(path)) as place:
        new = Path(place) / "link"
        new.symlink_to(target)
        names = os.fsencode(new), os.fsencode(path)
        exchanged = _rename("exchange")(*names)
        if link_target(new if exchanged else path) != found:
            if exchanged:
                _rename("exchange")(*names)
            raise FileExistsError(errno.EEXIST, "it was changed a moment ago", str(path))
        if not exchanged:
            new.replace(path)


def remove_link(path: Path, found: str) -> None:
    """Remove a link that leads to what was found; another file stays."""
    if link_target(path) == found:
        path.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replace the file, by default readable by the user only. A link at the path is replaced, too: give its target."""
    with _written_beside(path, content, mode) as new:
        new.replace(path)


def sync(*paths: Path) -> None:
    """Let files and directories outlast a power cut, in this order; a directory does with the names in it.

    On macOS fsync stops at the drive's own cache; F_FULLFSYNC goes through it, where the file system knows it.
    """
    for path in paths:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            flush(handle)
        finally:
            os.close(handle)


def flush(handle: int) -> None:
    """Let what was written to an open file outlast a power cut."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, full)
            return
    os.fsync(handle)


def make_directory(path: Path) -> None:
    """Make a directory and its parents, for the user alone whatever the umask says. What is there stays as it is."""
    for place in (*reversed(path.parents), path):
        if not place.exists():
            with contextlib.suppress(FileExistsError):
                place.mkdir(0o700)
    if not path.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def room_at(path: Path) -> int:
    """Return the free bytes of the disk that a path is on, or would be on."""
    return shutil.disk_usage(next(place for place in (path, *path.parents) if place.exists())).free


def replace_if_unchanged(path: Path, content: str | bytes, mode: int, found: bytes | None) -> bool:
    """Replace the file if it still holds what was found (None: nothing). Returns False, and leaves it, if it does not.

    Looking and replacing are two steps, and another program may write in between. So the files change places, and change back
    when the other one turns out not to be what was found. A program that takes no lock can still lose a write, if it reads
    the file in the microseconds between these two changes, and only if yet another write was made just before them.
    """
    exchange = _rename("exchange")
    with _written_beside(path, content, mode) as new:
        names = os.fsencode(new), os.fsencode(path)
        placed = _content(new)
        if _content(path) != found:
            return False
        if found is None:
            try:
                rename_new(new, path)
            except FileExistsError:
                return False
            return True
        if not exchange(*names):
            new.replace(path)
            return True
        taken = _content(new)
        if taken == found:
            return True
        # What was taken goes back. What comes out for it is this content, or what another program wrote over it: the newest. Each
        # further round needs a write by another program within microseconds; after so many, one of its versions is in place.
        for _round in range(_MOST_ROUNDS):
            exchange(*names)
            out = _content(new)
            if out == placed:
                break
            placed, taken = taken, out
        return False


@contextlib.contextmanager
def _written_beside(path: Path, content: str | bytes, mode: int) -> Iterator[Path]:
    make_directory(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_beside(path))
    except OSError as error:
        # The directory takes no file; the name of a temporary one would not help.
        error.filename = str(path.parent)
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            set_mode(file.fileno(), mode)
            _keep_owner(file.fileno(), path)
            _keep_attributes(file.fileno(), path)
            # Without it, a crash of the machine can leave an empty file under the new name.
            os.fsync(file.fileno())
        yield Path(temporary)
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()


def _keep_attributes(handle: int, path: Path) -> None:
    """Give a new file the access list and the extended attributes (such as Finder's tags) of the file it replaces.

    What the system keeps to itself (SELinux' labels, capabilities), and what the file system does not know, stays behind.
    """
    if sys.platform == "darwin":
        import ctypes

        with contextlib.suppress(OSError), path.open("rb") as old:
            # copyfile(3): COPYFILE_ACL and COPYFILE_XATTR.
            ctypes.CDLL(None).fcopyfile(old.fileno(), handle, None, 1 << 0 | 1 << 2)
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(handle, name, os.getxattr(path, name))


@contextlib.contextmanager
def unless_unknown_here() -> Iterator[None]:
    """Go on where a file system has no such thing: owners and modes on exFAT and some of SMB."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNKNOWN_HERE:
            raise


def set_mode(file: int | Path, mode: int) -> None:
    """Set who may read and write a file, where its file system can tell users apart."""
    with unless_unknown_here():
        if isinstance(file, int):
            os.fchmod(file, mode)
        else:
            file.chmod(mode)


def _beside(path: Path) -> str:
    """Return the beginning of a temporary name beside a file, without half letters; tempfile adds eight characters to it."""
    return f".{os.fsencode(path.name)[: _LONGEST_NAME - 10].decode(errors='ignore')}."


def _keep_owner(handle: int, path: Path) -> None:
    """Give the new file the owner of the old one; only root replaces files of others."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat(follow_symlinks=False)
        if os.geteuid() == 0 and stat.S_ISREG(found.st_mode):
            with unless_unknown_here():
                os.fchown(handle, found.st_uid, found.st_gid)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@functools.cache
def _rename(way: str) -> Callable[[bytes, bytes], bool]:
    """Return what renames in this way, and says whether it did: not every system and file system can."""
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "renameat2"):
        here, flag = _AT_CURRENT_DIRECTORY, _LINUX[way]
        return lambda old, new: bool(library.renameat2(here, old, here, new, flag) == 0)
    if hasattr(library, "renamex_np"):
        return lambda old, new: bool(library.renamex_np(old, new, _MACOS[way]) == 0)
    return lambda _one, _other: False


def moved_away(path: Path, into: Path | None = None) -> str:
    """Return the command that moves a damaged file or directory away, to a name that is free: once repaired, it can be put back.

    into: the directory that it goes to, by default its own.
    """
    first = (into or path.parent) / f"{path.name}.damaged"
    names = (first, *(first.with_name(f"{first.name}-{number}") for number in range(2, 100)))
    free = next((name for name in names if not os.path.lexists(name)), first)
    return f"mv {shlex.quote(str(path))} {shlex.quote(str(free))}"


def is_json_object(file: Path) -> bool:
    """Whether a file can be read and holds a JSON object."""
    try:
        return isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError, RecursionError):
        return False
