# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timer runs: one playbook, alone, quietly, and not again right after a failure.

Usage: refresh.py STATE_DIRECTORY [FLAGS] -- ansible-playbook ...

--job=NAME: what the files are called (refresh). --limit=MINUTES: how long the playbook may take (15).
--again=SECONDS,...: after a first failure the playbook runs once more for each of these pauses. At the wake of a laptop the timer
is quicker than the network.
--anew: what failed before does not count, and is not waited out. --force: it counts, and is not waited out.
--notify: say on the desktop what only the user can do.
--jitter=MINUTES: begin at a moment of these minutes, so that many laptops don't ask at once. --force begins at once.
--alone: the command sees itself to it that no other run is active. Without it, a pull is waited for.

It writes STATE_DIRECTORY/refresh.json (NAME.json; the last result, for the doctor) and, only when something was done or failed,
lines to STATE_DIRECTORY/refresh.log. SIGTERM ends the playbook, too, and leaves both as they were. Nothing but the standard
library, because a timer has no virtual environment of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

LIMIT_MINUTES = 15.0
GRACE_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)
LOG_BYTES, OLD_LOGS = 256 * 1024, 2
STAMP = "%Y-%m-%dT%H:%M:%SZ"
# A missing service account is pending, too, but holds no renewal back as a profile that does not run does.
HOLDS_NOTHING_BACK = "service account "
# A result with one of these counts.
KEPT = {"secrets", "profiles", "actions", "commit", "skip"}
# What looks like a secret, the collection says in one place, which this file belongs to.
PATTERNS = Path(__file__).resolve().parents[3] / "plugins/module_utils/core/secrecy/patterns.py"
# The kinds of what a status holds; another program, or a crash of the machine, may have left something else.
NUMBERS, TEXTS = (
    ("failures", "secrets", "attempts"),
    ("time", "result", "message", "expires_at", "last_success", "not_before", "login", "commit"),
)
EVENTS = ("last_failure", "last_skip")


