# SPDX-License-Identifier: GPL-3.0-or-later
"""A dockerd that holds BuildKit as an image, so that builders with the driver docker-container need no registry."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from rehearsal import engines
from rehearsal.services.dockerd import Dockerd

# A privileged container asks for every capability there is; a root that lacks one (in a container, say) can't give it.
RUNC = '''#!/usr/bin/env python3
import json, os, sys
args, path = sys.argv[1:], ""
if "create" in args and "--bundle" in args:
    path = os.path.join(args[args.index("--bundle") + 1], "config.json")
elif "exec" in args and "--process" in args:
    path = args[args.index("--process") + 1]
if path:
    with open(path) as file:
        spec = json.load(file)
    with open("/proc/self/status") as file:
        have = int(next(line.split()[1] for line in file if line.startswith("CapBnd")), 16)
    names = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
    SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()
    allowed = {"CAP_" + name for number, name in enumerate(names) if have >> number & 1}
    granted = (spec.get("process") or spec).get("capabilities") or {}
    for kind in granted:
        granted[kind] = [name for name in granted[kind] if name in allowed]
    with open(path, "w") as file:
        json.dump(spec, file)
os.execvp("runc", ["runc", *args])
'''
IMAGE = "buildkit:packed"
IN_LAB = {"image": IMAGE, "network": "host"}


@contextlib.contextmanager
def engine_with_buildkit(directory: Path) -> Iterator[Dockerd]:
    """Run it inside the block; its runtime gives privileged containers what this machine has to give."""
    directory.mkdir(parents=True, exist_ok=True)
    wrapper = directory / "runc-here"
    wrapper.write_text(RUNC)
    wrapper.chmod(0o755)
    configuration = {"runtimes": {"here": {"path": str(wrapper)}}, "default-runtime": "here", "storage-driver": "vfs"}
    with Dockerd(directory, configuration=configuration) as running:
        change = ["--change", 'ENTRYPOINT ["/usr/bin/buildkitd"]', "--change", "ENV PATH=/usr/bin"]
        argv = ["docker", "-H", running.host, "import", *change, "-", IMAGE]
        subprocess.run(argv, input=packed(), check=True, capture_output=True)
        yield running


def packed() -> bytes:
    """Return the file system of an image with buildkitd, buildctl and runc."""
    programs = [engines.find(name) for name in ("buildkitd", "buildctl", "runc")]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        directory = tarfile.TarInfo("tmp")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(directory)
        for program in programs:
            assert program is not None
            tar.add(program.resolve(), f"usr/bin/{program.name}")
            listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
            for library in sorted({word for word in listed.split() if word.startswith("/")}):
                tar.add(Path(library).resolve(), library.lstrip("/"))
    return packed.getvalue()
