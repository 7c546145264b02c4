# SPDX-License-Identifier: GPL-3.0-or-later
"""The newcomer's one command: converge the workstation in a lab, again without a change, examine it, clean up."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from rehearsal.engines import ROOT
from rehearsal.lab.laptop import Lab, here
from rehearsal.processes.system import LabError, end_tree
from rehearsal.services import grades

PLAYBOOK = "playbooks/workstation.yml"
EXAMINATION = "playbooks/doctor.yml"
INVENTORY, MACHINES_INVENTORY = "inventory/rehearsal", "inventory/machines"
SECRET = "ecr-creds"  # the name of a secret, not one


def run(lab: Lab, grade: str, keep: bool = False, arguments: Sequence[str] = (), playbook: str = PLAYBOOK) -> int:
    """Run the rehearsal and return the exit code. The lab is removed also after a failure or Ctrl-C."""
    started = time.monotonic()
    _title(f"1. A laptop in {lab.directory}")
    # Before the try: a lab that did not come up must not be removed.
    choices = lab.up(grade)
    try:
        for choice in choices:
            print(choice.line)
        _title("2. The workstation converges")
        code, _ = _play(lab, playbook, arguments)
        if code == 0:
            _title("3. Once more: nothing may change")
            code, changed = _play(lab, playbook, arguments)
            if code == 0 and changed != 0:
                print(f"The second run changed {changed} task(s); it should have changed nothing.", file=sys.stderr)
                code = 1
        if code == 0:
            _title("What is there now")
            print("\n".join(summary(lab)))
        if code == 0 and not arguments:
            _title("4. The doctor looks at it")
            code, _ = _play(lab, EXAMINATION, arguments)
        return code
    finally:
        if keep and lab.exists:
            print("\n" + "\n".join(to_play(lab)))
        else:
            lab.down()
            print("\nThe lab is removed; nothing of yours was touched.", end=" ")
            print(f"All of it took {time.monotonic() - started:.0f} s.")


def to_play(lab: Lab) -> list[str]:
    """Return what to type next in a lab that stays: each line as it can be pasted into this shell."""
    inventory_of = inventory(lab)
    return [
        "The lab stays. In this shell, use its laptop instead of yours (until you close the shell):",
        f'  eval "$({here("environment", lab)})"',
        "Then, for example:",
        "  colima list",
        "  docker context ls",
        f'  make doctor ARGS="-i {inventory_of}"',
        f'  make check ARGS="-i {inventory_of} -e colima_restart=always"',
        "  colima stop k8s",
        f'  make converge ARGS="-i {inventory_of}"',
        "Remove it:",
        f"  {here('down', lab)}",
    ]


def _title(text: str) -> None:
    print(f"\n== {text} {'=' * max(0, 100 - len(text))}", flush=True)


def _play(lab: Lab, playbook: str, arguments: Sequence[str]) -> tuple[int, int]:
    """Run the playbook as a user would; returns its exit code and the number of changed tasks."""
    if find_spec("ansible") is None:
        raise LabError(f"Could not run the playbook: {sys.executable} has no ansible-core. Run 'make setup'.")
    # The caller's own Ansible settings do not count here.
    own = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    own |= {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "LAPTOP_REHEARSAL_DIR": str(lab.directory),
        # A cached fact of another laptop of that name would be wrong.
        "ANSIBLE_CACHE_PLUGIN": "memory",
    }
    if not os.access(ROOT, os.W_OK):
        # Where ansible.cfg has its own files.
        own["ANSIBLE_HOME"] = str(lab.directory / "tmp" / "ansible")
    if sys.stdout.isatty():
        own["ANSIBLE_FORCE_COLOR"] = "1"
    # Not the script ansible-playbook: its first line breaks on some folder names.
    argv = [sys.executable, "-m", "ansible", "playbook", "-i", str(ROOT / inventory(lab)), str(ROOT / playbook), *arguments]
    changed = 0
    with subprocess.Popen(argv, cwd=ROOT, env=own, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as playing:
        assert playing.stdout is not None
        try:
            for line in playing.stdout:
                print(line, end="", flush=True)
                changed += sum(int(number) for number in re.findall(r"\bchanged=(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", line)))
        except BaseException:
            # No process may continue in a lab that is about to be removed.
            end_tree(playing, 10)
            raise
    return playing.returncode, changed


def inventory(lab: Lab) -> str:
    """Return the inventory with the settings of this lab."""
    return MACHINES_INVENTORY if grades.real_parts(lab.directory).get("colima") else INVENTORY


def summary(lab: Lab) -> list[str]:
    """Return what the tools of the lab show of profiles, contexts and secrets."""
    return [*_profiles(lab), *_contexts(lab), *_secrets(lab), *_grade(lab)]


def _ask(lab: Lab, *argv: str) -> str:
    """Return the stdout of a tool of the lab, empty when it fails."""
    environment = {**os.environ, **lab.environment}
    program = shutil.which(argv[0], path=environment["PATH"])
    if program is None:
        return ""
    done = subprocess.run([program, *argv[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _profiles(lab: Lab) -> list[str]:
    rows = []
    for profile in _lines(_ask(lab, "colima", "list", "--json")):
        size = f"{profile.get('cpus')} CPUs, {profile.get('memory', 0) // 2**30} GiB, disk {profile.get('disk', 0) // 2**30} GiB"
        rows.append(f"profile   {profile['name']:<24} {profile.get('status', '?'):<8} {profile.get('runtime', ''):<15} {size}")
        for line in _lines(_ask(lab, "colima", "status", "--json", "--profile", profile["name"])):
            sockets = [value for key, value in line.items() if key.endswith("_socket")]
            rows += [f"{'':<35}{socket}" for socket in sockets]
    return rows


def _contexts(lab: Lab) -> list[str]:
    rows = []
    for context in _lines(_ask(lab, "docker", "context", "ls", "--format", "{{json .}}")):
        current = "current" if context.get("Current") else ""
        rows.append(f"context   {context['Name']:<24} {current:<8} {context.get('DockerEndpoint', '')}")
    kube = _ask(lab, "kubectl", "config", "current-context").strip()
    return [*rows, f"kube      {kube:<24} current"] if kube else rows


def _secrets(lab: Lab) -> list[str]:
    found = _ask(lab, "kubectl", "get", "secrets", "--all-namespaces", "-o", "json")
    rows = []
    for secret in json.loads(found or '{"items": []}')["items"]:
        data = secret["metadata"]
        if data["name"] != SECRET:
            continue
        notes = data.get("annotations") or {}
        expiry = next((value for key, value in notes.items() if key.endswith("/expires-at")), "")
        rows.append(f"secret    {data['namespace'] + '/' + data['name']:<24} {_until(expiry)}")
    return rows


def _until(expiry: str) -> str:
    try:
        left = datetime.fromisoformat(expiry) - datetime.now(UTC)
    except (ValueError, TypeError):
        return "expiry unknown"
    return f"expires {expiry} (in {left.total_seconds() / 3600:.1f} h)"


def _grade(lab: Lab) -> list[str]:
    """Return what was not real, and how to get it."""
    lacking = [choice for choice in grades.read(lab.directory) if not choice.real and choice.part not in ("colima", "ECR")]
    if grades.real_parts(lab.directory)["colima"]:
        return ["", "The profiles are virtual machines.", *(choice.line for choice in lacking)]
    if not lacking:
        return ["", "Engines behind the profiles are real; colima itself is a stand-in, no virtual machine was started."]
    return ["", "Not real in this run:", *(choice.line for choice in lacking)]
