# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports what the tasks of a play will need, once, before Ansible forks a worker for each of them.

A worker that imports it itself does so in every task, and Ansible's loader of collections keeps no bytecode: compiling took
a fifth of a run that had nothing to do.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

_COLLECTION = __name__.rpartition(".plugin_utils.")[0]
_OURS = tuple(f"{_COLLECTION}.{folder}." for folder in ("module_utils", "modules", "plugin_utils"))


class _WithBytecode(MetaPathFinder):
    """Finds the files of this collection as Python finds any other: with their bytecode, if it can be kept."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a file below those folders; None for all others."""
        del target
        if path and fullname.startswith(_OURS):
            return FileFinder(path[0], (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(fullname)
        return None


def preload(names: Iterable[str]) -> None:
    """Import files, given by their names below "plugins"; of a module, its subject too.

    Nothing of them is garbage, so collection is off meanwhile.
    """
    if not any(isinstance(finder, _WithBytecode) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithBytecode())
    collects = gc.isenabled()
    gc.disable()
    try:
        for name in names:
            imported = import_module(f"{_COLLECTION}.{name}")
            if name.startswith("modules."):
                # Of a report, which runs in its action plugin, nothing else is to be imported.
                getattr(imported, "subject", list)()
    finally:
        if collects:
            gc.enable()


def after_fork(works: Iterable[Callable[[], None]]) -> None:
    """Call these in this process once it has forked: it would only wait for that first worker, and later ones profit."""
    left, owner = list(works), os.getpid()

    def call() -> None:
        while left and os.getpid() == owner:
            left.pop(0)()

    os.register_at_fork(after_in_parent=call)
