# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rehearsed laptop is and which failures are scripted: everything that REHEARSAL_* variables can say.

Nothing in this package uses dataclasses, and heavy modules are imported where they are needed: every call of colima pays
for its imports, and one play makes dozens of calls.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..process import Process


class Settings:
    """The laptop that the stand-ins pretend to run on. Seconds are those of a whole first start and of a whole resume."""

    def __init__(self, process: Process) -> None:
        # The settings of a laptop include what it runs programs with.
        self.process = process
        self.environ = environ = process.environ

        def text(name: str, default: str) -> str:
            return environ.get(f"REHEARSAL_{name}") or default

        self.system = text("SYSTEM", "Darwin")
        self.arch = text("ARCH", "aarch64")
        self.cpus = int(text("CPUS", "8"))
        self.memory_gib = float(text("MEMORY_GIB", "16"))
        self.boot_seconds = float(text("BOOT_SECONDS", "0.3"))
        self.resume_seconds = float(text("RESUME_SECONDS", str(self.boot_seconds * 2 / 3)))
        self.boot_limit = float(text("BOOT_LIMIT", "600"))
        self.image_cached = text("IMAGE_CACHED", "1") == "1"
        self.colima_version = text("COLIMA_VERSION", "0.10.3")
        self.lima_version = text("LIMA_VERSION", "2.1.4")
        self.failures = frozenset(part.strip() for part in text("FAIL", "").split(",") if part.strip())
        self.refuse_root = text("REFUSE_ROOT", "0") == "1"
        self.address = text("ADDRESS", "192.168.64.2")
        self.word_seconds = float(text("WORD_SECONDS", "0"))
        self.calls = text("CALLS", "")
        self.guest = text("GUEST", "")

    @property
    def darwin(self) -> bool:
        """Whether this is a Mac; its flags, default directories and virtual machine type differ."""
        return self.system == "Darwin"

    @property
    def apple_silicon(self) -> bool:
        """Whether this is a Mac with an ARM processor."""
        return self.darwin and self.arch == "aarch64"

    @property
    def vm_type(self) -> str:
        """The virtual machine type that colima picks when nothing is said."""
        return "vz" if self.darwin else "qemu"

    @property
    def data_disks(self) -> bool:
        """Whether this colima keeps container data on a disk of its own, and notes about it. Before, there was the VM's only."""
        return self._is_colima(0, 9, 0)

    @property
    def status_speaks_json(self) -> bool:
        """Whether `status` has the flag --json."""
        return self._is_colima(0, 8, 1)

    def _is_colima(self, *least: int) -> bool:
        return tuple(int(part) for part in self.colima_version.split(".")) >= least

    @property
    def refused(self) -> bool:
        """Whether limactl refuses the user. The lab may run as root, so it does so only when a setting says so."""
        return self.refuse_root and os.geteuid() == 0

    def fails(self, failure: str, profile: str) -> bool:
        """Return whether a failure is scripted, for every profile or for this one."""
        return failure in self.failures or f"{failure}:{profile}" in self.failures

    def record(self, argv: Sequence[str]) -> None:
        """Append a call to the file of calls, if one is wanted."""
        if not self.calls:
            return
        line = json.dumps({"time": time.time(), "argv": list(argv), "pid": os.getpid()})
        with open(self.calls, "a", encoding="utf-8") as file:  # noqa: PTH123 - start-up time: no pathlib here
            file.write(line + "\n")
