# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests start as forks of a process that has imported Ansible is what a program just started is."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes.system import comes_true
from tests.support.ansible_runs import forked_ansible
from tests.support.ansible_runs.forked_ansible_server import Known
from tests.support.lab_playbooks import ROOT
from tests.support.terminal import Terminal

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
# What a busy machine may need for a run.
PATIENT = 300
Start = Callable[..., subprocess.Popen[Any]]
BOTH: tuple[Start, Start] = (subprocess.Popen, forked_ansible.Started)
# Writes what a process is, as Ansible's first callback sees it.
CALLBACK = """
import json, os, resource, signal, sys, threading
from pathlib import Path
from ansible import constants
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_NAME = 2.0, "seen"

    def v2_playbook_on_start(self, playbook):
        umask = os.umask(0)
        os.umask(umask)
        settings = {}
        for name in sorted(constants.config.get_configuration_definitions()):
            value, origin = constants.config.get_config_value_and_origin(name)
            settings[name] = [str(value), str(origin), str(getattr(constants, name, None))]
        streams = (sys.stdin, sys.stdout, sys.stderr)
        Path(os.environ["SEEN"]).write_text(json.dumps({
            "environment": dict(os.environ), "cwd": os.getcwd(), "umask": umask, "argv": sys.argv,
            "path": [os.path.realpath(folder) for folder in sys.path],
            "parent": os.getppid(), "session": os.getsid(0) - os.getpid() or "own", "group": os.getpgid(0) - os.getpid() or "own",
            "signals": [str(signal.getsignal(number)).partition(" at ")[0] for number in sorted(signal.valid_signals())],
            "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
            "files": sorted(os.path.exists(f"/proc/self/fd/{n}") and os.readlink(f"/proc/self/fd/{n}").partition(":")[0]
                            for n in range(3)) + [len(os.listdir("/proc/self/fd"))],
            "streams": [[s.encoding, s.errors, s.isatty(), s.line_buffering, s.name, s.mode] for s in streams],
            "threads": [thread.name for thread in threading.enumerate()], "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
            "settings": settings, "flags": str(sys.flags), "verbosity": Display().verbosity,
        }))

    def v2_playbook_on_stats(self, stats):
        ours = {name: module for name, module in sys.modules.items() if name.startswith("ansible_collections.")}
        found = [[name, getattr(module, "__file__", None), str(module.__spec__.name)] for name, module in sorted(ours.items())]
        Path(os.environ["SEEN"] + ".modules").write_text(json.dumps(found))
"""
TASKS: list[dict[str, Any]] = [
    {"ansible.builtin.debug": {"msg": "{{ lookup('env', 'SAID') }} {{ lookup('pipe', 'umask') }}"}},
    {"ansible.builtin.command": {"argv": ["env"]}, "register": "found"},
    {"ansible.builtin.copy": {"content": "{{ found.rc }}", "dest": "{{ playbook_dir }}/{{ lookup('env', 'SAID') }}"}},
    {"ansible.builtin.fail": {"msg": "as asked"}, "when": "fails | default(false) | bool"},
]
PROGRESS = {"ANSIBLE_CALLBACKS_ENABLED": "seen, laptop.containers.progress"}
OURS = {
    "laptop.containers.nerdctl_wrapper": {"wrappers": [{"path": "{{ playbook_dir }}/nerdctl", "profile": "k8s"}]},
    "check_mode": True,
}


def write_play(place: Path, tasks: list[dict[str, Any]]) -> None:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (place / "play.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": here, "tasks": tasks}]))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "callbacks").mkdir()
    (tmp_path / "callbacks" / "seen.py").write_text(CALLBACK)
    write_play(tmp_path, TASKS)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ansible.cfg").write_text("[defaults]\nforks = 3\nhome = ./made\n")
    return tmp_path


def around(place: Path, **more: str) -> dict[str, str]:
    own = {
        "ANSIBLE_CALLBACK_PLUGINS": str(place / "callbacks"),
        "SEEN": str(place / "seen"),
        "SAID": "words",
        "TMPDIR": str(place),
    }
    return {**os.environ, "ANSIBLE_CALLBACKS_ENABLED": "seen", **own, **more}


