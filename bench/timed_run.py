# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook with a clock: `python -m bench.timed_run RECORD BEGAN PLAYBOOK...` appends a line of JSON for each process.

Each second counts for one part alone: the innermost that is at work. BEGAN: time.time() before this Python was started.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What Ansible does, by the module and name of the function that does it.
PARTS = (
    ("inventory", "ansible.inventory.manager", "InventoryManager.__init__"),
    ("playbook and roles", "ansible.playbook", "Playbook.load"),
    ("YAML", "ansible.parsing.dataloader", "DataLoader.load_from_file"),
    ("variables", "ansible.vars.manager", "VariableManager.get_vars"),
    ("templates", "ansible._internal._templating._engine", "TemplateEngine.template"),
    ("templates", "ansible._internal._templating._engine", "TemplateEngine.evaluate_conditional"),
    ("search of plugins", "ansible.plugins.loader", "PluginLoader.get_with_context"),
    ("callbacks", "ansible.executor.task_queue_manager", "TaskQueueManager.send_callback"),
    ("forks", "ansible.executor.process.worker", "WorkerProcess.start"),
    ("waiting for tasks", "ansible.plugins.strategy", "StrategyBase._wait_on_pending_results"),
)
# Of a task's process: this project's own work.
READ, RUN = "options, policy, words", "read, plan, apply, verify"


class Clock:
    """Seconds by part of the work; of nested parts only the innermost counts."""

    def __init__(self, began: float) -> None:
        self.seconds = defaultdict[str, float](float, {"start of Python": time.time() - began})
        self.open = ["the rest"]
        self.last = time.perf_counter()
        # Other threads work while this one waits for them.
        self.thread = threading.get_ident()

    def enter(self, part: str) -> None:
        """Begin with a part."""
        self._count()
        self.open.append(part)

    def leave(self) -> None:
        """End the part that began last."""
        self._count()
        self.open.pop()

    def begin_task(self) -> None:
        """Forget what the process before the fork has counted."""
        self.seconds.clear()
        self.open, self.last = ["the rest"], time.perf_counter()

    def keep(self, record: Path, task: str) -> None:
        """Append what was counted. task: empty for the process that forks the others."""
        self._count()
        with record.open("a") as file:
            file.write(json.dumps({"task": task, "seconds": self.seconds}) + "\n")

    def _count(self) -> None:
        now = time.perf_counter()
        self.seconds[self.open[-1]] += now - self.last
        self.last = now

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted for a part."""

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self.thread:
                return function(*args, **kwargs)
            self.enter(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return counted

    def watch(self, part: str, module: str, name: str) -> None:
        """Count a function of a module, or a method of one of its classes."""
        *owners, attribute = name.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        function = vars(owner)[attribute]
        wrapped = self.timed(part, function.__func__ if isinstance(function, staticmethod) else function)
        setattr(owner, attribute, staticmethod(wrapped) if isinstance(function, staticmethod) else wrapped)


def main(record: Path, began: float, arguments: list[str]) -> None:
    """Run the playbook."""
    clock = Clock(began)
    clock.watch("imports", "importlib._bootstrap", "_find_and_load")
    from ansible.cli.playbook import main as ansible_playbook
    from ansible.executor.process.worker import WorkerProcess

    for part in PARTS:
        clock.watch(*part)
    run = WorkerProcess._run

    def run_timed(worker: Any) -> None:
        clock.begin_task()
        converge = sys.modules.get("ansible_collections.laptop.containers.plugins.action.converge")
        if converge:
            clock.watch(RUN, converge.__name__, "run")
            clock.watch(READ, converge.__name__, "ActionModule.run")
        try:
            run(worker)
        finally:
            clock.keep(record, worker._task.get_name())

    WorkerProcess._run = run_timed
    sys.argv = ["ansible-playbook", *arguments]
    try:
        ansible_playbook()
    finally:
        clock.keep(record, "")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
