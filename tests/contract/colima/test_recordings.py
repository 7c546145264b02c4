# SPDX-License-Identifier: GPL-3.0-or-later
"""Type the recorded commands to the stand-in, in their order, and compare exit code, channel and lines.

The recordings are one long story, so these tests are steps of one: they share a home and run in the order of STORY.
What is compared: the exit code, every line of stderr, and every line of stdout, without times, process ids and ports,
except for what is_left_out says, and the recordings in LEFT_OUT.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.failures import StartRepair, repair_for

from rehearsal.processes.system import comes_true

from .conftest import STANDIN, Result, Rig, spoken

RECORDINGS = Path(__file__).parents[2] / "transcripts" / "colima" / "0.10.3"
LINUX = {"REHEARSAL_SYSTEM": "Linux", "REHEARSAL_ARCH": "x86_64"}
HANG = {"REHEARSAL_FAIL": "hang:lab", "REHEARSAL_BOOT_LIMIT": "1.5"}
SLOW = {"REHEARSAL_BOOT_SECONDS": "4", "REHEARSAL_RESUME_SECONDS": "4"}

# Recordings that say something of the guest or of other programs, not of colima.
LEFT_OUT = {
    "c07": "nerdctl of that guest",
    "c08": "a program that is not installed",
    "c09": "times and owners of files",
    "c10": "versions of programs of that guest",
    "d10": "versions of docker",
    "d10b": "docker without an engine",
    "d12": "versions of docker",
    "d16g": "times and owners of files",
    "e01": "docker with an engine",
    "e02": "docker with an engine",
    "e03": "docker with an engine",
    "e04": "docker with an engine",
    "e05": "docker with an engine",
    "g07": "mounts inside the guest",
    "h04": "docker with an engine",
    "k07": "the message of one docker release",
    "k08": "times and owners of files",
    "m06": "the message of one docker release",
    "m09": "docker with an engine",
    "m10": "docker with an engine",
    "p05": "docker with an engine that hangs",
    "y00": "the disk as that guest saw it",
    "y06": "docker with an engine",
}
# The story: recordings in the order of their time. A line in capitals is what happened in between.
CHAPTERS = """
d01 d02 d03 d04 d05 d06 d07 d08 d09 d11 d13 d14 d15 d15b d16 d16b d16c d16d d16d2 d16e d16f d17 d17b d17c
c01 c02 c03 c04 c05 c06
FREEZE:lab KILL:lab:qemu k01 THAW:lab WAIT:lab:Stopped k02 k03 k04 k05 k06 k09 k10 k11 k12
KILL:lab:ha h01 h02 h03 h05 h06 h07 h08 h09 h10 h11
r01 p01 p02 p03 p04 p06 p07
r02 x01 x02 x03 x04 x05 x06 x07 x08 x09 x10 x11 x12 r03
m01 BEGIN:m02 WAIT:lab:Running FREEZE:lab m03 m04 m05 m07 THAW:lab END:m02 m08
y01 y02 y03 y04 y05 BEGIN:g01 STATE:default y07 y08 y09 y10 END:g01
g02 g03 g04 g05 g06 g08 g09 g10
BEGIN:i01 WAIT:lab2:Running KILL:lab2:ha END:i01 WAIT:lab2:Broken i05 i06 i07 i08 KILL:lab2:qemu i09 i10
BEGIN:j01 WAIT:lab2:Running CTRLC:j01 END:j01 WAIT:lab2:Stopped j05
BEGIN:j06 WAIT:lab2:Running CUT:j06 END:j06 j07 j08 j09
q01 q00 q02 q03 DELETE:lab3
w01 KILL:lab4:ha KILL:lab4:qemu w02 w03 w04 DELETE:lab4
OFFLINE z01 z02 z03 z04 z05 z06 z07 z08 z09 z10 z11
"""
STORY = CHAPTERS.split()
# Moments that are over before a test can look, with the recording of the same state that the story tells.
MOMENTS = {"i02": "i05", "i03": "i07", "i04": "i08", "j02": "j07", "j03": "m04", "j04": "m05", "y11": "y04"}


class Recording:
    """One recorded command and its answer."""

    def __init__(self, key: str) -> None:
        (self.file,) = RECORDINGS.glob(f"{key}-*.txt")
        head, _, rest = self.file.read_text(encoding="utf-8").partition("\n--- stdout\n")
        command, self.header = head.split("\n")[:2]
        out, _, err = rest.partition("--- stderr\n")
        self.argv = shlex.split(command.removeprefix("$ "))
        code = re.search(r"rc=(\d+)", self.header)
        self.result = Result(int(code[1]) if code else -1, out, err)


def plain(line: str, home: str) -> str:
    """A line without what differs from run to run."""
    line = line.replace(home, "$HOME").replace("$RIG/khome", "$HOME").replace("$RIG", "$HOME").rstrip()
    line = re.sub(r'^time="[^"]*"', "time", line)
    line = re.sub(r"(process|Port:) \d+", r"\1 N", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:N", line)
    # Columns are as wide as the longest path.
    line = re.sub(r" {2,}", "  ", line)
    return re.sub(r"(actual: +)\w+", r"\1", line)


def is_left_out(line: str) -> bool:
    """Lines that are not compared."""
    rules = (
        "[hostagent]" in line,  # the host agent's account of that boot
        line.startswith('{"supported":'),  # said by a stand-in in that guest
        line.startswith(("Stopping 'docker.service'", "docker.socket")),  # said by systemd in that guest
        re.search(r'msg="Removing \\"', line),  # which files a driver leaves behind
        "failed to set up forwarding tcp port" in line,  # ports of the host of that day
        line.startswith("…"),  # cut out of the recording
        not line.strip(),
    )
    return any(rules)


def lines(text: str, home: str) -> list[str]:
    """The lines of one channel that are compared."""
    return [plain(line, home) for line in text.splitlines() if not is_left_out(line)]


def compare(recording: Recording, got: Result, home: str, key: str) -> None:
    """Compare an answer with the recorded one."""
    wanted = recording.result
    if wanted.rc >= 0:
        assert got.rc == wanted.rc, got
    out, err = lines(wanted.out, home), lines(wanted.err, home)
    if key == "d01":
        # The guest's user could not reach docker at first, so colima started that machine a second time.
        out = out[: next(i for i, line in enumerate(out) if "has shut down" in line or "Waiting for the inst" in line)]
        assert lines(got.out, home)[: len(out)] == out
    else:
        assert [cut(line) for line in lines(got.out, home)] == [cut(line) for line in out], got
    assert [cut(line) for line in lines(got.err, home)] == [cut(line) for line in err], got


def cut(line: str) -> str:
    """A line up to where the recording gives details of its own day."""
    return re.split(r"hash failure: |\(cut\)|network: ", line)[0]


class Story:
    """The home that all steps share, and the commands that run in the background."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.frozen = contextlib.ExitStack()
        (rig.home / "image.qcow2").write_text("image")

    def typed(self, recording: Recording) -> list[str]:
        """The recorded command as it is typed here. A time limit or a signal is the story's to give."""
        argv = [word.replace("$HOME", str(self.rig.home)).replace("$RIG", str(self.rig.home)) for word in recording.argv]
        if argv[0] == "timeout":
            argv = argv[2:]
        if argv[:2] == ["env", "--default-signal=INT"]:
            argv = argv[2:]
        return argv

    def environment(self, key: str) -> dict[str, str]:
        """What is different for one step."""
        return {"r01": HANG}.get(key, {})

    def act(self, step: str) -> None:
        """Do what happened between two recordings."""
        verb, *words = step.split(":")
        rig = self.rig
        if verb == "KILL":
            rig.kill(words[0], words[1])
        elif verb == "FREEZE":
            # A boot continues, and a death is noticed, after so many seconds; looking may take longer.
            self.frozen.enter_context(rig.standing_still(words[0]))
        elif verb == "THAW":
            self.frozen.close()
        elif verb == "WAIT":
            rig.wait_for(words[0], words[1])
        elif verb == "STATE":
            assert comes_true((rig.instance(words[0]) / "colima.yaml").exists, 30)
        elif verb == "BEGIN":
            self.running[words[0]] = rig.popen(*self.typed(Recording(words[0])), **SLOW)
        elif verb == "CTRLC":
            os.killpg(self.running[words[0]].pid, signal.SIGINT)
        elif verb == "CUT":
            os.killpg(self.running[words[0]].pid, signal.SIGTERM)
        elif verb == "DELETE":
            assert rig.colima("delete", words[0], "--force", "--data").rc == 0
        elif verb == "OFFLINE":
            rig.environment["REHEARSAL_FAIL"] = "offline"


