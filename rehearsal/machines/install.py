# SPDX-License-Identifier: GPL-3.0-or-later
"""`make machines`: what real virtual machines need beside `make engines`: Lima's guest agent, an image, and as root a user.

All of it lies in a cache beside the engines and is made again only when what it is made from has changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rehearsal import machines
from rehearsal.engines import ENGINES, caches, find
from rehearsal.engines import install as engines
from rehearsal.machines import guest_image, kubernetes, kvm

HERE = Path(__file__).resolve().parent
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mcopy": "mtools",
    "mkfs.ext4": "e2fsprogs",
    "sfdisk": "fdisk",
    "ssh": "openssh-client",
    "setpriv": "util-linux",
}
OUR_OWN = tuple(HERE / name for name in ("guest.toml", "guest_image.py", "disk.py", "kubernetes.py", "k3s/k3s", "k3s/install.sh"))
FIRMWARE = (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_CODE.fd"), "ovmf")
HOME = f"/var/lib/{machines.USER}"
AGENT = "lima-guestagent"
AGENT_PLACE = "share/lima/lima-guestagent.Linux-x86_64"


class Failed(Exception):
    """A step that did not work, with what to do."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"machines: {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring what is missing. The exit code is 1 when something is still missing."""
    if arguments or len(sys.argv) > 1:
        print(__doc__)
        return 0
    try:
        if sys.platform == "linux":
            install_packages()
            add_user()
            lay_out_programs()
            make_image()
            choose_accelerator()
    except (Failed, subprocess.CalledProcessError) as error:
        say(f"could not finish: {error}")
        return 1
    reason = machines.missing()
    say(reason or f"ready: {machines.programs()}")
    return 1 if reason else 0


def install_packages() -> None:
    """Install what builds the image and runs machines."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    wanted = sorted({package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None})
    if not any(Path(place).exists() for place in FIRMWARE[:2]):
        wanted.append(FIRMWARE[2])
    if not wanted:
        return
    names = " ".join(wanted)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failed(f"{names} must be installed first: run 'make machines' as root, or: sudo apt-get install {names}")
    say(f"apt-get install {names}")
    if not (engines.update() and engines.apt("install", *wanted)):
        raise Failed(f"'apt-get install {names}' failed (see above)")


def add_user() -> None:
    """Add the account that root's machines run as."""
    if os.geteuid() != 0 or subprocess.run(["id", machines.USER], capture_output=True, check=False).returncode == 0:
        return
    say(f"adding the user {machines.USER}")
    argv = ["useradd", "--system", "--create-home", "--home-dir", HOME, "--shell", "/bin/bash", "--user-group"]
    subprocess.run([*argv, "--uid", str(machines.UID), "--non-unique", machines.USER], check=True)


def lay_out_programs() -> None:
    """Put colima and limactl where limactl finds its guest agent beside itself."""
    for name in ("colima", "limactl", *guest_image.PROGRAMS, *guest_image.KUBERNETES):
        if find(name) is None:
            raise Failed(f"{name} is missing: run 'make engines' first")
    place, made_from = machines.place(), machines.place() / ".made-from"
    agent = dataclasses.replace(ENGINES["limactl"], name=AGENT, go_package="github.com/lima-vm/lima/v2/cmd/lima-guestagent")
    wanted = "\n".join(engines.fingerprint(engine) for engine in (ENGINES["colima"], ENGINES["limactl"], agent))
    if made_from.exists() and made_from.read_text() == wanted and machines.programs():
        return
    shutil.rmtree(place / "bin", ignore_errors=True)
    shutil.rmtree(place / "share", ignore_errors=True)
    (place / "bin").mkdir(parents=True)
    for name in ("colima", "limactl"):
        program = find(name)
        assert program is not None
        shutil.copy(program, place / "bin" / name)
    engines.take_data(go(), ENGINES["colima"], "embedded/images", place / "share/colima/images")
    engines.take_data(go(), ENGINES["limactl"], "templates", place / "share/lima/templates")
    engines.take_data(go(), ENGINES["limactl"], "cmd/lima", place / "bin/lima")
    (place / "bin/lima").chmod(0o755)
    if problem := engines.build(go(), agent):
        raise Failed(problem)
    built = caches()[0] / AGENT
    shutil.move(built, place / AGENT_PLACE)
    engines.stamp(agent).unlink()
    made_from.write_text(wanted)


def go() -> str:
    """Return the path of Go."""
    found = engines.find_go()
    if found is None:
        raise Failed("Go is missing; install Go 1.26 or newer (https://go.dev/dl)")
    return found


def make_image() -> None:
    """Make the image, if what it is made from has changed."""
    place = machines.place()
    base = place / f"debian-{digest(*(guest_image.DEFINITION[name] for name in ('suite', 'packages')))}.tar"
    programs, parts = (
        tuple(filter(None, map(find, names))) for names in (guest_image.PROGRAMS, (*guest_image.KUBERNETES, *guest_image.LONG))
    )
    agent = place / AGENT_PLACE
    ours = [path for path in sorted(guest_image.OVERLAY.rglob("*")) if path.is_file()]
    files = (*programs, *parts, agent, *ours, *OUR_OWN)
    wanted = digest(base.name, str(machines.owner().pw_uid), *map(content, files))
    made_from = place / ".image-made-from"
    if machines.image().exists() and made_from.exists() and made_from.read_text() == wanted:
        return
    if os.geteuid() != 0:
        raise Failed("the image is made by root: run 'sudo make machines' once")
    started = time.monotonic()
    if not base.exists():
        say(f"unpacking Debian {guest_image.DEFINITION['suite']} ...")
        for old in place.glob("debian-*"):
            old.unlink()
        guest_image.bootstrap(base.with_suffix(".part"))
        base.with_suffix(".part").rename(base)
    say("making the image ...")
    part = machines.image().with_suffix(".part")
    contents = guest_image.Contents(programs, parts, agent, machines.owner().pw_uid)
    with tempfile.TemporaryDirectory(dir=place) as work:
        guest_image.build(part, base, Path(work), contents)
        shutil.copy(Path(work) / "linux", place / "linux")
        kubernetes.make(machines.k3s_files(), Path(work) / "busybox")
    # Machines that run keep the file that they started from.
    part.rename(machines.image())
    made_from.write_text(wanted)
    say(f"made the image in {time.monotonic() - started:.0f} s")


def digest(*parts: str) -> str:
    """Return a short name for contents."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def content(path: Path) -> str:
    """Return the hash of a file and whether it may be run."""
    with path.open("rb") as file:
        return f"{path.name} {os.access(path, os.X_OK)} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def choose_accelerator() -> None:
    """Put the wrapper for emulation on the machines' PATH where KVM does not work."""
    wrapper = machines.place() / "bin/qemu-system-x86_64"
    wrapper.unlink(missing_ok=True)
    if kvm.works(machines.place() / "linux"):
        if os.geteuid() == 0:
            subprocess.run(["usermod", "--append", "--groups", "kvm", machines.USER], check=True)
        say("KVM works here")
        return
    shutil.copy(HERE / "qemu-tcg", wrapper)
    say("KVM does not work here: machines are emulated")


if __name__ == "__main__":
    sys.exit(main())
