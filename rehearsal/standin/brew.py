# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Homebrew: prefix, installed formulae, and `brew bundle` with its output; it downloads nothing.

As with the real one, a formula is installed when it has a folder in PREFIX/Cellar, a cask when it has one in PREFIX/Caskroom.
PREFIX/Bottles/FORMULA/bin holds the programs that an installation brings.
What is kept in PREFIX/var/homebrew/pinned is not upgraded, and an upgrade leaves the version before in the Cellar.
REHEARSAL_BREW_MISSING names formulae that do not exist, REHEARSAL_BREW_OFFLINE=1 makes every installation fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

VERSION = "Homebrew 5.0.3"
# Versions of the lab's other stand-ins; everything else has version 1.0.0.
VERSIONS = {
    "colima": "0.10.3",
    "lima": "2.1.4",
    "docker": "28.2.2",
    "docker-buildx": "0.38.2",
    "docker-compose": "2.40.3",
    "kubernetes-cli": "1.36.3",
}
NEEDS = {"colima": ("lima",)}
ALIASES = {"kubectl": "kubernetes-cli"}
ENTRY = re.compile(r"""^\s*(tap|brew|cask)\s*\(?\s*["']([^"']+)["']""")
KINDS = {"tap": "Tap", "brew": "Formula", "cask": "Cask"}
FOLDERS = {"tap": "Library/Taps", "brew": "Cellar", "cask": "Caskroom"}


class Failed(Exception):
    """Ends the command with exit code 1; the text is for stderr."""


class Homebrew:
    """One prefix."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def folder(self, kind: str, name: str) -> Path:
        name = ALIASES.get(name, name)
        return self.prefix / FOLDERS[kind] / (name if kind == "tap" else name.rpartition("/")[2])

    def versions(self, kind: str, name: str) -> list[str]:
        folder = self.folder(kind, name)
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def installed(self, kind: str, name: str) -> bool:
        return self.folder(kind, name).is_dir()

    def names(self, kind: str) -> list[str]:
        folder = self.prefix / FOLDERS[kind]
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def install(self, kind: str, name: str) -> None:
        """Install a formula with what it needs, a cask or a tap. Raises Failed."""
        if os.environ.get("REHEARSAL_BREW_OFFLINE") == "1":
            raise Failed(f"Error: {name}: Failed to download resource\n")
        if name in os.environ.get("REHEARSAL_BREW_MISSING", "").split(","):
            raise Failed(f'Warning: No available formula with the name "{name}".\n')
        for needed in NEEDS.get(name, ()):
            if not self.installed(kind, needed):
                self.install(kind, needed)
        folder = self.folder(kind, name)
        (folder if kind == "tap" else folder / VERSIONS.get(folder.name, "1.0.0")).mkdir(parents=True, exist_ok=True)
        if kind == "brew":
            self.pour(folder)
            link = self.prefix / "opt" / folder.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(folder / VERSIONS.get(folder.name, "1.0.0"))

    def pour(self, folder: Path) -> None:
        """Put the programs of a formula's bottle into its folder, and links to them into bin."""
        for program in (self.prefix / "Bottles" / folder.name / "bin").glob("*"):
            poured = folder / VERSIONS.get(folder.name, "1.0.0") / "bin" / program.name
            poured.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(program, poured)
            (self.prefix / "bin" / program.name).unlink(missing_ok=True)
            (self.prefix / "bin" / program.name).symlink_to(poured)


def _entries(arguments: list[str]) -> list[tuple[str, str]]:
    """Return (kind, name) of the Brewfile that was asked for. Raises Failed."""
    file = os.environ.get("HOMEBREW_BUNDLE_FILE") or "Brewfile"
    for position, word in enumerate(arguments):
        if word.startswith("--file="):
            file = word.removeprefix("--file=")
        elif word in ("--file", "-f") and position + 1 < len(arguments):
            file = arguments[position + 1]
    try:
        text = sys.stdin.read() if file == "-" else Path(file).expanduser().read_text()
    except OSError as error:
        raise Failed("Error: No Brewfile found\n") from error
    return [(match[1], match[2]) for line in text.splitlines() if (match := ENTRY.match(line))]


def _bundle(brew: Homebrew, arguments: list[str]) -> int:
    verb = next((word for word in arguments if not word.startswith("-")), "install")
    if verb not in ("install", "check"):
        verb = "install" if "--file" in arguments else verb
    entries = _entries(arguments)
    if verb == "check":
        return _check(brew, entries, bool({"--verbose", "-v"} & set(arguments)), "--no-upgrade" in arguments)
    if verb == "list":
        sys.stdout.write("".join(f"{name}\n" for kind, name in entries if kind == "brew"))
        return 0
    if verb != "install":
        raise Failed(f"Error: Unknown subcommand: {verb}\n")
    return _install_all(brew, entries)


def _check(brew: Homebrew, entries: list[tuple[str, str]], verbose: bool, no_upgrade: bool) -> int:
    missing = [(kind, name) for kind, name in entries if not brew.installed(kind, name)]
    if not missing:
        sys.stdout.write("The Brewfile's dependencies are satisfied.\n")
        return 0
    sys.stdout.write("brew bundle can't satisfy your Brewfile's dependencies.\n")
    for kind, name in missing if verbose else []:
        lack = "needs to be tapped" if kind == "tap" else "needs to be installed" + ("" if no_upgrade else " or updated")
        sys.stdout.write(f"→ {KINDS[kind]} {name} {lack}.\n")
    sys.stdout.write("Satisfy missing dependencies with `brew bundle install`.\n")
    return 1


