# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook in a sentence is the command that the reader can type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.plugin_utils.shell import OF_MAKE, VERBS, Shell, Way, result_typed, typed

ROOT = Path(__file__).resolve().parents[3]

MAKE = Shell(Way.MAKE, verbs=frozenset({"converge", "stop", "move", "restore", "snapshot"}))
PATH = Shell(Way.PROJECT, ".venv/bin/ansible-playbook")
COLLECTION = Shell(Way.COLLECTION, always=("-e workstation_hosts=localhost",))


@pytest.mark.parametrize(
    ("shell", "text", "said"),
    [
        (MAKE, "Stop it with playbooks/stop.yml, and run again.", "Stop it with 'make stop', and run again."),
        (MAKE, "Run 'playbooks/move.yml --tags retire'.", "Run 'make move ARGS=\"--tags retire\"'."),
        (MAKE, "playbooks/doctor.yml", "'ansible-playbook playbooks/doctor.yml'"),
        (MAKE, "/v/bin/ansible-playbook playbooks/stop.yml --tags a", "/v/bin/ansible-playbook playbooks/stop.yml --tags a"),
        (
            MAKE,
            "ansible-playbook -i inventory/rehearsal playbooks/workstation.yml --limit a --tags colima -e colima_restart=always",
            'make converge ARGS="-i inventory/rehearsal --limit a --tags colima -e colima_restart=always"',
        ),
        (MAKE, "mv a b && ansible-playbook playbooks/workstation.yml --tags x", 'mv a b && make converge ARGS="--tags x"'),
        (
            MAKE,
            """ansible-playbook playbooks/move.yml -e '{"a": 1}'""",
            """make move ARGS='-e '"'"'{"a": 1}'"'"''""",
        ),
        (
            MAKE,
            "Remove it with playbooks/move.yml, --tags retire and -e move_confirm=k8s-docker.",
            "Remove it with 'make move ARGS=\"--tags retire -e move_confirm=k8s-docker\"'.",
        ),
        (
            PATH,
            "ansible-playbook playbooks/workstation.yml --tags a,b",
            ".venv/bin/ansible-playbook playbooks/workstation.yml --tags a,b",
        ),
        (Shell(folder="../x/playbooks"), "../x/playbooks/stop.yml does.", "'ansible-playbook ../x/playbooks/stop.yml' does."),
        (
            COLLECTION,
            "It waits. Run playbooks/workstation.yml --tags colima.",
            "It waits. Run 'ansible-playbook laptop.containers.workstation --tags colima -e workstation_hosts=localhost'.",
        ),
        (MAKE, "see /home/me/playbooks/other.txt", "see /home/me/playbooks/other.txt"),
    ],
)
def test_a_playbook_is_the_command_of_the_shell(shell: Shell, text: str, said: str) -> None:
    assert typed(text, shell) == said


def test_only_the_sentences_of_a_result_are_changed() -> None:
    result = {"path": "playbooks/stop.yml", "pending": [{"remedy": "playbooks/stop.yml", "target": "playbooks/stop.yml"}]}
    assert result_typed(result, MAKE) == {
        "path": "playbooks/stop.yml",
        "pending": [{"remedy": "'make stop'", "target": "playbooks/stop.yml"}],
    }


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("playbooks/snapshot.yml with -e snapshot_profile=k8s", "'make snapshot PROFILE=k8s'"),
        ("playbooks/stop.yml --tags a,b,c, or later", "'make stop ARGS=\"--tags a,b,c\"', or later"),
        ("playbooks/restore.yml -e snapshot_name=two --check", "'make restore NAME=two ARGS=\"--check\"'"),
        (
            "playbooks/move.yml with -e move_profile=k8s and -e move_stop=always",
            "'make move PROFILE=k8s ARGS=\"-e move_stop=always\"'",
        ),
        ("playbooks/move.yml with -e snapshot_profile=k8s", "'make move ARGS=\"-e snapshot_profile=k8s\"'"),
    ],
)
def test_a_setting_that_make_has_a_variable_for_is_written_as_that(sentence: str, expected: str) -> None:
    assert typed(sentence, MAKE) == expected
    # And make takes it.
    text = (ROOT / "Makefile").read_text()
    for verb, settings in OF_MAKE.items():
        takes = re.search(rf"^TAKES_{verb} := (.*)$", text, re.M)
        assert takes and set(takes[1].split()) == set(settings.values())


def test_every_verb_that_make_tells_of_runs_its_playbook() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    verbs = re.search(r"^export LAPTOP_MAKE_VERBS := (.*)$", text, re.M)
    assert verbs
    for verb in verbs[1].split():
        playbook = next((name for name, other in VERBS.items() if other == verb), verb)
        assert re.search(rf"^{verb}: .*\n\t@\$\(ANSIBLE\) playbooks/{playbook}\.yml", text, re.M), verb
        assert re.search(rf"^{verb}: .*\n.*\$\(ARGS\)", text, re.M), verb
