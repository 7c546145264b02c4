# SPDX-License-Identifier: GPL-3.0-or-later
"""A program and a thread at the two ends of a pipe: whichever fails, the failure is its own, and nothing waits for the other."""

from __future__ import annotations

import threading
from typing import IO

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, NotVerified
from ansible_collections.laptop.containers.plugins.module_utils.core.system.command import Cli
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import EngineSilent
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.piped import Piped

# More than a pipe holds.
MUCH = 1 << 20
SHELL = Cli("sh")


def much(into: IO[bytes]) -> int:
    for _piece in range(4):
        into.write(bytes(MUCH))
    return 4 * MUCH


def test_what_the_work_writes_a_program_reads() -> None:
    with Piped(much, reads=False) as pipe:
        with pipe.program() as source:
            said = SHELL.transfer("-c", "wc -c", source=source).stdout
        assert int(said) == pipe.result() == 4 * MUCH


def test_what_a_program_writes_the_work_reads() -> None:
    with Piped(lambda file: len(file.read()), reads=True) as pipe:
        with pipe.program() as target:
            SHELL.transfer("-c", f"head -c {MUCH} /dev/zero", target=target)
        assert pipe.result() == MUCH


def test_a_program_that_fails_first_is_to_blame() -> None:
    with pytest.raises(CommandFailed, match="no room"), Piped(much, reads=False) as pipe, pipe.program() as source:
        SHELL.transfer("-c", "echo no room >&2; exit 3", source=source)


def fail(_file: IO[bytes]) -> None:
    raise NotVerified("read", "the source died")


def test_work_that_fails_first_is_to_blame_where_the_program_reads() -> None:
    with pytest.raises(NotVerified, match="the source died"), Piped(fail, reads=False) as pipe, pipe.program() as source:
        SHELL.transfer("-c", "cat >/dev/null; echo unexpected end >&2; exit 2", source=source)


def test_work_that_fails_first_is_to_blame_where_the_program_writes() -> None:
    with pytest.raises(NotVerified, match="the source died"), Piped(fail, reads=True) as pipe, pipe.program() as target:
        SHELL.transfer("-c", "yes", target=target)


def cut_off(file: IO[bytes]) -> None:
    file.read()
    raise EngineSilent("it hung up in the middle of an archive")


def test_work_that_only_notices_the_end_of_the_program_is_not_to_blame() -> None:
    with pytest.raises(CommandFailed, match="the VM is gone"), Piped(cut_off, reads=True) as pipe, pipe.program() as target:
        SHELL.transfer("-c", "echo the VM is gone >&2; exit 255", target=target)


def test_work_that_waits_for_something_else_is_woken() -> None:
    woken = threading.Event()
    with pytest.raises(KeyboardInterrupt), Piped(lambda _file: woken.wait(), reads=False, stop=woken.set):
        raise KeyboardInterrupt
    assert woken.is_set()