def main(arguments: list[str]) -> int:
    """Run once. Returns 0 also when there was nothing to do, another run is at it, or a failure is being waited out."""
    flags, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    place = Path(flags[0]).expanduser()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    job = flag(flags, "job") or "refresh"
    with (place / f"{job}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        except OSError:
            # A file system without locks. Two runs at once cost a token; none at all would let the secrets expire in silence.
            pass
        last = {} if "--anew" in flags else read_status(place / f"{job}.json")
        if "--force" not in flags:
            if waits(last, datetime.now(UTC)):
                return 0
            time.sleep(random.uniform(0, 60 * float(flag(flags, "jitter") or 0)))  # noqa: S311 - no secret
        with turn("--alone" in flags) as held:
            found = look(command, (lock.fileno(), *held), last, flags)
        write_status(place / f"{job}.json", found.status)
        if found.news:
            log(place / f"{job}.log", found.news)
        if "--notify" in flags:
            tell(found.status, last, job)
        return found.code


@contextlib.contextmanager
def turn(alone: bool) -> Iterator[tuple[int, ...]]:
    """Wait for a pull (role pull_timer) and keep others away. Yields what the playbook has to hold, too."""
    if alone:
        yield ()
        return
    handle = os.open(Path.home(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Where a home directory can't be locked, no pull begins.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield (handle,)
    finally:
        os.close(handle)


class Look(NamedTuple):
    """What a look found: the new status, a line for the log or none, and the exit code."""

    status: dict[str, Any]
    news: str
    code: int


def look(command: list[str], held: tuple[int, ...], last: dict[str, Any], flags: list[str]) -> Look:
    """Run the playbook, after a first failure again with pauses."""
    minutes = float(flag(flags, "limit") or LIMIT_MINUTES)
    pauses = (0.0, *map(float, filter(None, flag(flags, "again").split(","))))
    for attempts, pause in enumerate(pauses, 1):
        time.sleep(pause)
        ended = run(command, held, minutes)
        now = datetime.now(UTC)
        if skip := next((str(answer["skip"]) for answer in ended.results if "skip" in answer), ""):
            return skipped(skip, last, now)
        status = judge(ended, last, now) | {"attempts": attempts}
        if status["failures"] != 1 or status["login"]:
            break
    status = shown(status)
    quiet = status["result"] in ("fresh", "waiting")
    news = "" if quiet else f"{status['time']} {status['result']}: {status['message']}"
    return Look(status, news, 1 if status["result"] == "failed" else 0)


def shown(status: dict[str, Any]) -> dict[str, Any]:
    """Return a status without what looks like a secret: a message may be of any program."""
    return {
        name: shown(value) if isinstance(value, dict) else redact(value) if isinstance(value, str) else value
        for name, value in status.items()
    }


def redact(text: str) -> str:
    """Return a text without what looks like a secret; where that can't be told, nothing of it."""
    spec = importlib.util.spec_from_file_location("patterns", PATTERNS)
    if spec is None or spec.loader is None or not PATTERNS.is_file():
        return "(not shown: the collection is incomplete)"
    patterns = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(patterns)
    return str(patterns.redact(text))


def skipped(why: str, last: dict[str, Any], now: datetime) -> Look:
    """Return what a skip changes: what was known still holds. The log has it once for each reason in a row."""
    why = redact(why)
    skip = {"time": now.strftime(STAMP), "message": why}
    before = last.get("last_skip") or {}
    again = before.get("message") == why and str(before.get("time", "")) >= str(last.get("time", ""))
    return Look({**last, "last_skip": skip}, "" if again else f"{skip['time']} skipped: {why}", 0)


def flag(flags: list[str], name: str) -> str:
    """Return the value of a flag; empty where it is not given."""
    return next((one.partition("=")[2] for one in flags if one.startswith(f"--{name}=")), "")


def waits(last: dict[str, Any], now: datetime) -> bool:
    """Whether the last failure is still being waited out. A time that no pause reaches was written under a wrong clock."""
    not_before = str(last.get("not_before", ""))
    return now.strftime(STAMP) < not_before <= (now + LONGEST_PAUSE).strftime(STAMP)


class Ended(NamedTuple):
    """What a playbook left: its exit code, its output for people, and the results of its tasks."""

    code: int
    output: str
    results: list[dict[str, Any]]


def run(command: list[str], held: tuple[int, ...], minutes: float) -> Ended:
    """Run the playbook to its end; a playbook that hangs is ended with its children."""
    with tempfile.NamedTemporaryFile("r", prefix=".results.") as results:
        code, output = run_writing(command, held, minutes, results.name)
        return Ended(code, output, results_in(results.read()))


def run_writing(command: list[str], held: tuple[int, ...], minutes: float, results: str) -> tuple[int, str]:
    """Run the playbook, which writes the results of its tasks to a file, and return its exit code and output."""
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.results",
        "ANSIBLE_NOCOLOR": "1",
        "LAPTOP_CONTAINERS_RESULTS": results,
    }
    # launchd and systemd end a job with this signal; the default action would leave the playbook behind.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
            # The playbook holds the locks as well: when this process is killed, no other run begins beside what it left.
            pass_fds=held,
        )
    except OSError as error:
        return 127, f"Could not run '{command[0]}': {error.strerror}."
    try:
        output, _errors = process.communicate(timeout=minutes * 60)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        end(process)
        return 124, f"Could not finish the playbook: it ran longer than {minutes:g} minutes."
    except BaseException:
        end(process)
        raise


def results_in(text: str) -> list[dict[str, Any]]:
    """Return what the tasks of this collection answered, what a pull did (its commit, or why it skipped), and every failure."""
    answers = []
    for line in text.splitlines():
        # The last line may be half written.
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            result = row.get("result") if isinstance(row, dict) else None
            if isinstance(result, dict) and (row.get("failed") or KEPT & set(result)):
                answers.append({**result, "failed": bool(row.get("failed"))})
    return answers


def end(process: subprocess.Popen[str]) -> None:
    """End the playbook, gently first, and then whatever of its children took no notice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        # A Mac says PermissionError where only ended processes are left, until their exit status is read.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)


def judge(ended: Ended, last: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the new status from the last one and what the playbook left."""
    answers = ended.results
    rows = [row for answer in answers for row in answer.get("secrets") or ()]
    ends = sorted(row["expires_at"] for row in rows if row.get("expires_at"))
    status: dict[str, Any] = {
        "time": now.strftime(STAMP),
        "result": "fresh",
        "message": "nothing was due",
        "secrets": len(rows),
        # A cluster that is down answers nothing; what was known of its secrets still holds.
        "expires_at": ends[0] if ends else last.get("expires_at"),
        "last_success": now.strftime(STAMP),
        "failures": 0,
        "not_before": "",
        "login": "",
        **{name: last[name] for name in ("last_failure", "last_skip", "commit") if last.get(name)},
    }
    status |= next(({"commit": answer["commit"]} for answer in answers if "commit" in answer), {})
    if ended.code:
        return status | failed(answers, ended.output, last, now)
    pending = [item for answer in answers for item in answer.get("pending") or ()]
    waiting = [item for item in pending if not str(item.get("target", "")).startswith(HOLDS_NOTHING_BACK)]
    if any(answer.get("changed") for answer in answers):
        actions = [str(action) for answer in answers for action in answer.get("actions") or ()]
        renewed = any(answer.get("changed") for answer in answers if "secrets" in answer)
        status |= {"result": "renewed" if renewed else "done", "message": "; ".join(actions)[:2000]}
    elif waiting:
        status |= {"result": "waiting", "message": str(waiting[0].get("remedy", ""))}
        status["last_success"] = last.get("last_success", "")
    return status


def failed(answers: list[dict[str, Any]], output: str, last: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what a failure changes in the status."""
    failures = int(last.get("failures", 0)) + 1
    messages = [str(answer["msg"]) for answer in answers if answer["failed"] and answer.get("msg")]
    message = " ".join(dict.fromkeys(messages)) or plain_failure(output)
    # Other failures name a login, too, as one way among several.
    over = " ".join(str(answer["msg"]) for answer in answers if answer.get("kind") == "sso_expired" and answer.get("msg"))
    login = re.search(r"'(aws (?:sso )?login[^']*)'", over)
    # A login is the user's to do: look again every time, so that it is noticed soon.
    pause = timedelta() if login else min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
    return {
        "result": "failed",
        "message": message,
        "last_success": last.get("last_success", ""),
        "failures": failures,
        "not_before": (now + pause).strftime(STAMP),
        "login": login[1] if login else "",
        "last_failure": {"time": now.strftime(STAMP), "message": message},
    }


def plain_failure(output: str) -> str:
    """Return the line that says most, where no task gave a result."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "Could not" in line or "ERROR" in line]
    return (errors or lines or ["the playbook printed nothing"])[-1 if not errors else 0][:500]


def read_status(path: Path) -> dict[str, Any]:
    """Return the last status, or nothing when there is none that can be read."""
    try:
        status = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return fitting(status) if isinstance(status, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def fitting(status: dict[str, Any]) -> dict[str, Any]:
    """Return what of a status is of its kind."""
    numbers = {name: value for name in NUMBERS if _is_number(value := status.get(name)) and 0 <= value < 10**9}
    texts = {name: value for name in TEXTS if isinstance(value := status.get(name), str)}
    events = {name: fitting(value) for name in EVENTS if isinstance(value := status.get(name), dict)}
    return numbers | texts | events


def write_status(path: Path, status: dict[str, Any]) -> None:
    """Put the status in place at once."""
    number, part = tempfile.mkstemp(dir=path.parent, prefix=".refresh.")
    with os.fdopen(number, "w") as file:
        json.dump(status, file, indent=2)
        file.write("\n")
    Path(part).replace(path)


def log(path: Path, line: str) -> None:
    """Append a line; a log that has grown makes room first."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            for number in range(OLD_LOGS, 0, -1):
                newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
                with contextlib.suppress(FileNotFoundError):
                    newer.replace(path.with_name(f"{path.name}.{number}"))
    with path.open("a") as file:
        file.write(" ".join(line.split()) + "\n")


def tell(status: dict[str, Any], last: dict[str, Any], job: str) -> None:
    """Tell the user on the desktop what only they can do, once."""
    if status.get("login"):
        if status["login"] != last.get("login"):
            notify(f"Pull secrets can't be renewed. Run: {status['login']}")
    elif job != "refresh" and status.get("result") == "failed" and status["message"] != last.get("message"):
        notify(str(status["message"]))


def notify(text: str) -> None:
    """Show a message on the desktop. Does nothing without one."""
    if shutil.which("osascript"):
        script = f"display notification {quoted(text)} with title {quoted('laptop.containers')}"
        command = ["osascript", "-e", script]
    elif shutil.which("notify-send"):
        command = ["notify-send", "laptop.containers", text]
    else:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=10, capture_output=True)


def quoted(text: str) -> str:
    """Return a text as AppleScript writes it, which knows no numbers of characters."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
