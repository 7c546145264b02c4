# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that read and write volumes: GNU tar and its like, in an image of a few files that needs no registry.

An engine's own archive interface loses extended attributes, holes, and who owns a volume's top directory. So the programs come
from the target's VM (on Linux without one, from the laptop), and both engines get them as an image that is removed at the end.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ...core.errors import CommandFailed
from ...docker.engine import Silent
from ...docker.frames import frames
from ...docker.stream import Api, Exchange, Refused
from ..model import LABEL

HELPER = "helper"
# Reads every file, gives files to anybody, makes devices, and keeps capabilities of files and attributes of overlay file systems.
_RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP", "SYS_ADMIN")
# Prints the programs and the libraries that they load, as an archive in base64, whose lines every terminal passes on.
PACK = (
    "set -e; programs='/bin/sh /bin/tar /bin/mv /bin/b2sum /bin/du'; "
    "{ printf '%s\\n' $programs; ldd $programs | sed -n 's,^[^/]*\\(/[^ :]*\\) (.*,\\1,p'; } | sort -u | "
    "sed 's,^/,,' | tar --create --directory=/ --dereference --files-from=- | base64"
)
_OUTPUT_KEPT = 4096
# tar reads and writes so many blocks of 512 bytes at once, as many as a pipe holds.
BLOCKS = 128
# It prints a dot now and then, after 16 MiB, so that its silence means something.
SIGNS_OF_LIFE = ("--checkpoint=256", "--checkpoint-action=dot")
_SIGN = b"."
# A file system may need so many times the patience to write what it has taken.
_PATIENCE = 15
_NOT_FOUND, _CONFLICT = 404, 409
_ATTEMPTS, _ATTEMPT_SECONDS = 100, 0.2


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
    """The image in one engine, made when it is first needed."""

    def __init__(self, api: Api, programs: Programs) -> None:
        self.api, self.programs, self.id = api, programs, ""
        self.lock = threading.Lock()

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
                raise Refused(0, reason)
            self.id = str(found[-1])
        return self.id

    def remove(self) -> None:
        """Remove the image, if it was made. A run that follows removes what stays."""
        if self.id:
            with contextlib.suppress(Silent, Refused):
                self.api.ask("DELETE", f"/images/{self.id}?force=1")


class Helper:
    """One container with volumes or directories, which runs one program without a network."""

    def __init__(
        self, image: HelperImage, command: Sequence[str], mounts: Sequence[Mapping[str, Any]], *, stdin: bool = False
    ) -> None:
        self.api, self.stdin = image.api, stdin
        body = _definition(image.make(), command, mounts, stdin)
        self.id = str(self.api.object("/containers/create", "Id", method="POST", body=body)["Id"])
        self.said, self.printed, self.heard = bytearray(), bytearray(), time.monotonic()
        self.exchange: Exchange | None = None
        self.listener: threading.Thread | None = None

    def start(self) -> None:
        """Start the program; it gets input with feed(), or is listened to with output()."""
        self.exchange = self.api.attach(self.id, stdin=self.stdin)
        self.api.ask("POST", f"/containers/{self.id}/start")
        if self.stdin:
            # A program whose output is not read would stop at its hundredth complaint.
            self.listener = threading.Thread(target=self._listen, daemon=True)
            self.listener.start()

    def _listen(self) -> None:
        # What ends the exchange, feed() and end() meet as well.
        with contextlib.suppress(Silent):
            for piece in self.output(forever=True):
                self.printed = (self.printed + piece)[-_OUTPUT_KEPT:]

    def output(self, *, forever: bool = False) -> Iterator[memoryview]:
        """Yield what the program prints, and keep the end of its error output."""
        for wrong, piece in frames(self.exchange, forever=forever) if self.exchange else ():
            self.heard = time.monotonic()
            if wrong:
                self.said = (self.said + bytes(piece).lstrip(_SIGN))[-_OUTPUT_KEPT:]
            else:
                yield piece

    def feed(self, piece: bytes | memoryview, what: str) -> None:
        """Give the program input. Raises CommandFailed where it has ended, with its reason."""
        try:
            if self.exchange:
                self.exchange.send(piece)
        except Silent:
            self.end(what)
            raise

    def fed(self, what: str) -> str:
        """End the input, wait for the program's end, and return what it has printed, without its signs of life."""
        if self.exchange:
            self.exchange.no_more()
        self.end(what)
        return self.printed.lstrip(_SIGN).decode(errors="replace")

    def end(self, what: str) -> None:
        """Wait for the program's end. Raises CommandFailed for any other than a good one."""
        patience = self.api.seconds * _PATIENCE
        while self.listener and self.listener.is_alive():
            self.listener.join(min(patience, 1.0))
            if time.monotonic() - self.heard > patience:
                raise Silent(f"nothing came for {patience:g} s", slow=True)
        ended = self.api.object(f"/containers/{self.id}/wait", "StatusCode", method="POST", seconds=patience)
        code = int(ended["StatusCode"])
        if code:
            lines = self.said.decode(errors="replace").strip().splitlines()
            said = [line.lstrip(".").removeprefix("/bin/") for line in lines if "previous errors" not in line]
            full = any("No space left on device" in line for line in lines)
            remedy = "Free some disk space there, and run again." if full else "Run again: it continues from what is there."
            raise CommandFailed(what, (said or [f"it ended with {code}"])[-1], remedy, stderr="\n".join(lines), rc=code)

    def close(self) -> None:
        """End the program, finished or not, and remove its container."""
        if self.exchange:
            self.exchange.hang_up()
            if self.listener:
                self.listener.join()
            self.exchange.close()
        # A run that follows removes what stays.
        with contextlib.suppress(Silent, Refused):
            self.api.ask("DELETE", f"/containers/{self.id}?force=1")


