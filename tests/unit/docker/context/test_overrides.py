# SPDX-License-Identifier: GPL-3.0-or-later
"""Who overrides docker's current context, and where."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.docker.context.overrides import find_settings, override_warnings


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("export DOCKER_HOST=tcp://a:1", "tcp://a:1"),
        ('  export DOCKER_HOST="unix://$HOME/x.sock"  # colima', "unix:///home/me/x.sock"),
        ("DOCKER_HOST='tcp://a:1'; export DOCKER_HOST", "tcp://a:1"),
        ("set -gx DOCKER_HOST tcp://a:1", "tcp://a:1"),
        ("typeset -x DOCKER_HOST=tcp://a:1", "tcp://a:1"),
        ("# export DOCKER_HOST=tcp://a:1", None),
        ("unset DOCKER_HOST", None),
        ("export DOCKER_HOST", None),
        ("echo $DOCKER_HOST", None),
        ("export DOCKER_HOSTNAME=x", None),
        ("export DOCKER_HOST=", None),
    ],
)
def test_a_line_of_a_start_file_sets(line: str, value: str | None) -> None:
    found = find_settings(["/home/me/.zshrc"], "/home/me", lambda _: f"# first\n{line}\n")
    assert [(item.value, item.path, item.line) for item in found] == ([(value, "/home/me/.zshrc", 2)] if value else [])


def warnings(environment: dict[str, str], *lines: str) -> list[str]:
    findings = find_settings(["/home/me/.zshrc"], "/home/me", lambda _: "\n".join(lines))
    return override_warnings(environment, findings, "work", "unix:///work.sock")


def test_an_override_names_the_file_and_the_line() -> None:
    (said,) = warnings({"DOCKER_HOST": "tcp://a:1"}, "", "export DOCKER_HOST=tcp://a:1")
    assert "DOCKER_HOST=tcp://a:1 is set in /home/me/.zshrc line 2 and overrides docker's current context 'work'" in said


def test_an_override_of_unknown_origin_is_named_too() -> None:
    (said,) = warnings({"DOCKER_CONTEXT": "other"})
    assert "DOCKER_CONTEXT=other is set in the environment of this run" in said


def test_a_start_file_alone_is_enough() -> None:
    (said,) = warnings({}, "export DOCKER_CONTEXT=other")
    assert "/home/me/.zshrc line 1" in said


def test_what_says_the_same_as_the_context_is_no_override() -> None:
    assert warnings({"DOCKER_HOST": "unix:///work.sock", "DOCKER_CONTEXT": "work"}) == []
    assert warnings({}, "export DOCKER_HOST=unix:///work.sock") == []
