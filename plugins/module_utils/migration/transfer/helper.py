# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that read and write volumes: GNU tar and its like, in an image of a few files that needs no registry.

An engine's own archive interface loses extended attributes, holes, and who owns a volume's top directory. So the programs come
from the target's VM (on Linux without one, from the laptop), and both engines get them as an image that is removed at the end.
A container serves all volumes of its engine: to start one for each would take most of the time that small ones need.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ...core.errors import CommandFailed
from ...docker.engine import EngineSilent
from ...docker.frames import frames
from ...docker.stream import EngineApi, EngineRefused
from ..model import LABEL

HELPER = "helper"
# A label of volumes that a mount has made.
MADE = f"{LABEL}.made"
_KEPT = "/d"
# Reads every file, gives files to anybody, makes devices, and keeps capabilities of files and attributes of overlay file systems.
_RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP", "SYS_ADMIN")
# Prints the programs and the libraries that they load, as an archive in base64, whose lines every terminal passes on.
PACK = (
    "set -e; programs='/bin/sh /bin/tar /bin/mv /bin/b2sum /bin/du /bin/head /bin/find /bin/lsattr /bin/sed'; "
    "{ printf '%s\\n' $programs; ldd $programs | sed -n 's,^[^/]*\\(/[^ :]*\\) (.*,\\1,p'; } | sort -u | "
    "sed 's,^/,,' | tar --create --directory=/ --dereference --files-from=- | base64"
)
# Waits until it is removed.
_WAIT = ("/bin/sh", "-c", "read -r end")
# Runs one command after another. Behind the output of each, and behind its error output, comes its mark and how it ended.
_LOOP = (
    'while read -r mark size command; do case $size in -) ( eval "$command" );; 0) ( eval "$command" ) </dev/null;; '
    '*) head -c "$size" | ( eval "$command" );; esac; '
    'code=$?; printf "\\n%s %03d\\n" "$mark" $code; printf "\\n%s %03d\\n" "$mark" $code >&2; done'
)
_MARK_BYTES = 16
_END_BYTES = 2 * _MARK_BYTES + len("\n 000\n")
_OUTPUT_KEPT = 4096
_REASON_KEPT = 150
# tar reads and writes so many blocks of 512 bytes at once, as many as a pipe holds.
BLOCKS = 128
# It prints a dot now and then, after 16 MiB, so that its silence means something.
SIGNS_OF_LIFE = ("--checkpoint=256", "--checkpoint-action=dot")
_SIGN = b"."
# A file system may need so many times the patience to write what it has taken.
_PATIENCE = 15
_NOT_FOUND, _CONFLICT = 404, 409
_ATTEMPTS, _ATTEMPT_SECONDS = 100, 0.2
# What programs say of a full disk: tar, where a part of a piece had room, only the last.
_FULL = ("No space left on device", "Disk quota exceeded", "Wrote only ")
_TOO_LONG = "File name too long"
# What tar says of files that are written to, or removed, while it reads them.
_CHANGES = ("file changed as we read it", "removed before we read it", "File shrank by ")


class Changed(CommandFailed):
    """Something was written to while it was read."""


class Programs:
    """The programs of helpers as an archive, which is fetched once."""

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        self._fetch, self._archive, self.lock = fetch, b"", threading.Lock()

    def archive(self) -> bytes:
        """Return the archive. Raises CommandFailed."""
        with self.lock:
            self._archive = self._archive or self._fetch()
            return self._archive


class HelperImage:
    """The image in one engine, made when it is first needed, and its containers."""

    def __init__(self, api: EngineApi, programs: Programs) -> None:
        self.api, self.programs, self.id = api, programs, ""
        self.lock = threading.Lock()
        self._containers: dict[str, Container] = {}

    def make(self) -> str:
        """Return the id of the image."""
        with self.lock:
            return self._made()

    def _made(self) -> str:
        if not self.id:
            label = quote(f"LABEL {LABEL}={HELPER}")
            with self.api.upload("POST", f"/images/create?fromSrc=-&changes={label}") as upload:
                upload.write(self.programs.archive())
                lines = [json.loads(line) for line in upload.finish().splitlines() if line.strip()]
            found = [line["status"] for line in lines if str(line.get("status", "")).startswith("sha256:")]
            if not found:
                reason = next((str(line["error"]) for line in lines if "error" in line), "it does not tell the id")
                raise EngineRefused(0, reason)
            self.id = str(found[-1])
        return self.id

    @contextlib.contextmanager
    def container(self, mount: Mapping[str, Any], check: Callable[[], object] = lambda: None) -> Iterator[Container]:
        """Yield a container with a mount. That of a directory at /d is kept; any other is removed at the end.

        check: looks at what was mounted, before the container starts.
        """
        if mount["Target"] == _KEPT:
            yield self._kept(mount)
            return
        container = Container(self.api, self.make(), mount)
        try:
            check()
            container.start()
            yield container
        finally:
            # A run that follows removes what stays.
            with contextlib.suppress(EngineSilent):
                container.remove()

    def _kept(self, mount: Mapping[str, Any]) -> Container:
        key = json.dumps(mount)
        with self.lock:
            if key not in self._containers:
                self._containers[key] = container = Container(self.api, self._made(), mount)
                container.start()
            return self._containers[key]

    @property
    def containers(self) -> frozenset[str]:
        """The ids of the containers that are kept."""
        return frozenset(one.id for one in self._containers.values())

    def remove(self) -> None:
        """Remove the image and its containers, if they were made. A run that follows removes what stays."""
        # An engine that is silent is asked once.
        with contextlib.suppress(EngineSilent):
            while self._containers:
                self._containers.popitem()[1].remove()
            if self.id:
                with contextlib.suppress(EngineRefused):
                    self.api.ask("DELETE", f"/images/{self.id}?force=1")


