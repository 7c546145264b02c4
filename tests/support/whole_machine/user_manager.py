# SPDX-License-Identifier: GPL-3.0-or-later
"""A real systemd as the manager of a user, with a home of its own, on a machine that need not have booted with systemd."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH, find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.realm import remove_cgroups
from rehearsal.processes.system import children, comes_true

READY_SECONDS = 60.0


class UserManager:
    """`systemd --user`, from a log-in to a log-out. .environment leads systemctl to it, which must be among its processes."""

    def __init__(self, directory: Path, home: Path) -> None:
        self.directory, self.home = directory, home
        self.runtime = directory / "run"
        self.runtime.mkdir(parents=True)
        self.runtime.chmod(0o700)
        self.cgroup = "rehearsal-" + hashlib.sha256(str(directory).encode()).hexdigest()[:12]
        self.daemon = Daemon("systemd", directory)

    @property
    def environment(self) -> Mapping[str, str]:
        """What programs of this user get."""
        return {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
        }

    @property
    def pid(self) -> int:
        """The manager's process, as seen from here."""
        assert self._first is not None
        return children(self._first)[0]

    def log_in(self) -> None:
        """Start the manager, and wait until it answers."""
        unshare = shutil.which("unshare", path=SYSTEM_PATH) or "unshare"
        isolated = [unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "/bin/sh", "-c", self._script()]
        self.daemon.spawn(isolated, self.environment)
        self._put_systemctl()
        self.daemon.wait_until((self.runtime / "systemd" / "private").exists, READY_SECONDS)

    def _put_systemctl(self) -> None:
        """Make a systemctl that is the real one in the namespaces of the manager, which answers no process from outside them."""
        real = shutil.which("systemctl", path=SYSTEM_PATH)
        nsenter = shutil.which("nsenter", path=SYSTEM_PATH)
        place = self.directory / "bin"
        place.mkdir(exist_ok=True)
        assert comes_true(lambda: self._first is not None, READY_SECONDS)
        (place / "systemctl").write_text(f'#!/bin/sh\nexec {nsenter} --target {self._first} --mount --pid -- {real} "$@"\n')
        (place / "systemctl").chmod(0o755)

    @property
    def _first(self) -> int | None:
        """The first process inside the namespaces."""
        outside = self.daemon.pid
        inside = children(outside) if outside is not None else []
        return inside[0] if inside else None

    def log_out(self) -> None:
        """End the manager and every unit of it."""
        self.daemon.kill()
        shutil.rmtree(self.runtime / "systemd", ignore_errors=True)
        # The kernel keeps a group until the last process in it is gone.
        assert comes_true(self._left_no_group, READY_SECONDS)

    def _left_no_group(self) -> bool:
        remove_cgroups(self.cgroup)
        top = Path("/sys/fs/cgroup")
        return not any(place.exists() for place in (top / self.cgroup, top / "systemd" / self.cgroup))

    def _script(self) -> str:
        # systemd looks whether the machine has booted with it, and where it may have control groups.
        return f"""
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 1
top=/sys/fs/cgroup
if [ ! -f $top/cgroup.controllers ]; then
  mount -t tmpfs tmpfs $top && mkdir $top/systemd && top=$top/systemd || exit 1
  mount -t cgroup -o none,name=systemd cgroup $top || exit 1
fi
mkdir -p $top/{self.cgroup} && echo $$ > $top/{self.cgroup}/cgroup.procs || exit 1
# The first process of all would be the system's manager.
{find("systemd")} --user --log-target=console >>{shlex.quote(str(self.directory / "manager.txt"))} 2>&1 &
wait
"""
