# SPDX-License-Identifier: GPL-3.0-or-later
"""What workers find imported already, and from bytecode."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.in_process_module import SUBJECTS

ROOT = Path(__file__).resolve().parents[3]
# Runs as the callback plugin does: through Ansible's loader of collections.
PROGRAM = """
import json, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([sys.argv[1]])
from ansible_collections.laptop.containers.plugins.action.converge import MODULES, known_subject
from ansible_collections.laptop.containers.plugins.plugin_utils.preload import preload
preload(["plugin_utils.settings", *(f"modules.{name}" for name in MODULES)])
before = set(sys.modules)
subjects = [subject.work for subject in map(known_subject, MODULES) if subject]
print(json.dumps({
    "left": sorted(set(sys.modules) - before), "subjects": len(subjects),
    "heavy": [name for name in ("boto3", "kubernetes", "ruamel") if name in sys.modules],
}))
"""


def _run(collections: Path, **environment: str) -> dict[str, object]:
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(collections)],
        env={**surroundings, **environment}, cwd="/", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_worker_has_nothing_of_a_subject_left_to_import(tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections/laptop/containers"
    shutil.copytree(ROOT / "plugins", collection / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "meta", collection / "meta")
    shutil.copy(ROOT / "galaxy.yml", collection)

    answer = _run(tmp_path)

    assert answer["left"] == []
    assert answer["subjects"] == len(SUBJECTS)
    # What needs a registry is imported only where one is configured.
    assert answer["heavy"] == []
    kept = {file.name.partition(".")[0] for file in collection.rglob("*.pyc")}
    assert {"settings", "task", "survey"} <= kept


def test_a_folder_that_cannot_be_written_only_costs_the_bytecode(tmp_path: Path) -> None:
    answer = _run(ROOT / "collections", PYTHONDONTWRITEBYTECODE="1")

    assert answer["left"] == []


AFTER_FORK = """
import os, sys
sys.path[:0] = sys.argv[1:]
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader(sys.argv[1:])
from ansible_collections.laptop.containers.plugins.plugin_utils.preload import after_fork
after_fork([lambda: print("first"), lambda: print("second")])
print("before", flush=True)
for number in range(2):
    if (child := os.fork()) == 0:
        # A worker that forks has nothing left to import.
        if (grandchild := os.fork()) == 0:
            os._exit(0)
        os.waitpid(grandchild, 0)
        print("worker", number, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("after", number, flush=True)
"""


def test_what_later_tasks_need_is_imported_once_and_only_by_the_process_that_forks_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_FORK, str(ROOT / "collections")], capture_output=True, text=True, timeout=60, check=True
    )
    parents = [line for line in done.stdout.splitlines() if not line.startswith("worker")]
    assert parents == ["before", "first", "second", "after 0", "after 1"]
    assert done.stdout.count("worker 0") == done.stdout.count("worker 1") == 1
