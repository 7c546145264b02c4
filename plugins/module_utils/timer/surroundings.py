# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timer's command finds around it: variables, a PATH, the files that it needs, and tokens that grow old.

A timer is installed from a shell and runs in none. What it inherits must not depend on which shell that was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..core.errors import InputError
from ..core.system.command import USUAL_DIRECTORIES, complete_path
from ..ecr.renewal import TOKEN_LIFE, threshold_from
from .model import Timer, refused

# What a run of this collection may start: for profiles, for logins, for a kubeconfig's exec entry, for docker's credential store.
PROGRAMS = (
    "colima",
    "limactl",
    "docker",
    "kubectl",
    "aws",
    "docker-credential-osxkeychain",
    "docker-credential-secretservice",
    "docker-credential-pass",
    "docker-credential-ecr-login",
)
# Where things are and how the network is reached. Who asks AWS is not among it.
PLACES = (
    "ALL_PROXY",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "COLIMA_HOME",
    "DOCKER_CONFIG",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBECONFIG",
    "LIMA_HOME",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


def at_home(words: Iterable[str]) -> tuple[str, ...]:
    """Return words with a leading ~ expanded; a $ stays, unlike in the type path, because no service manager reads it."""
    return tuple(os.path.expanduser(word) for word in words)  # noqa: PTH111


def search_path(programs: Iterable[str], path: str) -> str:
    """Return a PATH that finds the programs where this one does: their directories in the programs' order, then the usual ones.

    Directories that hold none of them are left out, so that another shell with another PATH comes to the same result.
    """
    places = (shutil.which(program, path=complete_path(path)) for program in programs)
    unusual = [str(Path(place).parent) for place in places if place and str(Path(place).parent) not in USUAL_DIRECTORIES]
    return os.pathsep.join([*dict.fromkeys(unusual), *USUAL_DIRECTORIES])


def variables(
    around: Mapping[str, str], inherit: Iterable[str], programs: Iterable[str], given: Mapping[str, object]
) -> dict[str, str]:
    """Return the variables of the command: PATH, those inherited, and over them those given. Empty ones are left out.

    programs, inherit: beside the variables that every run of this collection needs.
    """
    inherited = {name: around.get(name, "") for name in (*PLACES, *inherit)}
    path = search_path((*PROGRAMS, *programs), around.get("PATH", ""))
    merged = {"PATH": path, **inherited, **{name: str(value) for name, value in given.items()}}
    return {name: value for name, value in merged.items() if value}


def left_behind(timer: str, around: Mapping[str, str], names: Iterable[str], given: Mapping[str, object]) -> list[str]:
    """Return a warning for each variable that is set around the task, and that the timer silently runs without."""
    return [
        f"Timer '{timer}' runs without {name}, which is '{around[name]}' for this run. If its command needs {name}, set it "
        f"in O(environment); if not, set it there to an empty one."
        for name in names
        if around.get(name) and name not in given
    ]


def looks_too_seldom(timer: Timer, refresh_before: str) -> str | None:
    """Return a warning where pull secrets can expire between two runs of the timer, or None. Raises InputError."""
    longest = threshold_from(refresh_before, TOKEN_LIFE).of(TOKEN_LIFE)
    life, most = (round(time.total_seconds() / 60) for time in (TOKEN_LIFE, longest))
    if timer.minutes is not None and timer.minutes <= most:
        return None
    return (
        f"Timer '{timer.name}' lets pull secrets expire: it looks {timer.when}, and a token that is valid for "
        f"{life} is renewed only when less than {most} are left (O(refresh_before={refresh_before})). "
        f"Let it look every {most} minutes or more often."
    )


def elsewhere(timer: Timer) -> InputError:
    """Return a failure for a timer whose command exists on the machine that runs Ansible only."""
    reason = "it would run on the laptop, and the project and the Python of this run are on another machine"
    remedy = "Run the playbook on the laptop itself, or give the paths of a clone of the project and of a Python that are there."
    return refused(timer, reason, remedy)


def missing_on_this_machine(timer: Timer, needs: Iterable[str]) -> InputError | None:
    """Return a failure for the first thing that the timer would not find here, or None when all is there."""
    program, remedy = timer.command[0], "Give the path that it has here."
    if not os.access(program, os.X_OK) or Path(program).is_dir():
        return refused(timer, f"'{program}' is not a program on this machine", remedy)
    for path in (*needs, *([timer.directory] if timer.directory else [])):
        if not Path(timer.directory, path).exists():
            return refused(timer, f"its command needs '{path}', which does not exist on this machine", remedy)
    return None
