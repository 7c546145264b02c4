# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether KVM works here, found out by starting a kernel with it: a /dev/kvm that is there may still run no ordinary guest."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

DEVICE = Path("/dev/kvm")
SECONDS = 10
ALIVE, BROKEN = b"Linux version", b"KVM internal error"


def works(kernel: Path) -> bool:
    """Return whether a Linux kernel comes up under KVM."""
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False
    argv = ["qemu-system-x86_64", "-machine", "q35,accel=kvm", "-cpu", "host", "-m", "512", "-nodefaults", "-display", "none"]
    argv += ["-serial", "stdio", "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as machine:
        assert machine.stdout is not None
        os.set_blocking(machine.stdout.fileno(), False)
        said, deadline = b"", time.monotonic() + SECONDS
        while time.monotonic() < deadline and ALIVE not in said and BROKEN not in said:
            said += machine.stdout.read() or b""
            if machine.poll() is not None:
                said += machine.stdout.read() or b""
                break
            time.sleep(0.05)
        machine.kill()
    return ALIVE in said
