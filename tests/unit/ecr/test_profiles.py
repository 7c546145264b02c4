# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of AWS profiles: the same names that the AWS client itself finds."""

from __future__ import annotations

import os
from pathlib import Path

import botocore.exceptions
import botocore.session
import pytest

from plugins.module_utils.core.errors import InputError
from plugins.module_utils.ecr.profiles import aws_profiles

CONFIG = """
[default]
region = eu-central-1
[profile dev]
sso_session = company
[profile "two words"]
[profile 'open]
[profile three little words]
[profiles odd]
[plugins]
[sso-session company]
sso_start_url = https://company.awsapps.com/start
s3 =
  addressing_style = path
"""
CREDENTIALS = "[keys]\naws_access_key_id = AKIA\n[dev]\naws_access_key_id = AKIA\n"


@pytest.mark.parametrize(("config", "credentials"), [(CONFIG, CREDENTIALS), (CONFIG, None), (None, CREDENTIALS), (None, None)])
@pytest.mark.parametrize("named", [True, False], ids=["named files", "usual files"])
def test_they_are_those_of_the_aws_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str | None, credentials: str | None, named: bool
) -> None:
    folder = tmp_path / ("elsewhere" if named else ".aws")
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable, name, text in (
        ("AWS_CONFIG_FILE", "config", config),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials),
    ):
        if text is not None:
            (folder / name).write_text(text)
        if named:
            monkeypatch.setenv(variable, f"$HOME/elsewhere/{name}")
        else:
            monkeypatch.delenv(variable, raising=False)
    found = aws_profiles(os.environ)
    assert found == set(botocore.session.Session().available_profiles)
    assert ("keys" in found, "two words" in found) == (credentials is not None, config is not None)


@pytest.mark.parametrize("content", [b"region = eu-central-1\n", b"[default]\n[default]\n", b"[default]\nkey = \xff\n"])
def test_a_file_that_the_aws_client_cannot_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    with pytest.raises(botocore.exceptions.ConfigParseError):
        assert botocore.session.Session().available_profiles
    with pytest.raises(InputError) as caught:
        aws_profiles({"AWS_CONFIG_FILE": str(file)})
    assert caught.value.message.startswith(f"Could not read '{file}': ")
    assert (
        caught.value.message.endswith(f" Repair it, or move it away: mv {file} {file}.damaged")
        and "\n" not in caught.value.message
    )
