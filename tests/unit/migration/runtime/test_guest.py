# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said where a VM's own programs fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime.guest import Inside

COLIMA = """#!/bin/sh
case "$*" in
  *" info") echo "sudo: nerdctl: command not found" >&2; echo 'time="now" level=fatal msg="exit status 1"' >&2; exit 1 ;;
  *) echo "Client: v2" ;;
esac
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inside:
    program = tmp_path / "colima"
    program.write_text(COLIMA)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Inside(Colima(resolve(os.environ, "Linux")), parse_name("old"))


def test_a_program_that_fails_is_quoted_and_colimas_own_line_is_not(inside: Inside) -> None:
    remedy = r"Look at what 'colima nerdctl --profile old -- info' says, and run again\."
    with pytest.raises(CommandFailed, match=f"Could not look into profile 'old': sudo: nerdctl: command not found. {remedy}"):
        inside.told("default", "info")


def test_an_answer_of_another_form_is_named(inside: Inside) -> None:
    with pytest.raises(CommandFailed, match="Could not look into profile 'old': nerdctl's answer is not JSON"):
        inside.told("default", "ps")
