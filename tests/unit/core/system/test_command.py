# SPDX-License-Identifier: GPL-3.0-or-later
"""The process seam, with real processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, TimedOut, ToolMissing
from ansible_collections.laptop.containers.plugins.module_utils.core.system.command import Cli, complete_path

from rehearsal.standin.colima.lima.instances import alive
from tests.support.macos import answers

Tool = Callable[..., Cli]


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Return a maker of tools: a shell script on a PATH of its own."""

    def make(script: str, **environment: str | None) -> Cli:
        path = tmp_path / "tool"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Cli("tool", "Install it.", {"PATH": f"{tmp_path}:/usr/bin:/bin", **environment})

    return make


def ended(true: Callable[[], bool]) -> bool:
    """Whether a condition comes true within 20 s."""
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def test_both_channels_and_the_exit_code_come_back(tool: Tool) -> None:
    output = tool("echo out; echo err >&2; exit 3").run(check=False)
    assert (output.rc, output.stdout, output.stderr) == (3, "out\n", "err\n")


def test_a_failure_names_the_command_and_the_last_line(tool: Tool) -> None:
    with pytest.raises(CommandFailed) as caught:
        tool("echo first >&2; echo 'the reason' >&2; exit 2").run("a", "b")
    assert caught.value.message == "Could not run 'tool a b': the reason (exit code 2)."
    assert caught.value.context["stderr"] == "first\nthe reason\n"


def test_a_missing_tool_says_how_to_get_it() -> None:
    with pytest.raises(ToolMissing, match=r"Could not find 'no-such-tool'.*Run 'brew install it'\."):
        Cli("no-such-tool", "Run 'brew install it'.").run()


def test_a_tool_made_for_another_machine_is_named(tool: Tool, tmp_path: Path) -> None:
    cli = tool("exit")
    (tmp_path / "tool").write_bytes(b"\x7fELF of another machine")
    for run in (cli.run, cli.transfer):
        with pytest.raises(CommandFailed) as caught:
            run("version")
        assert caught.value.message.startswith(f"Could not start '{tmp_path}/tool': Exec format error. Look whether ")


def test_stdin_reaches_the_tool_and_not_its_arguments(tool: Tool) -> None:
    output = tool('cat; echo "args: $#"').run(stdin="secret\n")
    assert output.stdout == "secret\nargs: 0\n"
    assert "secret" not in output.argv


def test_a_tool_that_never_reads_a_long_input_is_no_failure(tool: Tool) -> None:
    assert tool("exit 0").run(stdin="x" * 1_000_000).rc == 0


def test_variables_are_set_and_taken_away(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLIMA_PROFILE", "other")
    output = tool('echo "${COLIMA_PROFILE-none} $LC_ALL $EXTRA"', COLIMA_PROFILE=None).run(environment={"EXTRA": "yes"})
    assert output.stdout == "none C yes\n"


@pytest.mark.parametrize(
    ("script", "bounds", "reason"),
    [
        pytest.param("while :; do echo x; sleep 0.05; done", {"timeout": 1.5}, "it ran longer than 1.5 s", id="too long"),
        pytest.param("echo begun; sleep 60", {"timeout": 40, "stall": 1.5}, "it printed nothing for 1.5 s", id="silent"),
    ],
)
def test_a_run_is_bounded_and_its_output_kept(tool: Tool, script: str, bounds: dict[str, Any], reason: str) -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut, match=reason) as caught:
        tool(script).run(**bounds)
    assert time.monotonic() - began < 20
    assert caught.value.context["stdout"]


def test_a_silent_tool_is_left_alone_while_something_shows_that_it_works(tool: Tool, tmp_path: Path) -> None:
    working = tool(f"for i in $(seq 20); do echo x >> {tmp_path}/grows; sleep 0.1; done; sleep 60")

    def probe() -> int:
        file = tmp_path / "grows"
        return file.stat().st_size if file.exists() else 0

    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"it printed nothing for 1 s and showed no other sign of life"):
        working.run(stall=1.0, probe=probe)
    assert probe() == 40
    assert 2.0 < time.monotonic() - began < 20


def test_a_time_out_ends_the_children_too(tool: Tool, tmp_path: Path) -> None:
    with pytest.raises(TimedOut):
        tool(f"sh -c 'echo $$ > {tmp_path}/child; exec sleep 60' & wait").run(timeout=1.5)
    assert ended(lambda: not alive(int((tmp_path / "child").read_text())))


def test_on_a_mac_a_tool_that_ended_at_its_limit_counts_as_late_and_not_as_forbidden(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "killpg", answers.killpg)
    with pytest.raises(TimedOut, match=r"it ran longer than 0.5 s"):
        tool("exec sleep 60").run(timeout=0.5)


@pytest.mark.parametrize("bounds", [{"timeout": 1.5}, {"stall": 1.5}], ids=["timeout", "stall"])
@pytest.mark.parametrize("reads", ["", "head -c 100000 >/dev/null; "], ids=["nothing", "its beginning"])
def test_a_limit_holds_for_a_tool_that_does_not_read_its_input(
    tool: Tool, tmp_path: Path, reads: str, bounds: dict[str, Any]
) -> None:
    threads = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(TimedOut):
        tool(f"echo $$ > {tmp_path}/tool.pid; {reads}exec sleep 60").run(stdin="x" * 10_000_000, **bounds)
    assert 1.5 <= time.monotonic() - began < 20
    # Neither the tool nor the thread that writes its input continues.
    assert ended(lambda: not alive(int((tmp_path / "tool.pid").read_text())))
    assert ended(lambda: set(threading.enumerate()) <= threads)


def test_a_daemon_that_keeps_the_pipe_open_does_not_hold_the_run(tool: Tool) -> None:
    began = time.monotonic()
    assert tool("sleep 60 & echo started").run().stdout == "started\n"
    assert time.monotonic() - began < 20


def test_lines_arrive_while_the_tool_runs(tool: Tool, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def on_line(channel: str, line: str) -> None:
        seen.append((channel, line))
        (tmp_path / line).touch()

    tool(f"echo one; while [ ! -e {tmp_path}/one ]; do sleep 0.02; done; echo two >&2").run(timeout=20, on_line=on_line)
    assert seen == [("stdout", "one"), ("stderr", "two")]


def test_an_answer_that_is_no_json_is_said(tool: Tool) -> None:
    assert tool("echo '{\"a\": 1}'").json() == {"a": 1}
    with pytest.raises(CommandFailed, match="it is not JSON"):
        tool("echo oops").json("list")


def test_the_usual_directories_are_added_behind() -> None:
    path = complete_path("/mine:/usr/bin").split(os.pathsep)
    assert path[:2] == ["/mine", "/usr/bin"]
    assert "/opt/homebrew/bin" in path
    assert len(path) == len(set(path))
