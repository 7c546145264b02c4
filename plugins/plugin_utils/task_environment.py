# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a laptop's command a task's environment on stdin or in a file: all users of the laptop can read arguments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError

# A shell reads single bytes of a pipe here, so that the command finds the rest of stdin. Argument: the number of lines.
_BEGIN = r"""lines= count=$1; shift
while [ "$count" -gt 0 ] && IFS= read -r line; do lines=$lines$line'
'; count=$((count - 1)); done
eval "$lines"; unset lines line count; exec "$@" """

_WRITE = 'umask 077; file=$(mktemp "${TMPDIR:-/tmp}/laptop.XXXXXXXX") && cat >"$file" && printf "<%s>" "$file"'


def run_in_environment(action: Any, argv: Sequence[str], stdin: str = "", **how: Any) -> Mapping[str, Any]:
    """Run a command through the connection of a task's action. how: what Ansible's own function takes.

    With something on stdin, SSH keeps stdout and stderr apart.
    """
    variables = action._compute_environment_string()
    if variables:
        exports = f"export {variables}\n"
        argv, stdin = ("/bin/sh", "-c", _BEGIN, "sh", str(exports.count("\n")), *argv), exports + stdin
    done: Mapping[str, Any] = action._low_level_execute_command(shlex.join(argv), in_data=stdin.encode() or b"\n", **how)
    return done


def read_from_file(action: Any, variables: str) -> str:
    """Write a task's environment to a file for the laptop's user alone. Returns shell words that read and remove it."""
    done = action._low_level_execute_command(_WRITE, in_data=f"export {variables}\n".encode())
    found = re.search(r"<(/.+)>", str(done["stdout"]))
    if done["rc"] != 0 or not found:
        reason = str(done["stderr"]).strip().rstrip(".") or f"its shell ended with exit code {done['rc']}"
        raise AnsibleError(f"Could not hand the task's environment to the laptop: {reason}. Make its TMPDIR writable.")
    file = shlex.quote(found[1])
    return f". {file}; rm -f {file};"
