# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny engine behind a unix socket, for labs without dockerd: it answers, remembers containers, and runs none of them.

State stays in one folder: engine.json (facts that override the defaults of /info and /version), containers.json and
images.json (lists as the API gives them; a test may write `[{"Names": ["/web"]}]` to pretend a running container) and
volumes.json. Run it with `python -m rehearsal.standin.docker_engine --socket PATH --state DIR`.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from pathlib import Path

from .server import Server

__all__ = ["Server", "main", "start"]
START_SECONDS = 60


def start(socket_path: Path, state_dir: Path) -> subprocess.Popen[bytes]:
    """Start the engine as a process of its own and return it once it answers."""
    from rehearsal.processes.system import comes_true
    from rehearsal.services.http import listens

    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "rehearsal.standin.docker_engine", "--socket", str(socket_path), "--state", str(state_dir)]
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stdin=subprocess.DEVNULL)
    comes_true(lambda: listens(socket_path) or process.poll() is not None, START_SECONDS)
    if listens(socket_path):
        return process
    process.kill()
    raise RuntimeError(f"The stand-in engine did not answer on {socket_path} within {START_SECONDS} s.")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--state", type=Path, required=True, help="folder of the engine's state")
    options = parser.parse_args(argv)
    with Server(options.socket, options.state) as server:
        # shutdown() waits for the serving loop, which runs in this very thread.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
    return 0
