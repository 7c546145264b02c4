# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of modules as processes that begin at the same moment, each as Ansible would start it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.testing import patch_module_args

from tests.support.test_runs import fault_rows


@dataclass(frozen=True)
class Run:
    """A module, its options, and what differs in its environment."""

    module: str
    options: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


def together(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the results of runs that began at the same moment."""
    mains = [importlib.import_module(f"ansible_collections.laptop.containers.plugins.modules.{run.module}").main for run in runs]
    waiting, start = os.pipe()
    answers, children = [], []
    for run, main in zip(runs, mains, strict=True):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(start)
            os.read(waiting, 1)
            os.write(write, _output(run, main))
            os._exit(0)
        os.close(write)
        children.append(child)
        answers.append(read)
    os.close(waiting)
    # This ends the read in all of them at once.
    os.close(start)
    results = []
    for answer, child in zip(answers, children, strict=True):
        with os.fdopen(answer) as pipe:
            results.append(json.loads(pipe.read() or '{"failed": true, "msg": "no answer"}'))
        os.waitpid(child, 0)
    for result in results:
        fault_rows.noted(result)
    return results


def _output(run: Run, main: Any) -> bytes:
    os.environ.update(run.environment)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), patch_module_args({**run.options}), contextlib.suppress(SystemExit):
            main()
    except BaseException as error:
        return json.dumps({"failed": True, "msg": f"{type(error).__name__}: {error}"}).encode()
    return said.getvalue().encode()
