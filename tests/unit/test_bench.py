# SPDX-License-Identifier: GPL-3.0-or-later
"""Each suite of `make bench` can be run alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.run import ON_REQUEST, SUITES


@pytest.mark.parametrize("suite", [*SUITES, *ON_REQUEST])
def test_a_suite_finds_what_it_imports(suite: str) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", f"import bench.{suite}"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
