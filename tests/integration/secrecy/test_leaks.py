# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that leaks on purpose is caught at each exit; the suite proves first that it would see each of them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.support.ecr_pull_secret.canaries import told_of

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
UTILS = "ansible_collections.laptop.containers.plugins.module_utils"
# Long enough that no part of it is a word of ours.
CANARY = base64.b64encode(bytes(range(60, 180))).decode()
# What it says in base64, at each offset, and in base64 of that.
ENCODED = [base64.b64encode(b"x" * before + CANARY.encode() + b"yz").decode() for before in range(3)]
NESTED = base64.b64encode(b'{"auth":"' + base64.b64encode(f"AWS:{CANARY}".encode()) + b'"}').decode()
# Broken into lines as YAML, base64 and a terminal do it, and cut in the middle.
BROKEN = [
    yaml.safe_dump({"data": NESTED}, width=60),
    base64.encodebytes(NESTED.encode()).decode(),
    "\n".join([CANARY[:80], CANARY[80:]]),
]
CUT = [CANARY[7:50], CANARY[90:], NESTED[11:61], CANARY.encode().hex()]
FORMS = json.dumps([CANARY, json.dumps(CANARY), *ENCODED, *(one[5:-7] for one in ENCODED), NESTED, NESTED[9:], *BROKEN, *CUT])

SUBJECT = f'''
import json
from {UTILS}.core.errors import WorkstationError
from {UTILS}.core.plan import Pending, Plan, Step
from {UTILS}.core.secrecy.known import learn
from {UTILS}.core.subject import Subject

FORMS = json.loads({FORMS!r})
TEXT = " ".join(FORMS)


class Leaky(Subject):
    """Says what it must not, wherever a subject can say something. where: how it ends; born: whether it is known as a secret."""

    argument_spec = {{"where": {{"type": "str"}}, "born": {{"type": "bool"}}}}
    work = "leak"
    done = False

    def parse(self, params, *, check_mode):
        if params["born"]:
            learn({CANARY!r})
        self.where = params["where"]
        return params

    def read(self, spec):
        return self.done

    def plan(self, spec, current):
        steps = () if current else (Step("leak", f"step {{TEXT}}"),)
        held = (Pending("x", TEXT, TEXT, TEXT),)
        return Plan(steps, {{TEXT: 1}}, {{"x": TEXT}}, held, (f"warning {{TEXT}}",))

    def apply(self, step):
        self.done = True
        if self.where == "failure":
            raise WorkstationError("leak", TEXT, TEXT, stdout=TEXT, cmd=TEXT)
        if self.where == "exception":
            raise ValueError(TEXT)

    def public(self, outcome):
        return {{"forms": FORMS, TEXT: {{TEXT: [TEXT]}}, "warnings": [TEXT]}}


SUBJECT = Leaky
'''
ACTION = """
from ansible_collections.laptop.containers.plugins.action.converge import ActionModule as Converge
from ansible_collections.laptop.containers.plugins.action import converge
import leaky_subject

converge.subject_of = lambda module: leaky_subject.Leaky()


class ActionModule(Converge):
    def _is_here(self, task_vars):
        return True
"""


@pytest.fixture
def project(home: Path) -> Path:
    (home / "python").mkdir()
    (home / "python/leaky_subject.py").write_text(SUBJECT)
    (home / "action_plugins").mkdir()
    (home / "action_plugins/leaky.py").write_text(ACTION)
    (home / "library").mkdir()
    (home / "library/leaky.py").write_text("#!/usr/bin/python\n")
    return home


def exits(home: Path, where: str, *, born: bool) -> dict[str, str]:
    """Run the module, and return what came out at each exit."""
    task = {"leaky": {"where": where, "born": born}, "ignore_errors": True}
    (home / "play.yml").write_text(json.dumps([{"hosts": "me", "connection": "local", "gather_facts": False, "tasks": [task]}]))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(home / "python"), str(ROOT / "collections"), sysconfig.get_path("purelib")]),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOG_PATH": str(home / "log"),
        "ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.results,laptop.containers.progress",
        "LAPTOP_CONTAINERS_RESULTS": str(home / "results"),
    }
    command = [str(PLAYBOOK), "-i", "me,", str(home / "play.yml"), "--diff", "-vvvv"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    records = (home / ".local/state/laptop.containers/runs").glob("*.jsonl")
    return {
        "output": done.stdout,
        "errors": done.stderr,
        "log": (home / "log").read_text(),
        "results": (home / "results").read_text() if (home / "results").exists() else "",
        "records": "".join(file.read_text() for file in records),
    }


@pytest.mark.parametrize("where", ["success", "failure", "exception"])
def test_a_module_that_leaks_is_caught_at_each_exit(project: Path, where: str) -> None:
    said = exits(project, where, born=True)
    assert {name for name, text in said.items() if told_of(CANARY, text)} == set()
    assert "********" in said["output"] and "********" in said["records"] and "********" in said["log"]


@pytest.mark.parametrize("where", ["success", "failure", "exception"])
def test_the_suite_sees_each_exit(project: Path, where: str) -> None:
    said = exits(project, where, born=False)
    ways = {"output", "log", "records"} | ({"results"} if where == "success" else set())
    assert {name for name, text in said.items() if told_of(CANARY, text)} >= ways
