# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that give AWS' credential helper a profile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.helper import (
    helper_for,
    is_ours,
    profile_of,
    script_of,
)

PROFILES = ["dev", "a b", "it's $HOME; rm -rf `x`", "Team/Prod", "ünï", "x" * 200]


def test_each_profile_has_a_helper_of_its_own_whose_name_a_file_can_have() -> None:
    names = [helper_for(profile) for profile in ["", *PROFILES, "team-prod"]]
    assert len(set(names)) == len(names) and names[:2] == ["ecr-login", "ecr-login-dev"]
    assert all(is_ours(name) and "/" not in name and len(name) < 70 for name in names)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_script_starts_the_helper_with_its_profile_and_without_keys(tmp_path: Path, profile: str) -> None:
    real = tmp_path / "docker-credential-ecr-login"
    real.write_text('#!/bin/sh\nprintf "%s|" "$AWS_PROFILE" "$AWS_ACCESS_KEY_ID" "$AWS_REGION" "$@"; cat\n')
    script = tmp_path / "script"
    script.write_text(script_of(profile))
    for file in (real, script):
        file.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_REGION": "eu-central-1"}
    done = subprocess.run([script, "get"], input="host", capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"{profile}||eu-central-1|get|host"
    assert profile_of(script_of(profile)) == profile


@pytest.mark.parametrize("text", ["", "#!/bin/sh\n", script_of("dev") + "echo more\n", "AWS_PROFILE='", "AWS_PROFILE=a b"])
def test_a_script_that_was_changed_is_not_ours(text: str) -> None:
    assert profile_of(text) == ""
