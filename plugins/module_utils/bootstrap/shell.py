# SPDX-License-Identifier: GPL-3.0-or-later
"""The laptop's shell, and the scripts for it: to look, to build, to remove. Plain POSIX sh.

A script gets its values as arguments and on stdin, never by being written together. It answers in lines of words between tabs.
"""

from __future__ import annotations

from typing import Protocol

from ..core.system.command import Cli, Output


class Shell(Protocol):
    """Runs scripts on a laptop."""

    def run(self, script: str, *arguments: str, stdin: str = "") -> Output:
        """Run a script to its end, whatever its exit code."""


class LocalShell:
    """The shell of this machine."""

    def __init__(self) -> None:
        self._cli = Cli("sh")

    def run(self, script: str, *arguments: str, stdin: str = "") -> Output:
        """See Shell."""
        return self._cli.run("-c", script, "sh", *arguments, stdin=stdin, check=False)


# Python's own variables would reach into the environment from outside.
_BEGIN = """\
LC_ALL=C; export LC_ALL
unset PYTHONHOME PYTHONPATH PYTHONUSERBASE __PYVENV_LAUNCHER__
case $1 in "~") dir=$HOME ;; "~/"*) dir=$HOME/${1#"~/"} ;; /*) dir=$1 ;; *) dir=$HOME/$1 ;; esac
link=$dir/python mark=.laptop.containers
"""

# The folders that it makes are noted, so that no other is removed.
_FOLDERS = r"""
folders=
made() { if [ -n "$1" ] && [ ! -d "$1" ]; then made "${1%/*}"; mkdir "$1"; folders=$folders$1'
'; fi; }
begin() { made "$dir"; if [ -n "$folders" ]; then chmod 700 "$dir"; printf '%s' "$folders" >>"$dir/.made"; fi; }
take_back() {
  if [ -f "$dir/.made" ]; then
    folders=$(sed '1!G;h;$!d' "$dir/.made")
    rm "$dir/.made"
    printf '%s\n' "$folders" | while IFS= read -r one; do rmdir "$one" 2>/dev/null || :; done
  fi
}
"""

# What a folder holds, or what a file is called; empty where a killed run has only made the folder.
_ENTRIES = r"""
entries() { ls -A "$1" 2>/dev/null; }
"""

# How many libraries an environment has, by the folders that pip leaves for each.
_COUNT = r"""
count() { find "$1"/lib -name '*.dist-info' -prune 2>/dev/null | wc -l | tr -d ' '; }
"""

# Arguments: directory, digest, Python (or nothing). Where the environment is as it should be, no other Python is looked for.
# On a Mac without the Command Line Tools, Apple's /usr/bin/python3 would open a window that offers them.
LOOK = (
    _BEGIN
    + _ENTRIES
    + _COUNT
    + r"""
say() { printf '%s\t' "$@"; printf '\n'; }
search=$PATH:/opt/homebrew/bin:/usr/local/bin:/home/linuxbrew/.linuxbrew/bin:$HOME/.local/bin:/usr/bin:/bin
say directory "$dir"
if [ -L "$link" ]; then say link "$(readlink "$link")"; elif [ -e "$link" ]; then say foreign; fi
for made in "$dir"/python-*; do if [ -f "$made/$mark" ]; then say made "${made##*/}"; fi; done
if [ -f "$dir/fetched/$mark" ]; then say fetched; elif [ -n "$(entries "$dir/fetched")" ]; then say foreign_fetched; fi
if [ -f "$link/$mark" ]; then
  digest= libraries=
  { read -r digest && read -r libraries; } <"$link/$mark"
  version=$("$link/bin/python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
  if [ -n "$version" ] && [ "$(count "$link/")" = "$libraries" ]; then
    say current "$digest" "$version"
    if [ "$digest" = "$2" ]; then exit 0; fi
  fi
fi
say system "$(uname -s)"
found() { set -f; IFS=:; for place in $search; do [ -x "$place/$1" ] && printf '%s\n' "$place/$1"; done; unset IFS; set +f; }
if [ -n "$(found brew)" ]; then say brew; fi
uv=$(found uv | head -n 1)
if [ -n "$uv" ]; then say uv "$uv"; fi
probe='import sys
try:
    import ensurepip, venv
    whole = "whole"
except ImportError:
    whole = "partial"
print("\t".join(["python", sys.executable, "%d.%d.%d" % sys.version_info[:3], whole, ""]))'
try() {
  if [ "$1" = /usr/bin/python3 ] && [ "$(uname -s)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; then return 1; fi
  "$1" -c "$probe" 2>/dev/null
}
if [ -n "$3" ]; then
  case $3 in "~/"*) given=$HOME/${3#"~/"} ;; *) given=$3 ;; esac
  try "$given" || say unusable "$given"
  exit 0
fi
for one in "$dir"/fetched/*/bin/python3.??; do if [ -x "$one" ]; then try "$one"; fi; done
for name in python3.14 python3.13 python3.12 python3.11 python3; do
  found "$name" | while IFS= read -r one; do if try "$one"; then break; fi; done
done
"""
)

