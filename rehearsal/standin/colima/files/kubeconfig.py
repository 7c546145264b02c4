# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's entry in the user's kubeconfig: merged once, skipped while the address stays the same, and easily lost."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from ..console import Fatal, Log
from ..guest import K3S_YAML, Guest
from ..host_tools import HostTools


class Kubeconfig:
    """The kubeconfig of the host, as far as one profile touches it; all through kubectl, as colima does."""

    def __init__(self, tools: HostTools, guest: Guest, log: Log) -> None:
        self.tools = tools
        self.guest = guest
        self.log = log
        self.id = tools.profile.id
        self.environ = tools.settings.environ

    def update(self, address: str, activate: bool) -> None:
        """Merge the cluster's own kubeconfig into the user's, unless the guest remembers that this was done."""
        if address == self.guest.known().get("master_address", ""):
            return
        self.log.info("updating config ...")
        try:
            self._merge(address)
            if activate:
                self.log.info(self.tools.output("kubectl", "config", "use-context", self.id))
        except (Fatal, OSError) as error:
            raise Fatal(f"error at 'updating config': {error}") from error
        self.guest.remember(master_address=address)

    def _merge(self, address: str) -> None:
        self._unset()
        home = self.environ.get("HOME", "")
        if not home:
            raise Fatal("error retrieving home directory on host")
        mine = Path(home) / ".kube" / f".{self.id}"
        mine.mkdir(parents=True, exist_ok=True)
        named = self.environ.get("KUBECONFIG", "")
        target = Path(named.split(os.pathsep)[0]) if named else Path(home) / ".kube" / "config"
        text = self.guest.read(K3S_YAML)
        if text is None:
            raise Fatal(f"error fetching kubeconfig on guest: cannot read file '{K3S_YAML}'")
        text = text.replace(": default", f": {self.id}")
        if address not in ("", "127.0.0.1"):
            text = text.replace("https://127.0.0.1:", f"https://{address}:")
        fresh = mine / "colima-temp"
        fresh.write_text(text, encoding="utf-8")
        both = {"KUBECONFIG": f"{target}:{fresh}"}
        merged = self.tools.output("kubectl", "config", "view", "--raw", extra=both)
        fresh.write_text(merged, encoding="utf-8")
        if target.is_file():
            shutil.copyfile(target, mine / f"config-bak-{int(time.time())}")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Overwrites the file in place as colima does with cp, so a reader may see half of it.
        shutil.copyfile(fresh, target)

    def _unset(self) -> None:
        for what in ("users", "contexts", "clusters"):
            self.tools.must("kubectl", "config", "unset", f"{what}.{self.id}")
        try:
            current = self.tools.output("kubectl", "config", "current-context")
        except Fatal:
            return
        if current == self.id:
            self.tools.must("kubectl", "config", "unset", "current-context")

    def remove(self) -> None:
        """Remove the cluster's entries."""
        self.log.info("reverting config ...")
        try:
            self._unset()
        except Fatal as error:
            raise Fatal(f"error at 'reverting config': {error}") from error
        self.guest.remember(master_address="")
