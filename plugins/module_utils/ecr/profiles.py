# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the user's AWS profiles, read as the AWS client reads them, which would take too long to load for this."""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import InputError
from ..core.system.files import moved_away

_CONFIG, _CREDENTIALS = "~/.aws/config", "~/.aws/credentials"


def aws_config(environment: Mapping[str, str]) -> str:
    """Return the file of the AWS client's profiles, as the user writes its name."""
    return environment.get("AWS_CONFIG_FILE") or _CONFIG


def aws_profiles(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names that either of the AWS client's files has. Raises InputError for a file that is not of its form."""
    config = _sections(aws_config(environment))
    credentials = _sections(environment.get("AWS_SHARED_CREDENTIALS_FILE") or _CREDENTIALS)
    return frozenset([*(name for section in config for name in _names(section)), *credentials])


def _names(section: str) -> list[str]:
    """Return the profile that a section of the config file is for, if it is for one."""
    if section == "default":
        return [section]
    try:
        words = shlex.split(section) if section.startswith("profile") else []
    except ValueError:
        # An open quote: the AWS client passes over such a section.
        return []
    return words[1:] if len(words) == 2 else []


def _sections(file: str) -> list[str]:
    # Not Path.expanduser, which raises for an unknown user.
    path = Path(os.path.expanduser(os.path.expandvars(file)))  # noqa: PTH111
    parser = configparser.RawConfigParser()
    try:
        parser.read([path])
    except (configparser.Error, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".:")
        remedy = f"Repair it, or move it away: {moved_away(path)}"
        raise InputError(f"read '{file}'", f"AWS' client can't, either ({reason})", remedy) from error
    return parser.sections()
