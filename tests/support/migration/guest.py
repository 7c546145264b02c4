# SPDX-License-Identifier: GPL-3.0-or-later
"""What is inside the stand-in's machines, where real engines that a test has started already are to be: for REHEARSAL_GUEST.

Usage: guest VERB INSTANCE [-- ARGV]. Of each runtime, REHEARSAL_INSIDE says in JSON which sockets and which kubeconfig belong
to the machine, and how nerdctl is called. Files of a docker machine are below its own directory; the other's are this machine's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer for the machine."""
    verb, words = sys.argv[1], sys.argv[4:]
    inside = json.loads(os.environ["REHEARSAL_INSIDE"])[os.environ["REHEARSAL_RUNTIME"]]
    root = Path(os.environ["REHEARSAL_ROOT_DIR"])
    if verb == "start-runtime":
        _sockets(inside)
    elif verb == "start-kubernetes":
        file = root / "etc/rancher/k3s/k3s.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Path(inside["kubeconfig"]).read_text().replace("colima-k8s", "default"))
    elif verb == "stop-kubernetes" and inside.get("stop"):
        os.execv(inside["stop"][0], inside["stop"])  # noqa: S606 - its exit status is the answer
    elif verb == "exec":
        _run([word for word in words if word != "sudo"], inside, root)


def _sockets(inside: dict[str, Any]) -> None:
    for name, socket in inside["sockets"].items():
        link = Path(os.environ["REHEARSAL_PROFILE_DIR"]) / name
        link.unlink(missing_ok=True)
        link.symlink_to(socket)


def _run(words: list[str], inside: dict[str, Any], root: Path) -> None:
    if words[:1] == ["nerdctl"]:
        argv = [*inside["nerdctl"], *words[1:]]
        os.execv(argv[0], argv)  # noqa: S606 - input and output are to reach it
    if words[:2] == ["sh", "-c"]:
        files = words[4:] if inside["nerdctl"] else [f"{root}{word}" for word in words[4:]]
        os.execv("/bin/sh", [*words[:4], *files])  # noqa: S606 - as above


if __name__ == "__main__":
    main()
