# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving in, compared with what a person would type: `docker save | docker load`, and tar in a container on both sides."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.manifest.file import ManifestFile
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint, Kind, Resource, Row, Status
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.helper import PACK

from bench.measure import Row as Measured
from bench.measure import compare
from tests.support.migration.engines import Engines, docker, place_of, two_engines, wipe
from tests.support.migration.made_images import Layer, archive
from tests.support.migration.trees import many_files, sparse_file

MIB = 1 << 20
IMAGES = [f"app:{number}" for number in range(12)]
VOLUMES = [f"volume-{number}" for number in range(10)]
EMPTY = [f"empty-{number}" for number in range(200)]
LARGE_BYTES, FILES, NOTES = 1 << 30, 100_000, 400
# At least 0.9 of the other's speed, although copies are read again and compared.
NEARLY_AS_FAST = 1.11
# One volume: the source is read twice and the target once, where the other reads once.
TWICE, HALF_AS_LONG_AGAIN = 2.0, 1.5
PAIRS = 3


def rows() -> list[Measured]:
    """Fill one engine, and move to another one again and again."""
    # Notes of what was copied belong to the home of this run.
    with two_engines() as engines, TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", home)
        _fill(engines)

        def empty() -> None:
            wipe(engines.target)
            # The other way needs tar at the target as well.
            _tools(engines.target.host)

        def with_base() -> None:
            empty()
            _piped(f"docker -H {engines.source.host} save app:0 | docker -H {engines.target.host} load")

        def move_images() -> None:
            engines.move(images=["app:*"], volumes=[])

        def save_and_load() -> None:
            _piped(f"docker -H {engines.source.host} save {' '.join(IMAGES)} | docker -H {engines.target.host} load")

        def volumes(*names: str) -> Callable[[], object]:
            return lambda: engines.move(images=[], volumes=list(names))

        def tar_and_tar(*names: str) -> Callable[[], None]:
            def copy() -> None:
                for name in names:
                    _tar(engines, name)

            return copy

        def pair(name: str, goal: float, ours: Callable[[], object], other: Callable[[], object]) -> Measured:
            return compare(name, goal, ours, other, before=empty, pairs=PAIRS)

        return [
            compare("images / docker save | docker load", NEARLY_AS_FAST, move_images, save_and_load, before=empty, pairs=PAIRS),
            # The source packs all layers whatever the target has, so there is little to win.
            compare(
                "images, 80 % of them there / the same", NEARLY_AS_FAST, move_images, save_and_load, before=with_base, pairs=PAIRS
            ),
            pair("10 volumes / tar | tar in containers", NEARLY_AS_FAST, volumes("volume-*"), tar_and_tar(*VOLUMES)),
            pair("1 GiB that does not compress / tar | tar in containers", TWICE, volumes("large"), tar_and_tar("large")),
            pair("100,000 files / tar | tar in containers", HALF_AS_LONG_AGAIN, volumes("files"), tar_and_tar("files")),
            pair("200 empty volumes / 20 of them by tar | tar", 1.0, volumes("empty-*"), tar_and_tar(*EMPTY[:20])),
            compare("400 images noted / 400 lines synced", TWICE, _noted(Path(home)), _synced(Path(home)), pairs=PAIRS),
        ]


def _fill(engines: Engines) -> None:
    for number, name in enumerate(IMAGES):
        layers = [Layer(1, 40 * MIB), Layer(2, 40 * MIB), Layer(3, 40 * MIB), Layer(10 + number, 3 * MIB)]
        docker(engines.source, "load", data=archive([name], layers))
    _tools(engines.source.host)
    for number, name in enumerate(VOLUMES):
        docker(engines.source, "volume", "create", name)
        place = place_of(engines.source, name)
        many_files(place, 500)
        (place / "data").write_bytes(random.Random(number).randbytes(30 * MIB))  # noqa: S311 - not for secrets
        sparse_file(place / "sparse", 64 * MIB, 0, 32 * MIB)
    for name in ("large", "files", *EMPTY):
        docker(engines.source, "volume", "create", name)
    with (place_of(engines.source, "large") / "data").open("wb") as file:
        for _ in range(LARGE_BYTES // MIB):
            file.write(os.urandom(MIB))
    many_files(place_of(engines.source, "files"), FILES)


def _noted(place: Path) -> Callable[[], None]:
    """Return what notes images one by one, as moves of single images do."""

    def note() -> None:
        manifest = ManifestFile("a source", "a target")
        manifest.path = place / "state" / manifest.path.name
        manifest.path.unlink(missing_ok=True)
        for number in range(NOTES):
            reading = Fingerprint(hashlib.sha256(b"%d" % number).hexdigest())
            manifest.append(Row(Resource(Kind.IMAGE, f"registry.example/app:{number}"), Status.MOVED, reading, reading))

    return note


def _synced(place: Path) -> Callable[[], None]:
    """Return what appends as many lines of that size to a file, and syncs each."""

    def write() -> None:
        with (place / "lines").open("wb") as file:
            for _ in range(NOTES):
                file.write(b"x" * 300 + b"\n")
                file.flush()
                os.fsync(file.fileno())

    return write


def _tools(host: str) -> None:
    _piped(f'sh -c "$0" | base64 --decode | docker -H {host} import - tools:1', PACK)


def _tar(engines: Engines, name: str) -> None:
    """Copy a volume, with what tar keeps on request."""
    docker(engines.target, "volume", "create", name)
    run = f"run --interactive --rm --net none --log-driver none --volume {name}:/v --entrypoint /bin/tar tools:1"
    kept = "--directory /v --xattrs --acls --numeric-owner --sparse"
    reader = f"docker -H {engines.source.host} {run} --create {kept} ."
    _piped(f"{reader} | docker -H {engines.target.host} {run} --extract --same-owner {kept}")


def _piped(command: str, argument: str = "") -> None:
    shell = ["bash", "-c", f"set -o pipefail; {command}", argument]
    subprocess.run(shell, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
