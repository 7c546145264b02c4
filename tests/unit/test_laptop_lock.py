# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock in the collection: every package, and of its files those that a laptop installs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.laptop_lock import unused, without

ROOT = Path(__file__).resolve().parents[2]
LOCK = "six==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nyaml==2 ; x \\\n    --hash=sha256:cc\n"


@pytest.mark.parametrize(
    ("file", "stays"),
    [
        ("six-1.tar.gz", True),
        ("six-1-py2.py3-none-any.whl", True),
        ("six-1-cp311-cp311-macosx_11_0_arm64.whl", True),
        ("six-1-cp39-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl", True),
        ("six-1-cp314-cp314t-manylinux_2_28_x86_64.whl", True),
        ("six-1-cp310-cp310-macosx_11_0_arm64.whl", False),
        ("six-1-cp313-cp313-musllinux_1_2_x86_64.whl", False),
        ("six-1-cp313-cp313-manylinux_2_31_riscv64.manylinux_2_39_riscv64.whl", False),
        ("six-1-cp313-cp313-win_amd64.whl", False),
        ("six-1-pp311-pypy311_pp73-macosx_11_0_arm64.whl", False),
    ],
)
def test_files_that_laptops_install_stay(file: str, stays: bool) -> None:
    pylock = {"packages": [{"wheels": [{"url": f"https://x/y/{file}", "hashes": {"sha256": "aa"}}]}, {}]}
    assert unused(pylock) == (set() if stays else {"aa"})
    assert ("sha256:aa" in without(LOCK, unused(pylock))) == stays
    assert without(LOCK, {"aa"}) == "six==1 \\\n    --hash=sha256:bb\nyaml==2 ; x \\\n    --hash=sha256:cc\n"


def test_every_package_of_the_lock_has_a_hash() -> None:
    packages = re.split(r"(?m)^(?=[a-z])", (ROOT / "requirements/runtime.lock").read_text())
    assert len(packages) > 20
    assert [package for package in packages if package and "--hash=sha256:" not in package] == []
