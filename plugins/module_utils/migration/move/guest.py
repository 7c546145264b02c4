# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM itself does in a move: packs and unpacks volumes, and loads images into its containerd. Decides nothing."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ...colima.client.programs import Colima
from ...colima_paths import Name
from ...core.errors import CommandFailed, NotVerified
from ...core.plan import in_number
from ...core.system.logfmt import final_message
from ...manifest.model import Fingerprint
from ..inventory import image_of
from ..model import Image, same
from ..transfer.contents import Contents, contents_in
from ..transfer.piped import Piped
from ..transfer.volumes import LEFT_OUT, READ, WRITE, lines_of
from . import archive
from .model import Claim, Held, SavedClaim, SavedImages

_READ = " ".join('--directory="$1"' if word == "--directory=/v" else word for word in READ)
_WRITE = " ".join('--directory="$2"' if word == "--directory=/v" else word for word in WRITE)
_SIZE = 'for path; do size=$(du --apparent-size --block-size=1 --summarize "$path" | cut -f 1); echo "${size:-0}"; done'
_EXISTS = 'for path; do [ -e "$path" ] && echo yes || echo no; done'
# Only a directory is a volume; anything else is left alone.
_LOOK = 'for path; do if [ -d "$path" ]; then [ -z "$(ls -A "$path")" ] && printf empty-; stat --format=%i.%W "$path"; '
_LOOK += 'elif [ -e "$path" ] || [ -L "$path" ]; then echo other; else echo absent; fi; done'
_EMPTY, _OTHER, _ABSENT = "empty-", "other", "absent"
# The tar of a killed run may still run: without its directory it can make nothing.
_FILL = 'set -e; mkdir -p "${1%/*}"; for old in "$1".laptop.containers.moving-*; do '
_FILL += '[ ! -e "$old" ] || rm -rf "$old" || rm -rf "$old"; done; '
_FILL += f'mkdir "$2"; exec {_WRITE}'
_PLACE = 'mv --no-target-directory "$2" "$1" && stat --format=%i.%W "$1"'
_LONG_SECONDS = 900.0
# What lists the images that have a name.
_IMAGES, _NAME = ("images", "--filter", "dangling=false", "--format"), "{{.Repository}}:{{.Tag}}"
# No file can have it in its name.
_END_OF_ONE = "\0"
_LEFT_OUT = f'for path; do ( cd "$path" && {LEFT_OUT} ); printf "\\0"; done'
_FULL_BYTES = 1 << 20
# How nerdctl and colima log why they end, and what colima says of any program that fails.
_FREE = "Free some disk space, and run again."


