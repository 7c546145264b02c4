# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima's and Lima's failures say, in one sentence, and what helps. Often another channel has the reason. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from ...colima_paths import Name
from ...core.errors import CommandFailed, InputError, ToolMissing
from ...core.system.logfmt import log_line, message_of


class StartRepair(StrEnum):
    """What helps after a failed start."""

    UNLOCK_DISK = "unlock_disk"
    FORCE_STOP = "force_stop"
    STOP = "stop"


# As people read it, before "of profile 'x'".
REPAIR_TEXTS = {
    StartRepair.UNLOCK_DISK: "unlock the data disk",
    StartRepair.FORCE_STOP: "end the remains",
    StartRepair.STOP: "stop the VM",
}

# What a failed start complains of, and what helps; contract of colima's failures, gentlest first.
_REPAIRS = (
    (re.compile(r"in use by instance"), StartRepair.UNLOCK_DISK),
    (re.compile(r"errors inspecting instance|failed to get Info from|seems running"), StartRepair.FORCE_STOP),
    # Another kubectl held its lock; the VM is left half-started.
    (re.compile(r"\.lock: file exists"), StartRepair.STOP),
)
# What programs say on the way of every start. Only complaints decide: a running VM must not be cut off for a word in passing.
_PASSING = re.compile(r'level=(trace|debug|info|warning)|"level":\s*"(trace|debug|info|warning)"')
_HINTS = (
    (
        re.compile(r"DNS lookup failed|connection refused|connection timed out|resolve redirect|access forbidden"),
        "Check the network (or proxy) and run again; nothing is lost",
    ),
    (re.compile(r"checksum mismatch"), "Delete the entry in colima's cache with 'colima prune', check the proxy, and run again"),
    (
        re.compile(r"error starting docker"),
        "Check the option docker, and see 'colima ssh -p {name} -- sudo journalctl -u docker'",
    ),
    (
        re.compile(r"\.lock: file exists"),
        "Another kubectl holds that lock; if none runs, remove the lock file, and run again",
    ),
    (re.compile(r"compatibility error"), "Run 'brew upgrade lima'"),
    (re.compile(r"guest agent binary could not be found"), "Run 'brew install lima-additional-guestagents'"),
    (re.compile(r"not found, run '([^']+)'"), "Install it and run again"),
    (re.compile(r"file not found at"), "Check kubernetes.version"),
)
# What QEMU says on Linux without virtualisation.
_NO_KVM = re.compile(r"Could not access KVM kernel module: ([\w ]+)")
_MAY_NOT = "Run 'sudo usermod -aG kvm $USER', log out and in, and run again"
_HAS_NOT = "Switch virtualisation (VT-x, AMD-V) on in the firmware, or run 'sudo modprobe kvm_intel' (kvm_amd), and run again"


def explained(error: CommandFailed, what: str = "") -> CommandFailed | InputError | ToolMissing:
    """Return a failure in one sentence with its real reason: colima says 'exit status 1', Lima's lines on stdout say why."""
    stdout, stderr = str(error.context.get("stdout", "")), str(error.context.get("stderr", ""))
    both = stdout + stderr
    context = {key: value for key, value in error.context.items() if key != "msg"}
    if "must not run as the root user" in both:
        reason = "limactl must not run as the root user"
        return InputError("use Lima", reason, "Run the play as the laptop's user, without become.", **context)
    if re.search(r'limactl\\?": executable file not found|exec: "limactl"|limactl: not found', both):
        return ToolMissing("limactl", **context)
    if not what:
        return error
    messages = [message for message in (last_message(stderr), _reason(stdout)) if message]
    return type(error)(what, "; ".join(dict.fromkeys(messages)) or error.reason or error.message, **context)


def last_message(text: str) -> str:
    """Return the last fatal (else the last) message of logfmt lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if (logged := log_line(line)) and logged.level == "fatal"]
    return next((messages.rstrip(".") for messages in map(message_of, reversed(fatal or lines)) if messages), "")


def _reason(stdout: str) -> str:
    """Return what a child of colima gave as its reason."""
    hits = [line for line in stdout.splitlines() if re.search(r"level=(fatal|error)|(?i:error|cannot|failed)", line)]
    return last_message("\n".join(hits))


def repair_for(*texts: str) -> StartRepair | None:
    """Return the repair for a failed start with this output and log; None when no repair is known."""
    found = _complaints(*texts)
    return next((repair for pattern, repair in _REPAIRS if pattern.search(found)), None)


def _complaints(*texts: str) -> str:
    return "\n".join(line for text in texts for line in text.splitlines() if not _PASSING.search(line))


def hint_for(output: str, name: Name, log: str = "") -> str:
    """Return the next step for a failure that no repair helps. log: the end of Lima's log, where QEMU's words are in passing."""
    no_kvm = _NO_KVM.search(log)
    if no_kvm:
        return _MAY_NOT if "ermission" in no_kvm[1] else _HAS_NOT
    found = _complaints(output)
    for pattern, hint in _HINTS:
        if pattern.search(found):
            return hint.format(name=name)
    return "Run again; if it stays, look at the end of the log in ha_log"