def _install_all(brew: Homebrew, entries: list[tuple[str, str]]) -> int:
    failures = 0
    for kind, name in entries:
        if brew.installed(kind, name):
            sys.stdout.write(f"Using {name}\n")
            continue
        verb = "Tapping" if kind == "tap" else "Installing"
        sys.stdout.write(f"{verb} {name}\n")
        sys.stdout.flush()
        try:
            brew.install(kind, name)
        except Failed as failure:
            sys.stderr.write(f"{failure}{verb} {name} has failed!\n")
            failures += 1
    if failures:
        raise Failed(f"`brew bundle` failed! {failures} Brewfile {_dependencies(failures)} failed to install\n")
    sys.stdout.write(f"`brew bundle` complete! {len(entries)} Brewfile {_dependencies(len(entries))} now installed.\n")
    return 0


def _dependencies(count: int) -> str:
    return "dependency" if count == 1 else "dependencies"


def _list(brew: Homebrew, arguments: list[str]) -> int:
    kind = "cask" if "--cask" in arguments else "brew"
    asked = [word for word in arguments if not word.startswith("-")]
    names = asked or brew.names(kind)
    for name in names:
        found = brew.versions(kind, name)
        if found:
            sys.stdout.write(f"{name} {' '.join(found)}\n" if "--versions" in arguments else f"{name}\n")
        elif "--versions" not in arguments:
            sys.stderr.write(f"Error: No such keg: {brew.folder(kind, name)}\n")
    return 0 if all(brew.installed(kind, name) for name in asked) else 1


def _prefix(brew: Homebrew, arguments: list[str]) -> int:
    names = [word for word in arguments if not word.startswith("-")]
    paths = [brew.prefix / "opt" / ALIASES.get(name, name) for name in names] or [brew.prefix]
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


def _install(brew: Homebrew, arguments: list[str]) -> int:
    kind = "cask" if "--cask" in arguments else "brew"
    for name in (word for word in arguments if not word.startswith("-")):
        if brew.installed(kind, name):
            sys.stderr.write(f"Warning: {name} {brew.versions(kind, name)[-1]} is already installed and up-to-date.\n")
        else:
            brew.install(kind, name)
            sys.stdout.write(f"🍺  {brew.folder(kind, name) / brew.versions(kind, name)[-1]}\n")
    return 0


def _again(brew: Homebrew, arguments: list[str]) -> int:
    """Reinstall or upgrade formulae that are installed."""
    for name in (word for word in arguments if not word.startswith("-")):
        if not brew.installed("brew", name):
            raise Failed(f"Error: No such keg: {brew.folder('brew', name)}\n")
        brew.install("brew", name)
    return 0


def _outdated(brew: Homebrew, arguments: list[str]) -> int:
    """Tell what has a newer version, as `brew outdated --json=v2` does."""
    found = []
    for name in brew.names("brew"):
        newest, installed = VERSIONS.get(name, "1.0.0"), brew.versions("brew", name)
        if newest not in installed:
            pinned = (brew.prefix / "var/homebrew/pinned" / name).exists()
            one = {"name": name, "installed_versions": installed, "current_version": newest, "pinned": pinned}
            found.append({**one, "pinned_version": installed[-1] if pinned else None})
    if "--json=v2" not in arguments:
        sys.stdout.write("".join(f"{one['name']}\n" for one in found))
    else:
        sys.stdout.write(json.dumps({"formulae": found, "casks": []}, indent=2) + "\n")
    return 0


def _unlink(brew: Homebrew, arguments: list[str]) -> int:
    """Take away a formula's links."""
    for name in (word for word in arguments if not word.startswith("-")):
        folder = brew.folder("brew", name)
        for link in (path for place in ("bin", "lib/docker/cli-plugins") for path in (brew.prefix / place).glob("*")):
            if link.is_symlink() and folder in link.readlink().parents:
                link.unlink()
    return 0


def _cellar(brew: Homebrew, _arguments: list[str]) -> int:
    sys.stdout.write(f"{brew.prefix}/Cellar\n")
    return 0


def _update(_brew: Homebrew, _arguments: list[str]) -> int:
    if os.environ.get("REHEARSAL_BREW_OFFLINE") == "1":
        raise Failed("Error: Failed to download https://formulae.brew.sh/api/formula.jws.json!\n")
    return 0


COMMANDS = {
    "--cellar": _cellar,
    "--prefix": _prefix,
    "bundle": _bundle,
    "install": _install,
    "list": _list,
    "ls": _list,
    "outdated": _outdated,
    "reinstall": _again,
    "unlink": _unlink,
    "update": _update,
    "upgrade": _again,
}


def main(argv: list[str] | None = None) -> int:
    """Run one brew command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    brew = Homebrew(Path(os.environ.get("HOMEBREW_PREFIX") or Path(sys.argv[0]).resolve().parent.parent))
    if argv[:1] in (["--version"], ["-v"]):
        sys.stdout.write(f"{VERSION}\n")
        return 0
    if not argv or argv[0] not in COMMANDS:
        sys.stderr.write(f"Error: Unknown command: brew {argv[0] if argv else ''}\n")
        return 1
    try:
        return COMMANDS[argv[0]](brew, argv[1:])
    except Failed as failure:
        sys.stdout.flush()
        sys.stderr.write(str(failure))
        return 1


def install(bin_dir: Path) -> None:
    """Write brew into bin_dir, whose parent is then Homebrew's prefix."""
    from rehearsal.standin.program import write_program

    write_program(bin_dir / "brew", "from rehearsal.standin.brew import main; sys.exit(main())")
