# SPDX-License-Identifier: GPL-3.0-or-later
"""Real machines for the lab: which programs start them, from which image, as which user, and what is missing here.

On Linux `make machines` brings everything (`install.py`). On a Mac the colima on PATH is used, with a COLIMA_HOME of the lab.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import sys
from pathlib import Path

from rehearsal.engines import ROOT, caches

HERE = Path(__file__).resolve().parent
# limactl refuses root, so root's machines belong to this user. its number does not matter.
USER, UID = "laptop-machines", 501
HOW = "run 'make machines' (as root the first time; needs Go)"
RUNTIMES = ("docker", "containerd")


def place() -> Path:
    """Return the folder of programs and images: beside the engines."""
    return caches()[0].parent.parent / "machines"


def programs() -> Path | None:
    """Return the folder with colima, limactl and lima, or None."""
    if sys.platform == "darwin":
        colima = shutil.which("colima")
        return Path(colima).parent if colima and shutil.which("limactl") else None
    folder = place() / "bin"
    return folder if all(os.access(folder / name, os.X_OK) for name in ("colima", "limactl", "lima")) else None


def image() -> Path:
    """Return the disk that machines start from (Linux only)."""
    return place() / "image.raw"


def k3s_files() -> Path:
    """Return the folder with what colima would download for Kubernetes (Linux only)."""
    return place() / "k3s"


def missing() -> str | None:
    """Return why no machine can be started here and how to change that. Returns None when one can."""
    if sys.platform == "darwin":
        return None if programs() else "colima or limactl is not on PATH: brew install colima"
    if programs() is None or not image().exists():
        return f"machines are not installed: {HOW}"
    for name in ("qemu-system-x86_64", "qemu-img", "ssh"):
        if shutil.which(name) is None:
            return f"{name} is not installed: {HOW}"
    if os.geteuid() == 0 and not _exists(USER):
        return f"limactl refuses root, and there is no user '{USER}': {HOW}"
    return None


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def owner() -> pwd.struct_passwd:
    """Return the account that machines run as."""
    return pwd.getpwnam(USER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def as_owner() -> list[str]:
    """Return what to put before a command so that it may start machines: nothing, except for root.

    The command finds Python, the project and the engines also where they lie in root's home, of which it sees nothing else.
    """
    if os.geteuid() != 0:
        return []
    account, home = owner(), Path(pwd.getpwuid(0).pw_dir)
    needed = {Path(sys.prefix), Path(sys.base_prefix), ROOT, caches()[0].parent.parent}
    hidden = sorted(str(path) for path in needed if path.is_relative_to(home))
    seen = {"USER": account.pw_name, "LOGNAME": account.pw_name, "HOME": account.pw_dir, "REHEARSAL_ENGINES": str(caches()[0])}
    # What is compiled would lie in the project, which belongs to another.
    seen["PYTHONDONTWRITEBYTECODE"] = "1"
    variables = [f"{name}={value}" for name, value in seen.items()]
    return [str(HERE / "as-owner"), str(home), *hidden, "--", account.pw_name, "env", *variables]


def link_programs(folder: Path) -> None:
    """Put links to colima, limactl and lima (and the wrapper of QEMU, if there is one) into a folder of PATH."""
    source = programs()
    assert source is not None, missing()
    for name in ("colima", "limactl", "lima", "qemu-system-x86_64"):
        (folder / name).unlink(missing_ok=True)
        if (source / name).exists():
            (folder / name).symlink_to(source / name)


def fill_cache(colima_cache: Path) -> None:
    """Spare colima its downloads: it takes a file under the hash of an address for what it would have downloaded."""
    from rehearsal.machines.kubernetes import put_into_cache

    if sys.platform == "darwin":
        return
    colima_cache.mkdir(parents=True, exist_ok=True)
    for line in (place() / "share/colima/images/images.txt").read_text().splitlines():
        arch, runtime, address, *_ = line.split()
        if arch == "amd64" and runtime in RUNTIMES:
            name = hashlib.sha256(address.encode()).hexdigest()
            for link in (colima_cache / name, colima_cache / f"{name}.raw"):
                link.unlink(missing_ok=True)
                link.symlink_to(image())
    put_into_cache(k3s_files(), colima_cache)