class Container:
    """A container with one mount and without a network, which waits for commands."""

    def __init__(self, api: EngineApi, image: str, mount: Mapping[str, Any]) -> None:
        self.api, self._idle, self._lock = api, list[Shell](), threading.Lock()
        self.id = str(api.object("/containers/create", "Id", method="POST", body=_definition(image, mount))["Id"])

    def start(self) -> None:
        """Start it, unless it runs."""
        self.api.ask("POST", f"/containers/{self.id}/start")

    @contextlib.contextmanager
    def shell(self) -> Iterator[Shell]:
        """Yield a shell for commands, one after another. Others have their own meanwhile."""
        with self._lock:
            shell = self._idle.pop() if self._idle else Shell(self.api, self.id)
        try:
            yield shell
        except BaseException:
            shell.close()
            raise
        if shell.used_up:
            shell.close()
        else:
            self._idle.append(shell)

    def remove(self) -> None:
        """End what runs in it, finished or not, and remove it. Raises EngineSilent."""
        for one in self._idle:
            one.close()
        with contextlib.suppress(EngineRefused):
            self.api.ask("DELETE", f"/containers/{self.id}?force=1")


class Shell:
    """A shell in a container. A command gets so many bytes of input, or, the last one, all until it ends.

    used_up: it can take no other command.
    """

    def __init__(self, api: EngineApi, container: str) -> None:
        self.api, self.used_up = api, False
        self.exchange = api.run(container, ("/bin/sh", "-c", _LOOP))
        self.listener: threading.Thread | None = None

    def run(self, command: str, what: str) -> str:
        """Run a command to its end and return what it prints, without signs of life. Raises CommandFailed."""
        self.begin(command)
        text = b"".join(self.output())
        self.end(what)
        return text.lstrip(_SIGN).decode(errors="replace")

    def begin(self, command: str, size: int | None = 0) -> None:
        """Begin a command. size: of its input, which feed() brings; None: the input ends with ended()."""
        self.mark, self.code, self.used_up = secrets.token_hex(_MARK_BYTES).encode(), -1, True
        self.said, self.printed, self.heard = bytearray(), bytearray(), time.monotonic()
        self.last = size is None
        self.exchange.send(b"%s %s %s\n" % (self.mark, b"-" if size is None else b"%d" % size, command.encode()))
        if size != 0:
            # A program whose output is not read would stop at its hundredth complaint.
            self.listener = threading.Thread(target=self._listen, daemon=True)
            self.listener.start()

    def _listen(self) -> None:
        # What ends the exchange, feed() and end() meet as well.
        with contextlib.suppress(EngineSilent):
            for piece in self.output(forever=True):
                self.printed = (self.printed + piece)[-_OUTPUT_KEPT:]

    def output(self, *, forever: bool = False) -> Iterator[memoryview]:
        """Yield what the command prints, and keep the end of its error output. Raises EngineSilent where it does not end."""
        held, codes = {False: b"", True: b""}, list[int]()
        for wrong, piece in frames(self.exchange, forever=forever):
            self.heard = time.monotonic()
            some, held[wrong], code = _without_end(self.mark, memoryview(held[wrong] + piece) if held[wrong] else piece)
            if wrong:
                self.said = (self.said + bytes(some).lstrip(_SIGN))[-_OUTPUT_KEPT:]
            elif some:
                yield some
            codes += [] if code is None else [code]
            if len(codes) == len(held):
                self.code, self.used_up = codes[0], self.last
                return
        raise EngineSilent("it hung up")

    def feed(self, piece: bytes | bytearray | memoryview, what: str) -> None:
        """Give the command input. Raises CommandFailed where it has ended, with its reason."""
        try:
            self.exchange.send(piece)
        except EngineSilent:
            self.end(what)
            raise

    def fed(self, what: str) -> str:
        """End the input, wait for the command's end, and return what it has printed, without its signs of life."""
        if self.last:
            self.exchange.no_more()
        self.end(what)
        return self.printed.lstrip(_SIGN).decode(errors="replace")

    def end(self, what: str) -> None:
        """Wait for the command's end. Raises CommandFailed for any other than a good one."""
        patience = self.api.seconds * _PATIENCE
        while self.listener and self.listener.is_alive():
            self.listener.join(min(patience, 1.0))
            if time.monotonic() - self.heard > patience:
                raise EngineSilent(f"nothing came for {patience:g} s", slow=True)
        self.listener = None
        if self.code < 0:
            raise EngineSilent("it hung up")
        if self.code:
            raise _failure(what, self.said.decode(errors="replace"), self.code)

    def close(self) -> None:
        """End it, with what runs in it."""
        self.exchange.hang_up()
        if self.listener:
            self.listener.join()
        self.exchange.close()