# Arguments: directory, name of the new environment, digest, Python. Stdin: the lock. What an interrupted run left goes first.
# The link is replaced at once; the environment before it stays for what still runs by it, until the next one is built.
# Compiling all libraries takes as long as installing them, and few of their files are ever imported.
BUILD = (
    _BEGIN
    + _FOLDERS
    + _COUNT
    + r"""
set -e
new=$dir/$2
begin
before=$(readlink "$link" || :)
for old in "$dir"/python-*; do if [ -f "$old/$mark" ] && [ "${old##*/}" != "$before" ]; then rm -rf "$old"; fi; done
mkdir "$new"
: >"$new/$mark"
trap 'if [ "$?" -ne 0 ]; then rm -rf "$new"; if [ -n "$folders" ]; then take_back; fi; fi' EXIT
trap 'exit 130' HUP INT TERM
cat >"$new/requirements.lock"
"$4" -m venv "$new" >&2
PIP_USER=0 "$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir --no-compile \
  --require-hashes -r "$new/requirements.lock" >&2
printf '%s\n%s\n' "$3" "$(count "$new")" >"$new/$mark"
ln -s "$2" "$new/link"
"$new/bin/python" -c 'import os, sys; os.replace(*sys.argv[1:])' "$new/link" "$link"
"""
)

# A folder without the mark belongs to another program, and stays.
# Arguments: directory, version, the laptop's uv, or else a Python that can install uv. Stdin: uv's lock. Prints the new path.
FETCH = (
    _BEGIN
    + _ENTRIES
    + _FOLDERS
    + r"""
set -e
fetched=$dir/fetched
if [ ! -f "$fetched/$mark" ] && [ -n "$(entries "$fetched")" ]; then echo "something else is at $fetched" >&2; exit 1; fi
begin
trap 'if [ "$?" -ne 0 ]; then rm -rf "$fetched"; if [ -n "$folders" ]; then take_back; fi; fi' EXIT
trap 'exit 130' HUP INT TERM
mkdir -p "$fetched"
: >"$fetched/$mark"
uv=$3
if [ -z "$uv" ]; then
  rm -rf "$fetched/uv"
  cat >"$fetched/uv.lock"
  "$4" -m venv "$fetched/uv" >&2
  PIP_USER=0 "$fetched/uv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir \
    --require-hashes -r "$fetched/uv.lock" >&2
  uv=$fetched/uv/bin/uv
fi
UV_PYTHON_INSTALL_DIR=$fetched UV_NO_CACHE=1; export UV_PYTHON_INSTALL_DIR UV_NO_CACHE
"$uv" python install --no-bin --no-progress "$2" >&2
python=$("$uv" python find --managed-python --no-project "$2")
printf 'python\t%s\n' "$python"
rm -rf "$fetched/uv" "$fetched/uv.lock"
"""
)

# Argument: directory. Only what carries the mark goes, and of the folders above only those that were made here and are empty.
REMOVE = (
    _BEGIN
    + _FOLDERS
    + r"""
set -e
if [ -L "$link" ] && [ -f "$link/$mark" ]; then rm "$link"; fi
for one in "$dir"/python-* "$dir/fetched"; do if [ -f "$one/$mark" ]; then rm -rf "$one"; fi; done
take_back
"""
)
