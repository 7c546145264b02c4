# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that forked_ansible.py forks Ansible from: all is imported in it that reads no environment.

This collection as well: a run that would load a file of it gets the module that was loaded from this very file.

It serves one process over the socket that is its standard input: a request with three files, an answer with a number. What
reads the environment while it is imported (ansible.constants, and each module that imports it) is left to each child, so that a
child is what a program just started is. It imports no thread and starts none.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

# Imports the rest of Ansible as a run does. Both need the whole of ansible.constants, so they name what else may come first.
RUN = ("ansible.cli.playbook", "ansible.executor.process.worker", "ansible.plugins.strategy.linear", "ansible.plugins.action")
# Reads settings while it is imported: ansible.cfg, ANSIBLE_*, HOME, the working directory.
SETTINGS = "ansible.constants"


class _Refused(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        del path, target
        if fullname == SETTINGS:
            raise ImportError(fullname)
        return None


def imported_by_a_run() -> list[str]:
    """Return the names of all modules that a run imports, found in a child that then ends."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        for name in RUN:
            importlib.import_module(name)
        with os.fdopen(writer, "w") as pipe:
            pipe.write("\n".join(name for name in sys.modules if name != "__main__"))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        names = pipe.read().split()
    os.waitpid(child, 0)
    return names


def preload(names: Iterable[str]) -> None:
    """Import modules, but none that needs the settings."""
    finder = _Refused()
    sys.meta_path.insert(0, finder)
    for name in names:
        # ansible.cli says so and ends the process where it can't read the settings.
        with contextlib.suppress(ImportError, SystemExit), contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module(name)
    sys.meta_path.remove(finder)


class Known(MetaPathFinder):
    """Finds files of this collection as modules that the server has imported, where a run would load them from the same file."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        del target
        module = self.modules.get(fullname)
        if module is None or module.__file__ is None or module.__spec__ is None:
            return None
        stem = fullname.rpartition(".")[2]
        if module.__file__ not in {f"{folder}/{stem}{end}" for folder in path or () for end in (".py", "/__init__.py")}:
            return None
        return spec_from_loader(fullname, _Imported(module, module.__spec__), is_package=module.__file__.endswith("/__init__.py"))


class _Imported(Loader):
    def __init__(self, module: ModuleType, spec: ModuleSpec) -> None:
        self.module, self.spec = module, spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        del spec
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


def own_modules(folder: Path) -> dict[str, ModuleType]:
    """Import what the actions and callbacks of the collection in a folder import, and take it out of sys.modules again."""
    plugins = folder / "ansible_collections" / "laptop" / "containers" / "plugins"
    files = [file for room in ("module_utils", "plugin_utils") for file in sorted((plugins / room).rglob("*.py"))]
    sys.path.insert(0, str(folder))
    preload(".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for file in files)
    sys.path.remove(str(folder))
    found = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ansible_collections"}
    for name in found:
        del sys.modules[name]
    return {name: module for name, module in found.items() if ".plugins." in name}


def serve(channel: socket.socket) -> dict[str, Any] | None:
    """Start a child for each request. Returns in the child, with its request; None when no one asks any more."""
    while True:
        head, files, _flags, _address = socket.recv_fds(channel, 8, 64)
        if not head:
            return None
        size, body = int.from_bytes(head, "big"), b""
        while len(body) < size:
            body += channel.recv(size - len(body))
        request: dict[str, Any] = json.loads(body)
        reader, writer = os.pipe()
        between = os.fork()
        if not between:
            # The child of a process that ended belongs to who asked: to them it is as one that they started.
            child = os.fork()
            if child:
                os.write(writer, child.to_bytes(4, "big"))
                os._exit(0)
            os.close(reader)
            channel.close()
            become(request, files)
            # As at the exec of a whole start, who asked continues from here.
            os.close(writer)
            return request
        os.close(writer)
        for file in files:
            os.close(file)
        os.waitpid(between, 0)
        with os.fdopen(reader, "rb") as pipe:
            channel.sendall(pipe.read())


def become(request: dict[str, Any], files: Sequence[int]) -> None:
    """Be what a program started with this request is before its first line."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    kept = {0, 1, 2, *request["pass_fds"]}
    for file, number in zip(files[3:], request["pass_fds"], strict=True):
        os.dup2(file, number, inheritable=True)
    for file in files:
        if file not in kept:
            os.close(file)
    if request["start_new_session"]:
        os.setsid()
    if request["process_group"] >= 0:
        os.setpgid(0, request["process_group"])
    if request["umask"] >= 0:
        os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    become_in_signals({*request["ignored"]}, {*request["blocked"]})
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = opened_as_python_does(number, f"<{name}>", getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = request["args"]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)


def become_in_signals(ignored: set[int], blocked: set[int]) -> None:
    """Ignore what who asked ignores, and block what they block; Python itself ignores two signals and handles Ctrl-C."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        now = signal.getsignal(number)
        wanted: Any = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        wanted = signal.SIG_IGN if number in ignored else wanted
        # Numbers below that are the C library's own have no handler that Python knows.
        if now is not None and now is not wanted:
            signal.signal(number, wanted)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def opened_as_python_does(number: int, name: str, server: Any) -> TextIO:
    """Return a standard stream on what the file with this number is now; server: the same stream of the server."""
    writes = number > 0
    buffered = not (writes and server.write_through)
    binary: Any = open(number, "wb" if writes else "rb", buffering=-1 if buffered else 0, closefd=False)  # noqa: SIM115
    (binary.raw if buffered else binary).name = name
    lines = buffered and (number == 2 or os.isatty(number))
    stream: Any = io.TextIOWrapper(binary, server.encoding, server.errors, "\n", lines, not buffered)
    stream.mode = "w" if writes else "r"
    opened: TextIO = stream
    return opened


def main() -> int:
    """Serve; in a child, be the program that was asked for."""
    with socket.socket(fileno=os.dup(0)) as channel:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        # Ctrl-C is for the tests; this ends when they have closed the socket.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        preload(imported_by_a_run())
        known = own_modules(Path(__file__).resolve().parents[3] / "collections")
        gc.collect()
        gc.freeze()
        request = serve(channel)
    if request is None:
        return 0
    sys.meta_path.insert(0, Known(known))
    verb = Path(sys.argv[0]).name.removeprefix("ansible").removeprefix("-") or "adhoc"
    program: Any = importlib.import_module(f"ansible.cli.{verb}")
    ended: int = program.main()
    return ended


if __name__ == "__main__":
    sys.exit(main())