def _without_end(mark: bytes, piece: memoryview) -> tuple[memoryview, bytes, int | None]:
    """Return what a command has printed, what may be the beginning of its end, and its code where all of that is there."""
    last, begin = bytes(piece[-_END_BYTES:]), b"\n%s " % mark
    if len(last) == _END_BYTES and last.startswith(begin):
        return piece[:-_END_BYTES], b"", int(last[len(begin) : -1])
    at = last.rfind(b"\n")
    if at >= 0 and begin.startswith(last[at : at + len(begin)]):
        return piece[: at - len(last)], last[at:], None
    return piece, b"", None


def _failure(what: str, said: str, code: int) -> CommandFailed:
    lines = [line.lstrip(".").removeprefix("/bin/") for line in said.strip().splitlines() if "previous errors" not in line]
    reason, remedy = (lines or [f"it ended with {code}"])[-1], "Run again: it continues where it ended."
    if any(sign in line for sign in _CHANGES for line in lines):
        return Changed(what, "it changes while it is read", "Stop what writes to it, and run again.", rc=code)
    if any(sign in line for sign in _FULL for line in lines):
        reason, remedy = "no space is left on the disk", "Free some disk space there, and run again."
    elif any(line.endswith(_TOO_LONG) for line in lines):
        reason, remedy = "a path in it is too long for tar", "Shorten the names of its directories, and run again."
    elif len(reason) > _REASON_KEPT:
        reason = f"{reason[: _REASON_KEPT // 2]}…{reason[-_REASON_KEPT // 2 :]}"
    return CommandFailed(what, reason, remedy, stderr="\n".join(lines), rc=code)


def run(image: HelperImage, what: str, command: Sequence[str], mounts: Sequence[Mapping[str, Any]]) -> str:
    """Run a program with one mount to its end and return what it prints. Raises CommandFailed."""
    with image.container(mounts[0]) as container, container.shell() as shell:
        return shell.run(shlex.join(command), what)


def sweep(image: HelperImage) -> None:
    """Remove the containers and images that helpers of a killed run have left in an engine, but for those of this run."""
    # All are asked for and looked at here: an engine that passes over a filter must not cost anybody an image.
    for container in filter(_ours, image.api.objects("/containers/json?all=1", "Id")):
        if container["Id"] not in image.containers:
            _remove(image.api, str(container["Id"]))
    for one in filter(_ours, image.api.objects("/images/json?all=1", "Id")):
        if one["Id"] == image.id:
            continue
        with contextlib.suppress(EngineRefused):
            image.api.ask("DELETE", f"/images/{one['Id']}?force=1")


def _remove(api: EngineApi, container: str) -> None:
    """Remove a container, unless it is gone already, or an earlier run removes it."""
    for _attempt in range(_ATTEMPTS):
        try:
            api.ask("DELETE", f"/containers/{container}?force=1")
            return
        except EngineRefused as refused:
            if refused.status == _NOT_FOUND:
                return
            if refused.status != _CONFLICT:
                raise
        time.sleep(_ATTEMPT_SECONDS)


def _ours(one: Mapping[str, Any]) -> bool:
    return (one.get("Labels") or {}).get(LABEL) == HELPER


def volume(name: str, mark: str, *, read_only: bool) -> dict[str, Any]:
    """Return a mount of a volume at /v. mark: a label for it, should the engine make it for the mount."""
    options = {"NoCopy": True, "Labels": {MADE: mark}}
    return {"Type": "volume", "Source": name, "Target": "/v", "ReadOnly": read_only, "VolumeOptions": options}


def directory(path: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return a mount of a directory of the engine's machine at /d."""
    return {"Type": "bind", "Source": path, "Target": _KEPT, "ReadOnly": read_only}


def data(path: str) -> dict[str, Any]:
    """Return a mount of a directory of the engine's machine at /v, which is only read."""
    return {"Type": "bind", "Source": path, "Target": "/v", "ReadOnly": True}


def _definition(image: str, mount: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Image": image,
        "Entrypoint": list(_WAIT[:1]),
        "Cmd": list(_WAIT[1:]),
        "User": "0:0",
        "Env": ["LC_ALL=C", "PATH=/bin"],
        "Labels": {LABEL: HELPER},
        "NetworkDisabled": True,
        "OpenStdin": True,
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(_RIGHTS),
            "LogConfig": {"Type": "none"},
            "Mounts": [mount],
        },
    }
