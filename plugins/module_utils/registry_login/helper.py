# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS' credential helper for docker, which knows one profile per process, and a script for each other profile. Pure."""

from __future__ import annotations

import hashlib
import re
import shlex

HELPER = "ecr-login"
PROGRAM = f"docker-credential-{HELPER}"
_MARK = "# Written by laptop.containers: AWS' credential helper with one profile."
_PROFILE = re.compile(r"(?m)^AWS_PROFILE=(.*)$")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,40}\Z")


def helper_for(profile: str) -> str:
    """Return the name, as in credHelpers, of the helper that asks with this profile."""
    if not profile:
        return HELPER
    if _PLAIN.match(profile):
        return f"{HELPER}-{profile}"
    # Characters that a file's name can't have are left out; the digest keeps profiles apart that are alike then.
    plain = re.sub(r"[^a-z0-9]+", "-", profile.lower()).strip("-")[:40]
    return f"{HELPER}-{plain}-{hashlib.sha256(profile.encode()).hexdigest()[:8]}"


def is_ours(helper: object) -> bool:
    """Whether an entry of credHelpers can be our work."""
    return isinstance(helper, str) and (helper == HELPER or helper.startswith(f"{HELPER}-"))


def script_of(profile: str) -> str:
    """Return the script. Keys in the environment would beat the profile."""
    return (
        f"#!/bin/sh\n{_MARK}\nunset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n"
        f'AWS_PROFILE={shlex.quote(profile)}\nexport AWS_PROFILE\nexec {PROGRAM} "$@"\n'
    )


def profile_of(script: str) -> str:
    """Return the profile of a script that is ours to the letter. Returns '' for any other."""
    found = _PROFILE.search(script)
    try:
        (profile,) = shlex.split(found[1]) if found else [""]
    except ValueError:
        return ""
    return profile if profile and script == script_of(profile) else ""
