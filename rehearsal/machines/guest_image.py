# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk that virtual machines start from: Debian with what colima expects in its guests, made to start fast without KVM.

guest.toml says what is in it, guest/ holds our own files.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.machines.disk import Boot, archive, run, write_disk

HERE = Path(__file__).resolve().parent
OVERLAY = HERE / "guest"
DEFINITION: dict[str, Any] = tomllib.loads((HERE / "guest.toml").read_text())
PROGRAMS = DEFINITION["programs"].split()
KUBERNETES = DEFINITION["kubernetes"].split()
LONG = DEFINITION["long"].split()
# To the letter what `lima-guestagent install-systemd` writes; otherwise it is written again at each first start.
AGENT_UNIT = """\
[Unit]
Description=lima-guestagent

[Service]
ExecStart=/usr/local/bin/lima-guestagent daemon --socket-owner {uid} --runtime-dir="%t/%N"
Type=simple
Restart=on-failure
OOMPolicy=continue
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""
# Static, where a shell's many small steps would each load libraries.
BUSYBOX = "/usr/bin/busybox"


@dataclass(frozen=True)
class Contents:
    """What the image holds beside Debian and our own files."""

    programs: tuple[Path, ...]
    kubernetes: tuple[Path, ...]
    agent: Path
    # Of the user whom the guest agent serves; for another one Lima sets the agent up again at the first start.
    uid: int


def bootstrap(base: Path) -> None:
    """Pack Debian and the packages into an archive."""
    omitted = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale")]
    packages = ",".join(DEFINITION["packages"].split())
    argv = ["mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", f"--include={packages}", *omitted]
    # Debian's own initrd, which nothing boots, would take a minute.
    os.environ["INITRD"] = "No"
    run(*argv, DEFINITION["suite"], str(base), DEFINITION["mirror"])


def build(image: Path, base: Path, work: Path, contents: Contents) -> None:
    """Write the image from a Debian that bootstrap() has packed. `work` is a scratch folder that the caller removes."""
    root = work / "root"
    root.mkdir()
    run("tar", "-xpf", str(base), "-C", str(root))
    version = next(path.name for path in (root / "usr/lib/modules").iterdir())
    early = keep_modules(root, version)
    shutil.copy(root / f"boot/vmlinuz-{version}", work / "linux")
    shutil.copy(root / "usr/lib/systemd/boot/efi/systemd-bootx64.efi", work / "loader.efi")
    shutil.copy(root / BUSYBOX.removeprefix("/"), work / "busybox")
    (work / "initrd").write_bytes(archive(initrd(root, early, work / "initrd.d")))
    furnish(root, contents)
    leave_out(root)
    arguments = " ".join(DEFINITION["kernel_arguments"].split())
    write_disk(image, root, Boot(work / "loader.efi", work / "linux", work / "initrd", arguments))


def keep_modules(root: Path, version: str) -> list[Path]:
    """Keep the modules that are needed, unpacked. Returns those of the initrd in their order."""
    folder = root / "usr/lib/modules" / version
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[_module(path)] = (path, rest.split())
    kept: dict[str, Path] = {}

    def keep(name: str) -> None:
        # What is not listed is built into the kernel.
        if name in kept or name not in needs:
            return
        path, dependencies = needs[name]
        for other in reversed(dependencies):
            keep(_module(other))
        packed = folder / path
        kept[name] = packed.with_suffix("") if packed.suffix == ".xz" else packed
        if kept[name] != packed:
            kept[name].write_bytes(lzma.decompress(packed.read_bytes()))

    for name in DEFINITION["early_modules"].split():
        keep(name)
    early = list(kept.values())
    for name in DEFINITION["modules"].split():
        keep(name)
    wanted = set(kept.values())
    for found in folder.rglob("*.ko*"):
        if found not in wanted:
            found.unlink()
    run("chroot", str(root), "depmod", version)
    return early


def _module(path: str) -> str:
    return Path(path).name.split(".ko")[0].replace("-", "_")


def initrd(root: Path, modules: list[Path], tree: Path) -> Path:
    """Fill a folder with the initrd: busybox, a script of a few lines, and the modules of the disks."""
    for name in ("bin", "dev", "proc", "root", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy(root / BUSYBOX.removeprefix("/"), tree / "bin/busybox")
    shutil.copy(OVERLAY / "usr/lib/machine/initrd", tree / "init")
    for number, module in enumerate(modules):
        shutil.copy(module, tree / "modules" / f"{number:02}-{module.name}")
    return tree


def furnish(root: Path, contents: Contents) -> None:
    """Put our own files, programs and links in."""
    shutil.copytree(OVERLAY, root, dirs_exist_ok=True)
    (root / "etc/sudoers-rs").chmod(0o440)
    for folder, programs in (("bin", (*contents.programs, contents.agent)), ("lib/kubernetes", contents.kubernetes)):
        for program in programs:
            target = root / "usr/local" / folder / program.name.partition(".")[0]
            shutil.copy(program, target)
            target.chmod(0o755)
    # As Lima does at a first start, so that the agent is up when the host first looks for it.
    (root / "etc/systemd/system/lima-guestagent.service").write_text(AGENT_UNIT.format(uid=contents.uid))
    links = {
        # Where colima's unit starts it.
        "usr/bin/dockerd": "/usr/sbin/dockerd",
        "opt/cni/bin": "/usr/lib/cni",
        # Lima loads two dozen modules, and Debian's own program takes a tenth of a second for each.
        "usr/local/sbin/modprobe": BUSYBOX,
    }
    for name, target_of_link in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target_of_link)
    texts = {
        # Machines that start from one image ask for addresses by their network cards, not by this.
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/hostname": "machine\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/resolv.conf": "",
        "etc/containerd/config.toml": "version = 2\n",
        **{f"etc/skel/{name}": "" for name in (".bashrc", ".profile", ".bash_logout")},
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
    for folder in ("buildkit", "docker"):
        (root / "etc" / folder).mkdir(exist_ok=True)
    run("ssh-keygen", "-q", "-A", "-f", str(root))
    units = root / "etc/systemd/system"
    for target, names in DEFINITION["enabled"].items():
        (units / target).mkdir(exist_ok=True)
        for unit in names.split():
            (units / target / unit).symlink_to(f"/etc/systemd/system/{unit}")


def leave_out(root: Path) -> None:
    """Take out what costs time at each start, or space."""
    units, lists = root / "etc/systemd/system", DEFINITION["left_out"]
    for unit in lists["units"].split():
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    for unit in lists["not_at_boot"].split():
        for link in units.glob(f"*.wants/{unit}"):
            link.unlink()
    for folder, names in DEFINITION["kept"].items():
        for path in (root / folder).iterdir():
            if path.name not in names.split():
                path.unlink()
    for emulator in (root / "usr/bin").glob("qemu-*"):
        if emulator.name not in DEFINITION["emulators"].split():
            emulator.unlink()
    for name in (*lists["paths"].split(), *lists["programs"].split()):
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
