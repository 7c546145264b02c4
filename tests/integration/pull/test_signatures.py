# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of what a laptop pulls, by real ssh-keygen and gpg: nothing is written before it was verified."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.whole_machine.pulled_project import NOBODY, Laptop, Repository, gpg_signer, ssh_signer

pytestmark = pytest.mark.real("ssh-keygen")


class Team:
    """A repository, a key that counts, and a laptop that takes only what it has signed."""

    def __init__(self, home: Path) -> None:
        self.repository = Repository(home / "team")
        self.known, line = ssh_signer(home, "platform")
        self.signers = str(home / "signers")
        Path(self.signers).write_text(line)
        self.laptop = Laptop(home, self.repository.url)
        self.flags = ("--verify", f"--signers={self.signers}")


@pytest.fixture
def team(home: Path) -> Team:
    made = Team(home)
    made.repository.commit("one", made.known)
    return made


def test_a_signed_commit_is_taken(team: Team) -> None:
    assert team.laptop.pull(*team.flags)["result"] == "fresh"
    two = team.repository.commit("two", team.known)
    assert team.laptop.pull(*team.flags)["commit"] == two
    assert team.laptop.ran == ["one", "two"]


def test_one_without_a_signature_and_one_of_a_stranger_are_not_written(team: Team, home: Path) -> None:
    team.laptop.pull(*team.flags)
    unsigned = team.repository.commit("unsigned")
    status = team.laptop.pull(*team.flags, code=1)
    assert status["message"] == f"Could not take commit {unsigned}: it is not signed. Nothing of it was checked out."
    stranger, _line = ssh_signer(home, "stranger")
    team.repository.commit("strange", stranger)
    assert "No principal matched" in team.laptop.pull(*team.flags, code=1)["message"]
    assert (team.laptop.text, team.laptop.ran) == ("one", ["one"])
    # What is between counts for nothing: the signature of the last one vouches for all before it.
    team.repository.commit("signed", team.known)
    team.laptop.pull(*team.flags)
    assert team.laptop.ran == ["one", "signed"]


def test_a_laptop_that_has_no_clone_yet_gets_no_file_of_an_unsigned_one(team: Team) -> None:
    team.repository.commit("unsigned")
    team.laptop.pull(*team.flags, code=1)
    assert {path.name for path in team.laptop.clone.iterdir()} == {".git"}


def test_an_older_commit_is_refused_though_it_is_signed(team: Team) -> None:
    one = team.repository.git("rev-parse", "HEAD")[:12]
    two = team.repository.commit("two", team.known)
    team.laptop.pull(*team.flags)
    team.repository.git("reset", "--quiet", "--hard", one)
    assert team.laptop.pull(*team.flags, code=1)["message"].startswith(f"Could not go from commit {two} to {one}: branch 'main'")
    assert team.laptop.text == "two"


def test_a_tag_counts_by_its_own_signature(team: Team) -> None:
    team.repository.commit("unsigned")
    team.repository.git("tag", "--sign", "--message", "v1", "v1", signer=team.known)
    team.repository.git("tag", "--annotate", "--message", "v2", "v2")
    team.laptop.pull(*team.flags, "--version=v1")
    assert team.laptop.text == "unsigned"
    assert "Could not take commit" in team.laptop.pull(*team.flags, "--version=v2", code=1)["message"]


def test_ansible_pull_would_have_written_it_first(team: Team, home: Path) -> None:
    """Why this project does not rest on `ansible-pull --verify-commit`: what it refuses is in place, for whatever runs next."""
    theirs = home / "theirs"
    pull = [str(Path(sys.executable).with_name("ansible-pull")), "--verify-commit", "--url", team.repository.url]
    signers = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gpg.ssh.allowedSignersFile", "GIT_CONFIG_VALUE_0": team.signers}
    around = {**os.environ, **NOBODY, **signers, "ANSIBLE_HOME": str(home / "ansible")}

    def run() -> tuple[int, str]:
        argv = [*pull, "--directory", str(theirs), "play.py"]
        done = subprocess.run(argv, env=around, capture_output=True, text=True, check=False, timeout=180)
        return done.returncode, done.stdout

    run()
    assert (theirs / "text").read_text() == "one"
    team.repository.commit("unsigned")
    code, said = run()
    assert code and "Failed to verify GPG signature" in said
    assert (theirs / "text").read_text() == "unsigned"


@pytest.mark.real("gpg")
def test_gpg_signatures_count_by_the_keyring(home: Path) -> None:
    repository = Repository(home / "team")
    laptop = Laptop(home, repository.url)
    with gpg_signer("platform") as known, gpg_signer("stranger") as stranger:
        laptop.environment |= known.environment
        repository.commit("one", known)
        assert laptop.pull("--verify")["result"] == "fresh"
        repository.commit("two", stranger)
        assert "No public key" in laptop.pull("--verify", code=1)["message"]
        repository.commit("three", known)
        laptop.pull("--verify")
    assert laptop.ran == ["one", "three"]


@pytest.mark.real("gpg")
@pytest.mark.parametrize(
    "content", ["", "\n", "# platform@example.com ssh-ed25519 AAAA\n"], ids=["empty", "a blank line", "a comment"]
)
def test_a_file_that_names_no_signer_refuses_every_commit_also_one_of_gpg(team: Team, home: Path, content: str) -> None:
    Path(team.signers).write_text(content)
    with gpg_signer("stranger") as stranger:
        # Its key lies in the keyring of the laptop, which does not count beside a file of signers.
        team.laptop.environment |= stranger.environment
        for signer in (team.known, stranger, None):
            team.repository.commit(f"by {signer and signer.flags}", signer)
            status = team.laptop.pull(*team.flags, code=1)
            reason = f"'{team.signers}' lists no one. Name those who may sign in pull_timer_signers."
            assert status["message"] == f"Could not verify the commit: {reason}"
    assert (team.laptop.text, team.laptop.ran) == ("", [])


def test_a_missing_file_of_signers_refuses_every_commit(team: Team) -> None:
    Path(team.signers).unlink()
    assert team.laptop.pull(*team.flags, code=1)["message"].startswith("Could not ")
    assert (team.laptop.text, team.laptop.ran) == ("", [])
