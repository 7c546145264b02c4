# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima's and Lima's failures say, in one sentence: the reason is often on another channel than the complaint. Pure."""

from __future__ import annotations

import re

from ...core.errors import CommandFailed, InputError, ToolMissing

_LOGFMT_MESSAGE = re.compile(r'msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def explained(error: CommandFailed, what: str = "") -> CommandFailed | InputError | ToolMissing:
    """Return a failure in one sentence with its real reason: colima says 'exit status 1', Lima's lines on stdout say why."""
    stdout, stderr = str(error.context.get("stdout", "")), str(error.context.get("stderr", ""))
    both = stdout + stderr
    context = {key: value for key, value in error.context.items() if key != "msg"}
    if "must not run as the root user" in both:
        reason = "limactl must not run as the root user"
        return InputError(f"Could not use Lima: {reason}. Run the play as the laptop's user, without become.", **context)
    if re.search(r'limactl\\?": executable file not found|exec: "limactl"|limactl: not found', both):
        return ToolMissing("limactl", "Run 'brew install lima'.", **context)
    if not what:
        return error
    said = [message for message in (last_message(stderr), _reason(stdout)) if message]
    return type(error)(f"{what}: {'; '.join(dict.fromkeys(said)) or error.message}.", **context)


def last_message(text: str) -> str:
    """Return the last fatal (else the last) message of logfmt lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if "level=fatal" in line]
    for line in reversed(fatal or lines):
        found = _LOGFMT_MESSAGE.search(line)
        message = (found[1] or found[2] or "") if found else line.strip()
        if message:
            return message.replace('\\"', '"').replace("\\n", " ").rstrip(".")
    return ""


def _reason(stdout: str) -> str:
    """Return what a child of colima gave as its reason."""
    hits = [line for line in stdout.splitlines() if re.search(r"level=(fatal|error)|(?i:error|cannot|failed)", line)]
    return last_message("\n".join(hits))
