# SPDX-License-Identifier: GPL-3.0-or-later
"""A session of botocore whose credential_process has bounds: the program's answer is read and checked before botocore does.

What the program prints is a secret from the first byte on: no failure repeats it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.errors import TimedOut, WorkstationError
from ..core.secrecy.known import learn
from ..core.system.command import Cli
from ..core.system.home import authorities_file
from ..core.system.proxies import passes_by, proxies_around

# Time for a token from far away, not for a user who is away.
PROGRAM_SECONDS = 60.0
PROGRAM_BYTES = 64 << 10
_TEXTS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


class ProgramFailed(Exception):
    """The program gave no credentials; the text says why, without anything that it printed."""


def session_of(profile: str) -> Any:
    """Return a session that also takes the roles which the AWS command has assumed and saved: an MFA code was typed for them."""
    import botocore.session
    import botocore.utils
    from botocore.credentials import ProcessProvider

    # Where no variable names a proxy, botocore asks macOS for one, and a forked process, as Ansible's workers are, dies of that.
    library: Any = botocore.utils
    library.getproxies, library.proxy_bypass = proxies_around, passes_by

    class Saved(dict[str, Any]):
        """What the AWS command saved is read; what is asked for here stays in memory."""

        files = botocore.utils.JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))

        def __contains__(self, key: object) -> bool:
            return super().__contains__(key) or key in self.files

        def __missing__(self, key: str) -> Any:
            return self.files[key]

    session = botocore.session.Session(profile=profile or None)
    # The role network writes it. A variable or a setting of the user's goes before.
    if not session.get_config_variable("ca_bundle") and (authorities := authorities_file()).is_file():
        session.set_config_variable("ca_bundle", str(authorities))
    providers = session.get_component("credential_provider")
    role = providers.get_provider("assume-role")
    role.cache = Saved()
    # The client would wait for a program without a limit, and leave it running.
    providers.get_provider("custom-process")._popen = Program
    role._profile_provider_builder._create_process_provider = lambda name: ProcessProvider(
        profile_name=name, load_config=lambda: session.full_config, popen=Program
    )
    return session


def settings_of(session: Any, profile: str) -> Mapping[str, Any]:
    """Return what the AWS client's files say of a profile. Raises what the client does for files that it can't read."""
    settings: Mapping[str, Any] = session.full_config.get("profiles", {}).get(profile or "default", {})
    return settings


def uses_sso(settings: Mapping[str, Any]) -> bool:
    """Whether a profile with these settings logs in with SSO."""
    return "sso_start_url" in settings or "sso_session" in settings


class Program:
    """What botocore starts in place of subprocess.Popen."""

    def __init__(self, words: Sequence[str], **_pipes: Any) -> None:
        self.words = list(words)
        self.returncode = 0

    def communicate(self) -> tuple[bytes, bytes]:
        """Run the program to its end and return its checked answer. Raises ProgramFailed."""
        if not self.words:
            raise ProgramFailed("its credential_process is empty")
        try:
            output = Cli(self.words[0]).run(
                *self.words[1:], check=False, timeout=PROGRAM_SECONDS, most=PROGRAM_BYTES, guarded=True, secret=True
            )
        except TimedOut as error:
            raise ProgramFailed(f"its credential_process did not end well: {error.reason}") from None
        except WorkstationError as error:
            raise ProgramFailed(f"its credential_process '{self.words[0]}' can't be started: {error.reason}") from None
        if output.rc != 0:
            raise ProgramFailed(f"its credential_process failed with exit code {output.rc}")
        learn(*_texts_in(output.stdout))
        return json.dumps(_answer(output.stdout)).encode(), b""


def _texts_in(text: str) -> list[str]:
    """Return the parts of an answer that may be secrets, also of an invalid one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [line.strip() for line in text.splitlines()]
    return [str(value) for key, value in found.items() if key != "AccessKeyId"] if isinstance(found, dict) else [text.strip()]


def _answer(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ProgramFailed("the answer of its credential_process is not JSON") from None
    if not isinstance(found, dict) or found.get("Version") != 1:
        raise ProgramFailed("the answer of its credential_process has another form than version 1")
    for key in _TEXTS:
        value = found.get(key)
        if not (isinstance(value, str) and value) and not (key == "SessionToken" and value is None):
            raise ProgramFailed(f"the answer of its credential_process has no {key}")
    ends = found.get("Expiration")
    if ends is not None and not _has_zone(str(ends)):
        raise ProgramFailed("the Expiration in the answer of its credential_process is not a time with a zone")
    return found


def _has_zone(time: str) -> bool:
    try:
        return datetime.fromisoformat(time).tzinfo is not None
    except ValueError:
        return False
