# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on the loopback, with keys and settings of its own, behind which docker finds another engine than here."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH, find
from rehearsal.processes.daemon import Daemon

READY_SECONDS = 30.0


@dataclass(frozen=True)
class SshServer:
    """A running sshd. client: a directory for PATH whose ssh knows its keys, and no settings of the user's."""

    port: int
    client: Path
    daemon: Daemon
    log: Path

    @property
    def address(self) -> str:
        """What a docker context's endpoint would be."""
        return f"ssh://root@127.0.0.1:{self.port}"


@contextlib.contextmanager
def ssh_server(directory: Path, environment: Mapping[str, str], before: Sequence[str] = ()) -> Iterator[SshServer]:
    """Run sshd inside the block. environment: what commands get that come over it; before: commands for its mount namespace."""
    program = find("sshd")
    assert program is not None
    directory.mkdir(parents=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    shutil.copy(directory / "user.pub", directory / "authorized_keys")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = directory / "sshd.txt"
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": directory / "host",
        "AuthorizedKeysFile": directory / "authorized_keys",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "PermitUserRC": "no",
        "Subsystem": "sftp internal-sftp",
    }
    if environment:
        settings["SetEnv"] = " ".join(shlex.quote(f"{name}={value}") for name, value in environment.items())
    (directory / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    # sshd wants a directory below /run: a directory of its own.
    start = f"exec {program} -D -f {directory / 'sshd_config'} -E {log}"
    inside = " && ".join(("mount -t tmpfs tmpfs /run", "mkdir /run/sshd", *before, start))
    unshare = shutil.which("unshare", path=SYSTEM_PATH) or "unshare"
    daemon = Daemon("sshd", directory)
    daemon.spawn([unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "/bin/sh", "-c", inside])
    try:
        daemon.wait_until(lambda: _listens(port), READY_SECONDS)
        yield SshServer(port, _client(directory, port), daemon, log)
    finally:
        daemon.kill()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _client(directory: Path, port: int) -> Path:
    """Make an ssh that looks into no file of the user's, which ssh finds by the account, whatever HOME says."""
    host = (directory / "host.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    settings = {
        "IdentityFile": directory / "user",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": directory / "known_hosts",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }
    (directory / "ssh_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    place = directory / "client"
    place.mkdir()
    real = shutil.which("ssh", path=SYSTEM_PATH)
    (place / "ssh").write_text(f'#!/bin/sh\nexec {real} -F {directory / "ssh_config"} "$@"\n')
    (place / "ssh").chmod(0o755)
    return place