def seen(place: Path, start: Start, *arguments: str, **options: Any) -> tuple[int, str, str, dict[str, Any]]:
    """Run the play; return its exit code, what it printed, and what the callback saw, without numbers that change."""
    for name in ("seen", "words", "seen.modules"):
        (place / name).unlink(missing_ok=True)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    # Where the project's path has blanks, ansible-playbook is a script of sh, which sets PWD.
    options["env"] = {**options["env"], "PWD": options["cwd"]}
    process = start([PLAYBOOK, "-i", "localhost,", str(place / "play.yml"), *arguments], text=True, **{**pipes, **options})
    said, errors = process.communicate(timeout=PATIENT)
    text = (place / "seen").read_text() if (place / "seen").exists() else "{}"
    # Of the process: its number, as part of a temporary folder's name.
    found = json.loads(re.sub(r"ansible-local-\w+", "ansible-local-0", text))
    modules = place / "seen.modules"
    found["modules"] = json.loads(modules.read_text()) if modules.exists() else []
    found["parent is this process"] = found.pop("parent", None) == os.getpid()
    for name in ("session", "group"):
        if found.get(name) != "own":
            found.pop(name, None)
    return process.returncode, said or "", errors or "", found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cwd": "own", "umask": 0o27, "start_new_session": True},
        {"cwd": "own", "env": {"HOME": "/tmp/other-home", "ANSIBLE_FORKS": "7", "ANSIBLE_NOCOLOR": "1", "AWS_PROFILE": "mine"}},
        {
            "env": {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "1", **PROGRESS},
            "process_group": 0,
            "tasks": [OURS],
        },
        {"stdin": None, "arguments": ["-v", "-e", "fails=true"], "code": 2},
        {"stderr": subprocess.STDOUT, "arguments": ["--check", "--diff", "-e", "{"], "code": 4},
        {"arguments": ["--no-such-option"], "code": 2},
        {"arguments": ["--version"]},
    ],
    ids=["plain", "folder, umask, session", "environment", "settings of this project", "fails", "no YAML", "usage", "version"],
)
def test_state_output_and_exit_code_are_those_of_a_whole_start(place: Path, options: dict[str, Any]) -> None:
    write_play(place, [*TASKS, *options.get("tasks", ())])
    given = {"cwd": str(place / options.get("cwd", ".")), "env": around(place, **options.get("env", {}))}
    given |= {name: value for name, value in options.items() if name not in {"cwd", "env", "arguments", "code", "tasks"}}
    whole, forked = (seen(place, start, *options.get("arguments", ()), **given) for start in BOTH)
    assert forked[3] == whole[3]
    changing = r"\btmp\w{8}|ansible-(local|tmp)-[\w.-]+|\d:\d\d:\d\d\.\d+|\d{4}-\d\d-\d\d [\d:.]+"
    assert re.sub(changing, "0", forked[1]) == re.sub(changing, "0", whole[1])
    assert (forked[0], forked[2]) == (whole[0], whole[2])
    assert whole[0] == options.get("code", 0), whole
    if "tasks" in options:
        assert any(name.endswith(".module_utils.nerdctl.task") for name, _file, _spec in whole[3]["modules"])


def test_a_terminal_is_one(place: Path) -> None:
    found = []
    for start in BOTH:
        terminal = Terminal(columns=120)
        given: dict[str, Any] = {"stdin": terminal.other, "stdout": terminal.other, "stderr": terminal.other}
        code, _said, _errors, state = seen(place, start, cwd=str(place), env=around(place), **given)
        found.append((code, state, terminal.lines[-1]))
        print(terminal.lines)
        terminal.close()
    assert found[0][:2] == found[1][:2] and found[0][1]["streams"][1][2]
    assert found[0][2] == found[1][2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_to_the_group_ends_it_as_it_ends_a_whole_start(
    place: Path, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    # In the middle of a task: between two, ansible-core itself may wait for a worker that Ctrl-C killed.
    shell = {"ansible.builtin.shell": "touch begun && sleep 60", "args": {"chdir": str(place)}}
    write_play(place, [shell])
    # A shell may have started us with Ctrl-C switched off.
    before, codes = signal.signal(signal.SIGINT, signal.default_int_handler), []
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    for start in BOTH:
        (place / "begun").unlink(missing_ok=True)
        argv = [PLAYBOOK, "-i", "localhost,", str(place / "play.yml")]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with start(argv, cwd=place, env=around(place), start_new_session=True, **pipes) as run:
            assert os.getpgid(run.pid) == os.getsid(run.pid) == run.pid
            assert comes_true((place / "begun").exists, PATIENT) and run.poll() is None
            os.killpg(run.pid, number)
            codes.append(run.wait(PATIENT))
    assert codes[0] == codes[1] and codes[0] != 0


def test_a_collection_elsewhere_is_not_this_one() -> None:
    name = "ansible_collections.laptop.containers.plugins.module_utils.core.plan"
    here = ROOT / "collections" / "ansible_collections" / "laptop" / "containers" / "plugins" / "module_utils" / "core"
    module = importlib.import_module(name)
    known = Known({name: module})
    assert known.find_spec(name, ["/elsewhere/core"]) is None and known.find_spec(f"{name}s", [str(here)]) is None
    spec = known.find_spec(name, [str(here)])
    assert spec is not None and module_from_spec(spec) is module


def test_what_a_fork_cannot_be_is_started_whole(place: Path) -> None:
    program = Path(sys.executable).parent
    fork = {"args": [PLAYBOOK], "cwd": None, "preexec_fn": None, "shell": False, "uid": None, "gid": None, "gids": None}

    def forked(argv: str = PLAYBOOK, **other: Any) -> bool:
        return forked_ansible.can_be_forked({**fork, **other}, [argv])

    assert forked() == (sys.platform == "linux")
    assert not forked(preexec_fn=os.getpid) and not forked(str(program / "python")) and not forked("/usr/bin/ansible-playbook")
    with pytest.raises(FileNotFoundError):
        forked_ansible.run([PLAYBOOK, "--version"], cwd=place / "missing")