@pytest.fixture(scope="module")
def story(programs: dict[str, Path]) -> Iterator[Story]:
    """One home for the whole story."""
    place = Path(tempfile.mkdtemp(prefix="c-", dir="/tmp"))
    rig = Rig(STANDIN, place, programs[STANDIN])
    rig.environment.update(LINUX)
    rig.base, rig.cache = rig.home / ".config" / "colima", rig.home / ".cache" / "colima" / "caches"
    rig.lima = rig.base / "_lima"
    try:
        story = Story(rig)
        with story.frozen:
            yield story
    finally:
        rig.close()
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.parametrize("step", STORY)
def test_the_story_goes_as_recorded(story: Story, step: str) -> None:
    verb, _, key = step.partition(":")
    home = str(story.rig.home)
    if verb == "END":
        out, err = story.running[key].communicate(timeout=60)
        recording, got = Recording(key), Result(story.running[key].returncode, out, err)
        if key in ("j01", "j06"):
            # Shells and `timeout` say 130 and 124 for what is a signal to a program that started colima itself.
            assert got.rc == {"j01": -signal.SIGINT, "j06": -signal.SIGTERM}[key]
            recording.result.rc = -1
        compare(recording, got, home, key)
    elif step.isupper() or ":" in step:
        story.act(step)
    else:
        recording = Recording(step)
        compare(recording, story.rig.run(*story.typed(recording), **story.environment(step)), home, step)


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.txt")), ids=lambda file: file.stem)
def test_only_the_start_that_lima_called_broken_asks_for_a_forced_stop(file: Path) -> None:
    recording = Recording(file.name.split("-")[0])
    # Lima's own log repeats what it printed for colima, in the form of JSON.
    passed_on = [line for line in recording.result.out.splitlines() if "[hostagent]" in line]
    log = "\n".join(json.dumps({"level": level_of(line), "msg": line.partition("msg=")[2]}) for line in passed_on)
    wanted = StartRepair.FORCE_STOP if file.stem == "h05-start" else None
    assert repair_for(recording.result.out + recording.result.err, log) == wanted


def level_of(line: str) -> str:
    found: list[str] = re.findall(r"level=(\w+)", line)
    return found[0]


def test_every_recording_is_told_or_left_out_for_a_reason() -> None:
    used = {step.rpartition(":")[2] for step in STORY}
    every = {path.name.split("-")[0] for path in RECORDINGS.glob("*.txt")}
    assert every == (used | set(LEFT_OUT) | set(MOMENTS)) & every
    assert not set(LEFT_OUT) & used


def test_the_recordings_name_no_private_directory() -> None:
    for path in RECORDINGS.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w$])/(home|root|Users|tmp)/", text), path.name
        assert spoken(text) or "time=" not in text
