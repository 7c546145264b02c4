# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM itself does in a move: packs and unpacks volumes, and loads images into its containerd. Decides nothing."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from ...colima.client.programs import Colima
from ...colima_paths import Name
from ...core.errors import CommandFailed, NotVerified
from ...core.plan import in_number
from ..inventory import image_of
from ..model import Image, same
from ..transfer.contents import Contents, contents_in
from ..transfer.piped import Piped
from ..transfer.volumes import READ, WRITE
from . import archive
from .model import Claim, SavedClaim

_READ = " ".join('--directory="$1"' if word == "--directory=/v" else word for word in READ)
_WRITE = " ".join('--directory="$2"' if word == "--directory=/v" else word for word in WRITE)
_SIZE = 'for path; do du --apparent-size --block-size=1 --summarize "$path" | cut -f 1; done'
_EXISTS = 'for path; do [ -e "$path" ] && echo yes || echo no; done'
# Of an earlier run that was killed, tar may still be at work: without its directory it can make nothing.
_FILL = 'set -e; mkdir -p "${1%/*}"; for old in "$1".moving-*; do [ ! -e "$old" ] || rm -rf "$old" || rm -rf "$old"; done; '
_FILL += f'mkdir "$2"; exec {_WRITE}'
_PLACE = 'mv --no-target-directory "$2" "$1"'
_LONG_SECONDS = 900.0
_FULL_BYTES = 1 << 20
_FREE = "Free some disk space, and run again."


class Inside:
    """The inside of one running profile."""

    def __init__(self, colima: Colima, name: Name) -> None:
        self.colima, self.name = colima, name

    def _argv(self, script: str, *paths: str) -> tuple[str, ...]:
        return "ssh", "--profile", self.name.name, "--", "sudo", "sh", "-c", script, "sh", *paths

    def _lines(self, script: str, paths: Sequence[str]) -> list[str]:
        return self.colima.cli.run(*self._argv(script, *paths), timeout=_LONG_SECONDS).stdout.split() if paths else []

    def sizes(self, paths: Sequence[str]) -> list[int]:
        """Return how many bytes directories hold, holes included."""
        return [int(one) for one in self._lines(_SIZE, paths)]

    def existing(self, paths: Sequence[str]) -> list[str]:
        """Return those directories that are there."""
        return [path for path, said in zip(paths, self._lines(_EXISTS, paths), strict=True) if said == "yes"]

    def save(self, claim: Claim, place: Path, watch: Callable[[Path], Callable[[], object]]) -> None:
        """Write the data of a volume into its file. watch: gets the file, and is called meanwhile."""
        doing, file = f"save volume '{claim.claim}'", archive.volume_file(claim)
        with archive.written(place, file) as part:
            self._transfer(doing, self._argv(f"exec {_READ}", claim.path), target=part, watch=watch(part))
            found = _contents(part, doing)
            saved = SavedClaim(file, claim, found.digest, part.stat().st_size, archive.digest(part))
            archive.note(place, saved)

    def fill(
        self, claim: str, path: str, source: Path | IO[bytes], expected: Callable[[], str], watch: Callable[[], object]
    ) -> None:
        """Give a volume its data: beside its directory, compared with what was sent, and then in its place at once.

        expected: returns the digest of the contents, once all was sent.
        """
        doing, beside = f"fill volume '{claim}'", f"{path}.moving-{secrets.token_hex(4)}"
        self._transfer(doing, self._argv(_FILL, path, beside), source=source, watch=watch)
        if self.contents(beside, doing, watch).digest != expected():
            reason = "what arrived is not what was sent"
            raise NotVerified(f"verify volume '{claim}'", reason, "Run again: it is filled again.")
        self._lines(_PLACE, (path, beside))

    def contents(self, path: str, doing: str, watch: Callable[[], object]) -> Contents:
        """Return what is in a directory, reading all of it."""
        with Piped(lambda file: contents_in(archive.pieces(file), doing), reads=True) as pipe:
            with pipe.program() as target:
                self._transfer(doing, self._argv(f"exec {_READ}", path), target=target, watch=watch)
            return pipe.result()

    def load(self, namespace: str, images: Sequence[Image], source: Path | IO[bytes], watch: Callable[[], object]) -> None:
        """Load an archive of images, and look at them. Raises NotVerified."""
        doing = f"load {in_number(len(images), 'image')}"
        words = ("ssh", "--profile", self.name.name, "--", "sudo", "nerdctl", "--namespace", namespace, "load")
        self._transfer(doing, words, source=source, watch=watch)
        missing = self.missing(namespace, images)
        if missing:
            reason = f"'{missing[0]}' is not what was sent"
            raise NotVerified(f"verify {in_number(len(images), 'image')}", reason, "Run again: they are loaded again.")

    def missing(self, namespace: str, images: Sequence[Image]) -> list[str]:
        """Return the names of images that the VM does not have, or that are other images there."""
        names = [name for one in images for name in one.tags]
        there = list(self._images(namespace, names)) if names else []
        return [
            name for image in images for name in image.tags if not any(same(image, one) and name in one.tags for one in there)
        ]

    def _images(self, namespace: str, names: Sequence[str]) -> Iterator[Image]:
        words = ("sudo", "nerdctl", "--namespace", namespace, "image", "inspect", *names)
        # Names that it does not have make it fail, after it has listed the others.
        output = self.colima.cli.run("ssh", "--profile", self.name.name, "--", *words, check=False, timeout=_LONG_SECONDS)
        try:
            found = json.loads(output.stdout or "[]")
        except ValueError as error:
            remedy = f"Look at what 'colima nerdctl --profile {self.name} -- images' says, and run again."
            raise CommandFailed(f"look at the images of profile '{self.name}'", "nerdctl's answer is not JSON", remedy) from error
        for one in found:
            yield image_of(one)

    def _transfer(
        self,
        doing: str,
        argv: Sequence[str],
        watch: Callable[[], object],
        source: Path | IO[bytes] | None = None,
        target: Path | IO[bytes] | None = None,
    ) -> None:
        try:
            self.colima.cli.transfer(*argv, source=source, target=target, watch=watch)
        except CommandFailed as error:
            if isinstance(target, Path) and shutil.disk_usage(target.parent).free < _FULL_BYTES:
                raise CommandFailed(doing, f"the disk of '{target.parent}' is full", _FREE, **error.context) from error
            said = str(error.context.get("stderr", ""))
            full = "no space left on device" in said.lower()
            remedy = "Enlarge the profile's disk, and run again." if full else "Run again: it continues from what is there."
            lines = [line for line in said.splitlines() if line.strip() and "level=fatal" not in line]
            reason = lines[-1].strip() if lines else error.reason
            raise CommandFailed(doing, f"in the VM of profile '{self.name}': {reason}", remedy, **error.context) from error


def _contents(path: Path, doing: str) -> Contents:
    """Return what is in an archive of a volume, reading all of it. Raises CommandFailed for half of one."""
    with path.open("rb") as file:
        return contents_in(archive.pieces(file), doing)
