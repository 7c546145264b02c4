# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of images on their way: what passes, what is left out, and what is noticed."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import EngineSilent
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.image_stream import Passed, pass_on

ONE, TWO = "1" * 64, "2" * 64
LIST = json.dumps([{"Config": "blobs/sha256/c", "RepoTags": ["a:1"], "Layers": [f"blobs/sha256/{ONE}", f"blobs/sha256/{TWO}"]}])
FILES = {f"blobs/sha256/{ONE}": b"x" * 5000, f"blobs/sha256/{TWO}": b"y" * 700, "manifest.json": LIST.encode()}


def archive(files: dict[str, bytes], **more: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **more) as made:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def passed(data: bytes, *known: str, at_most: int = 1 << 20) -> tuple[dict[str, bytes], Passed]:
    source, into = io.BytesIO(data), io.BytesIO()
    result = pass_on(lambda size: source.read(min(size, at_most)), into.write, known, lambda _: None)
    assert source.read() == b""
    with tarfile.open(fileobj=io.BytesIO(into.getvalue())) as opened:
        return {entry.name: opened.extractfile(entry).read() for entry in opened}, result  # type: ignore[union-attr]


@pytest.mark.parametrize("at_most", [1, 511, 513, 1 << 20])
def test_what_is_not_known_passes_as_it_is(at_most: int) -> None:
    files, result = passed(archive(FILES), at_most=at_most)
    assert files == FILES
    assert result.layers == {"a:1": (f"sha256:{ONE}", f"sha256:{TWO}")}
    assert result.left_out == 0


def test_a_known_blob_is_left_out() -> None:
    files, result = passed(archive(FILES), f"sha256:{ONE}", "sha256:unrelated")
    assert files == {name: data for name, data in FILES.items() if ONE not in name}
    assert (result.left_out, result.sent) == (5120, 1024 + 512)


def test_a_name_that_needs_a_header_of_its_own_passes() -> None:
    long = {f"{'d' * 90}/{'e' * 90}": b"data", **FILES}
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert passed(archive(long, format=form), f"sha256:{TWO}")[0].keys() == long.keys() - {f"blobs/sha256/{TWO}"}


def test_an_archive_that_ends_early_is_noticed_wherever_it_ends() -> None:
    whole = archive(FILES)
    end = whole.rstrip(b"\0")
    for length in (0, 511, 512, 600, len(end) - 1, -(-len(end) // 512) * 512):
        with pytest.raises(EngineSilent, match="hung up in the middle"):
            passed(whole[:length])


def test_what_is_no_archive_is_noticed() -> None:
    with pytest.raises(EngineSilent, match="not an archive"):
        passed(b"!" * 2048)