class Inside:
    """The inside of one running profile. seconds: for which nerdctl may think about a question."""

    def __init__(self, colima: Colima, name: Name, seconds: float = _LONG_SECONDS) -> None:
        self.colima, self.name, self.seconds = colima, name, seconds

    def _argv(self, script: str, *paths: str) -> tuple[str, ...]:
        return "ssh", "--profile", self.name.name, "--", "sudo", "sh", "-c", script, "sh", *paths

    def _lines(self, script: str, paths: Sequence[str]) -> list[str]:
        """Return one word for each path. Raises CommandFailed, also for an answer that lacks some."""
        found = self.colima.cli.run(*self._argv(script, *paths), timeout=_LONG_SECONDS).stdout.split() if paths else []
        if len(found) != len(paths):
            raise CommandFailed(f"look into profile '{self.name}'", "its answer is not complete", "Run again.")
        return found

    def sizes(self, paths: Sequence[str]) -> list[int]:
        """Return how many bytes directories hold, holes included; 0 for a missing one."""
        return [int(one) for one in self._lines(_SIZE, paths)]

    def existing(self, paths: Sequence[str]) -> list[str]:
        """Return those directories that are there."""
        return [path for path, said in zip(paths, self._lines(_EXISTS, paths), strict=True) if said == "yes"]

    def found(self, paths: Sequence[str]) -> dict[str, Held]:
        """Return the existing ones of these directories, without digests."""
        said = zip(paths, self._lines(_LOOK, paths), strict=True)
        held = {path: Held(Fingerprint("", one.removeprefix(_EMPTY)), one.startswith(_EMPTY)) for path, one in said}
        return {path: one for path, one in held.items() if one.reading.identity != _ABSENT}

    def left_out(self, paths: Sequence[str]) -> list[tuple[str, ...]]:
        """Return what of each directory no archive carries, in words; of many things the first."""
        said = self.colima.cli.run(*self._argv(_LEFT_OUT, *paths), timeout=_LONG_SECONDS).stdout if paths else ""
        return [lines_of(part) for part in said.split(_END_OF_ONE)[: len(paths)]]

    def readings(self, volumes: Mapping[str, str], watch: Callable[[], object]) -> dict[str, Held]:
        """Return what volumes hold now, by their claims. volumes: the directory of each."""
        found = self.found(list(volumes.values()))

        def read(claim: str, there: Held, path: str) -> Held:
            if there.reading.identity == _OTHER:
                return there
            digest = self.contents(path, f"read volume '{claim}'", watch).digest
            return replace(there, reading=replace(there.reading, digest=digest))

        return {one: read(one, found[path], path) for one, path in volumes.items() if path in found}

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
    ) -> str:
        """Give a volume its data: beside its directory, compared with what was sent, and then in its place at once.

        expected: returns the digest of the contents, once all was sent. Returns what tells the directory from others.
        """
        doing, beside = f"fill volume '{claim}'", f"{path}.laptop.containers.moving-{secrets.token_hex(4)}"
        self._transfer(doing, self._argv(_FILL, path, beside), source=source, watch=watch)
        if self.contents(beside, doing, watch).digest != expected():
            reason = "what arrived is not what was sent"
            raise NotVerified(f"verify volume '{claim}'", reason, "Run again: it is filled again.")
        return self.colima.cli.run(*self._argv(_PLACE, path, beside), timeout=_LONG_SECONDS).stdout.strip()

    def contents(
        self, path: str, doing: str, watch: Callable[[], object], on_bytes: Callable[[int], object] = lambda _: None
    ) -> Contents:
        """Return what is in a directory, reading all of it."""

        def pieces(file: IO[bytes]) -> Iterator[bytes]:
            for piece in archive.pieces(file):
                on_bytes(len(piece))
                yield piece

        with Piped(lambda file: contents_in(pieces(file), doing), reads=True) as pipe:
            with pipe.program() as target:
                self.read(path, doing, target, watch)
            return pipe.result()

    def read(self, path: str, doing: str, target: IO[bytes], watch: Callable[[], object]) -> None:
        """Write the archive of a directory."""
        self._transfer(doing, self._argv(f"exec {_READ}", path), target=target, watch=watch)

    def pack(self, namespace: str, words: Sequence[str], doing: str, target: IO[bytes], watch: Callable[[], object]) -> None:
        """Write the archive of images. words: their names, behind options of "nerdctl save"."""
        self._transfer(doing, self._nerdctl(namespace, "save", *words), target=target, watch=watch)

    def load(self, namespace: str, images: Sequence[Image], source: Path | IO[bytes], watch: Callable[[], object]) -> None:
        """Load an archive of images, and look at them. Raises NotVerified."""
        doing = f"load {in_number(len(images), 'image')}"
        self._transfer(doing, self._nerdctl(namespace, "load"), source=source, watch=watch)
        missing = self.missing(namespace, images)
        if missing:
            reason = f"'{missing[0]}' is not what was sent"
            raise NotVerified(f"verify {in_number(len(images), 'image')}", reason, "Run again: they are loaded again.")

    def missing(self, namespace: str, images: Sequence[Image]) -> list[str]:
        """Return the names of images that the VM does not have, or that are other images there."""
        names = {name for one in images for name in one.tags}
        there = self.images(namespace, names) if names else []
        return [
            name for image in images for name in image.tags if not any(same(image, one) and name in one.tags for one in there)
        ]

    def complete(self, saved: Iterable[SavedImages]) -> frozenset[str]:
        """Return the files of which the VM has every image. Each namespace is asked once, whatever the number of files."""
        files = dict[str, list[SavedImages]]()
        for one in saved:
            files.setdefault(one.namespace, []).append(one)
        there = list[str]()
        for namespace, some in files.items():
            missing = set(self.missing(namespace, [image for one in some for image in one.images]))
            there += [one.file for one in some if missing.isdisjoint(tag for image in one.images for tag in image.tags)]
        return frozenset(there)

    def images(self, namespace: str, only: Collection[str] | None = None) -> list[Image]:
        """Return one image for each name. only: those names alone, as far as they are there. Raises CommandFailed."""

        def names() -> list[str]:
            return [name for name in self.listed(namespace, *_IMAGES, _NAME) if only is None or name in only]

        return [_image(one) for one in self.inspected(namespace, "image", names)]

    def foreign(self, namespace: str, names: Collection[str]) -> list[Image]:
        """Return images of other platforms than the VM's, one for each name. Raises CommandFailed."""
        lines = self.listed(namespace, *_IMAGES, f"{_NAME}@{{{{.Platform}}}}")
        platforms = {name: platform for name, _at, platform in (line.partition("@") for line in lines) if name in names}
        found = list[Image]()
        for platform in sorted(set(platforms.values())):
            some = [name for name in platforms if platforms[name] == platform]
            found += map(_image, self.told(namespace, "image", "inspect", "--platform", platform, *some) or ())
        return found

    def listed(self, namespace: str, *words: str) -> list[str]:
        """Return the words that nerdctl prints, each once. Raises CommandFailed."""
        return sorted(set(self.nerdctl(namespace, *words).split()))

    def inspected(self, namespace: str, kind: str, names: Callable[[], Sequence[str]]) -> list[dict[str, Any]]:
        """Return what nerdctl tells of things of one kind ("image"), as docker does. names: lists them. Raises CommandFailed."""
        asked = names()
        while asked:
            try:
                found: list[dict[str, Any]] = self.told(namespace, kind, "inspect", *asked)
                return found or []
            except CommandFailed:
                # Where one was removed a moment ago, nerdctl fails, and may tell nothing of the others.
                if asked == (asked := names()):
                    raise
        return []

    def nerdctl(self, namespace: str, *words: str) -> str:
        """Return what nerdctl prints. Raises CommandFailed."""
        try:
            return self.colima.cli.run(*self._nerdctl(namespace, *words), timeout=self.seconds).stdout
        except CommandFailed as error:
            raise self._unclear(words, _reason(error), **error.context) from error

    def _unclear(self, words: Sequence[str], reason: str, **context: Any) -> CommandFailed:
        remedy = f"Look at what 'colima nerdctl --profile {self.name} -- {words[0]}' says, and run again."
        return CommandFailed(f"look into profile '{self.name}'", reason, remedy, **context)

    def told(self, namespace: str, *words: str) -> Any:
        """Return what nerdctl prints as JSON; None for nothing. Raises CommandFailed."""
        text = self.nerdctl(namespace, *words)
        try:
            return json.loads(text) if text.strip() else None
        except ValueError as error:
            raise self._unclear(words, "nerdctl's answer is not JSON") from error

    def _nerdctl(self, namespace: str, *words: str) -> tuple[str, ...]:
        return "ssh", "--profile", self.name.name, "--", "sudo", "nerdctl", "--namespace", namespace, *words

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
            remedy = "Enlarge the profile's disk, and run again." if full else "Run again: it continues where it ended."
            raise CommandFailed(
                doing, f"in the VM of profile '{self.name}': {_reason(error)}", remedy, **error.context
            ) from error


def _image(told: Mapping[str, Any]) -> Image:
    """Return the image under the name that was asked for, which comes first: others nerdctl may make up, such as ":latest"."""
    return replace(image_of({**told, "RepoTags": (told.get("RepoTags") or ())[:1]}), more=None)


def _reason(error: CommandFailed) -> str:
    return final_message(str(error.context.get("stderr", ""))) or error.reason


def _contents(path: Path, doing: str) -> Contents:
    """Return what is in an archive of a volume, reading all of it. Raises CommandFailed for half of one."""
    with path.open("rb") as file:
        return contents_in(archive.pieces(file), doing)