def run(image: HelperImage, what: str, command: Sequence[str], mounts: Sequence[Mapping[str, Any]]) -> str:
    """Run a program to its end and return what it prints. Raises CommandFailed."""
    with contextlib.closing(Helper(image, command, mounts)) as helper:
        helper.start()
        text = b"".join(helper.output()).decode(errors="replace")
        helper.end(what)
    return text


def sweep(api: Api, but: str = "") -> None:
    """Remove the containers and images that helpers of a killed run have left, but for the image of this run."""
    # All are asked for and looked at here: an engine that passes over a filter must not cost anybody an image.
    for container in filter(_ours, api.objects("/containers/json?all=1", "Id")):
        _remove(api, str(container["Id"]))
    for image in filter(_ours, api.objects("/images/json?all=1", "Id")):
        if image["Id"] == but:
            continue
        with contextlib.suppress(Refused):
            api.ask("DELETE", f"/images/{image['Id']}?force=1")


def _remove(api: Api, container: str) -> None:
    """Remove a container; one that is gone already, or that an earlier run is removing, is fine."""
    for _attempt in range(_ATTEMPTS):
        try:
            api.ask("DELETE", f"/containers/{container}?force=1")
            return
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                return
            if refused.status != _CONFLICT:
                raise
        time.sleep(_ATTEMPT_SECONDS)


def _ours(one: Mapping[str, Any]) -> bool:
    return (one.get("Labels") or {}).get(LABEL) == HELPER


def volume(name: str, *, read_only: bool) -> dict[str, Any]:
    """Return a mount of a volume at /v, where nothing of the image is copied into it."""
    return {"Type": "volume", "Source": name, "Target": "/v", "ReadOnly": read_only, "VolumeOptions": {"NoCopy": True}}


def directory(path: str) -> dict[str, Any]:
    """Return a mount of a directory of the engine's machine at /d."""
    return {"Type": "bind", "Source": path, "Target": "/d"}


def data(path: str) -> dict[str, Any]:
    """Return a mount of a directory of the engine's machine at /v, which is only read."""
    return {"Type": "bind", "Source": path, "Target": "/v", "ReadOnly": True}


def _definition(image: str, command: Sequence[str], mounts: Sequence[Mapping[str, Any]], stdin: bool) -> dict[str, Any]:
    return {
        "Image": image,
        "Entrypoint": list(command[:1]),
        "Cmd": list(command[1:]),
        "User": "0:0",
        "Env": ["LC_ALL=C", "PATH=/bin"],
        "Labels": {LABEL: HELPER},
        "NetworkDisabled": True,
        "OpenStdin": stdin,
        "StdinOnce": stdin,
        "AttachStdin": stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(_RIGHTS),
            "LogConfig": {"Type": "none"},
            "Mounts": list(mounts),
        },
    }
