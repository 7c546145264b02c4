# SPDX-License-Identifier: GPL-3.0-or-later
"""What QEMU's monitor tells of a machine, and how it continues: the stand-in and, where it is there, a real QEMU."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.machine import _qmp, go_on, stands_still
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import Standstill

from tests.support.colima.monitor import monitor

QEMU = shutil.which("qemu-system-x86_64") or shutil.which("qemu-system-aarch64")


@pytest.fixture(params=["stand-in", "qemu"])
def instance(request: pytest.FixtureRequest, short_path: Path) -> Iterator[Path]:
    """The directory of an instance whose machine is paused; of its own, as QEMU leaves its socket behind."""
    directory = Path(tempfile.mkdtemp(dir=short_path))
    path = directory / "qmp.sock"
    if request.param == "stand-in":
        with monitor(path, "paused"):
            yield directory
        return
    if QEMU is None:
        pytest.skip("QEMU is not on PATH")
    argv = [QEMU, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", f"unix:{path},server=on,wait=off"]
    with subprocess.Popen(argv) as machine:
        try:
            deadline = time.monotonic() + 20
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            _qmp(path, "stop")
            yield directory
        finally:
            machine.kill()


def test_a_paused_machine_is_seen_and_goes_on(instance: Path) -> None:
    assert stands_still(instance)[0] is Standstill.PAUSED
    go_on(instance, "dev")
    assert stands_still(instance)[0] is None
    assert _qmp(instance / "qmp.sock", "query-status")["status"] == "running"


def test_an_unknown_command_is_an_error_in_qemus_words(instance: Path) -> None:
    with pytest.raises(ValueError, match="has not been found"):
        _qmp(instance / "qmp.sock", "no-such-command")
