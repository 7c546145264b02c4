# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees of two starting VMs, with the plain `ansible-playbook` command: live lines and a closing summary."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.processes.system import comes_true
from tests.support.ansible_runs import forked_ansible
from tests.support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = str(Path(sys.executable).with_name("ansible-playbook"))
PLAY = """
- hosts: laptops
  gather_facts: false
  tasks:
    - name: Converge
      laptop.containers.colima_profile:
        profiles:
          - {name: one, cpu: 2, memory: 2, disk: 20}
          - {name: two, runtime: containerd, cpu: "{{ cpu | default(2) | int }}", memory: 2, disk: 20}
        restart: "{{ restart | default('never') }}"
        host: {cpus: 8, memory_mib: 16384, system: Darwin, arch: arm64}
      environment: "{{ workstation_environment | combine({'REHEARSAL_BOOT_SECONDS': '3'}) | combine(more | default({})) }}"
"""
STARTING = re.compile(r"^  (one|two) +\d+ s  (.+)$", re.MULTILINE)


def rehearsal(verb: str, lab: Path, *arguments: str) -> None:
    argv = [sys.executable, "-m", "rehearsal", verb, "--dir", str(lab), *arguments]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, timeout=180)


@pytest.fixture
def lab() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lp-", dir="/tmp") as folder:
        place = Path(folder) / "lab"
        rehearsal("up", place, "--grade", "light")
        (Path(folder) / "play.yml").write_text(PLAY)
        try:
            yield place
        finally:
            rehearsal("down", place)


def start(lab: Path, *arguments: str, output: int = subprocess.PIPE, color: str = "0") -> subprocess.Popen[bytes]:
    argv = [ANSIBLE, "-i", "inventory/rehearsal", str(lab.parent / "play.yml"), *arguments]
    environment = {
        **os.environ,
        "LAPTOP_REHEARSAL_DIR": str(lab),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": color,
        "TERM": "xterm",
        "TMPDIR": str(lab.parent),
    }
    return forked_ansible.Started(
        argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )


def play(lab: Path, *arguments: str) -> str:
    done = start(lab, *arguments)
    text = done.communicate(timeout=240)[0].decode()
    assert done.returncode == 0, text
    return text


def test_every_phase_is_a_line_and_the_end_says_what_changed_and_what_waits(lab: Path) -> None:
    planned = play(lab, "--check")
    assert STARTING.findall(planned) == []
    assert "would change   create profile 'one' (docker, 2 CPUs, 2 GiB, disk 20 GiB)" in planned
    first = play(lab)
    shown = STARTING.findall(first)
    for profile in ("one", "two"):
        phases = [phase for name, phase in shown if name == profile]
        assert phases[0] == "starting"
        assert "booting" in phases
        assert phases[-1] == "ready"
    assert shown.index(("two", "starting")) < shown.index(("one", "ready"))
    assert "WORKSTATION rehearsal" in first
    assert "changed        create profile 'one' (docker, 2 CPUs, 2 GiB, disk 20 GiB)" in first
    assert re.search(r"use it +profile one: docker, 2 CPUs, 2 GiB, unix:///\S+/one/docker\.sock", first)
    held = play(lab, "-e", "cpu=3")
    assert "changed        nothing" in held
    assert "pending        profile 'two': cpu 2 CPUs -> 3 CPUs, because restart is set to never." in held
    assert STARTING.findall(held) == []


def watch(lab: Path, terminal: Terminal, *arguments: str, color: str = "0") -> tuple[int, list[str]]:
    """Play on a terminal; return the exit status and what is to be seen at the end."""
    running = start(lab, *arguments, output=terminal.other, color=color)
    os.close(terminal.other)
    deadline = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < deadline:
        select.select([terminal.ours], [], [], 0.2)
        terminal.read()
    return running.wait(timeout=1), terminal.lines


def test_a_terminal_shows_the_lines_in_place_and_ansibles_own_below_them(lab: Path) -> None:
    terminal = Terminal(100)
    status, lines = watch(lab, terminal, "-v", color="1")
    terminal.close()
    assert status == 0, lines
    # The task's own lines come with its result.
    (task,) = (number for number, line in enumerate(lines) if line.startswith("TASK [Converge]"))
    shown = [line for line in lines[:task] if line]
    assert re.fullmatch(r"  one +\d+ s  ready", shown[-2]), lines
    assert re.fullmatch(r"  two +\d+ s  ready", shown[-1]), lines
    assert lines[task + 1].startswith("changed: [rehearsal] =>")
    assert len([line for line in lines if re.match(r"  (one|two) +\d+ s", line)]) == 2, lines


def test_a_failure_on_a_narrow_terminal_is_readable_and_tells_what_was_done(lab: Path) -> None:
    terminal = Terminal(40)
    status, lines = watch(lab, terminal, "-e", '{"more": {"REHEARSAL_FAIL": "docker-start:one"}}')
    terminal.close()
    assert status != 0
    text = " ".join(lines)
    # Ansible breaks its own lines at the edge of the terminal, anywhere.
    assert "Couldnotstartprofile'one'" in text.replace(" ", "")
    progress = [line for line in lines if re.match(r"  (one|two) +\d+ s", line)]
    assert [line.split("s  ")[1] for line in progress] == ["failed", "ready"], lines
    assert "changed        nothing" not in text
    assert re.search(r"changed +create profile 'two'", text), lines
    assert re.search(r"createprofile'one'\(.*\):notfinished", text.replace(" ", "")), lines


def test_ctrl_c_during_a_start_leaves_what_the_next_play_finishes(lab: Path) -> None:
    running = start(lab)
    home = lab / "home" / ".colima" / "_lima"
    assert comes_true((home / "colima-one" / "ha.pid").exists, 60)
    # As a terminal does it: to everybody in the group.
    os.killpg(running.pid, signal.SIGINT)
    text = running.communicate(timeout=60)[0].decode()
    assert running.returncode != 0
    assert "Traceback" not in text
    assert list(lab.parent.glob("laptop-containers-*")) == []
    comes_true(lambda: not list((home / "_laptop.containers").glob("*.pid")), 20)
    # With restart set to never, the VM that was being started would wait for a user who may stop it.
    finished = play(lab, "-e", "restart=if_idle")
    assert "profile one: docker" in finished
    assert "profile two: containerd" in finished
    assert "changed        nothing" in play(lab)
