# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong when two colimas run at once: this is why everything that changes a profile has to be serialised."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator

from rehearsal.processes.system import comes_true
from tests.support.processes import standing_still

from .conftest import Rig

SLOW = {"REHEARSAL_BOOT_SECONDS": "4"}


@contextlib.contextmanager
def held(process: subprocess.Popen[str], when: Callable[[], object]) -> Iterator[None]:
    """Wait for a moment of a start and let it stand still there, so that others have all the time that they take."""
    assert comes_true(lambda: bool(when()), 20)
    with standing_still(-process.pid):
        yield


@contextlib.contextmanager
def unpacking(rig: Rig, profile: str, process: subprocess.Popen[str]) -> Iterator[None]:
    """Hold a first start while its machine is being unpacked: it has joined the network and is not Running yet."""
    with held(process, (rig.instance(profile) / "rehearsal.json").exists):
        assert not (rig.instance(profile) / "ha.pid").exists()
        yield


def test_a_second_first_start_takes_the_network_away_from_the_first(rig: Rig) -> None:
    first = rig.popen("colima", "start", "one", "--runtime", "none", **SLOW)
    with unpacking(rig, "one", first):
        second = rig.colima("start", "two", "--runtime", "none")
    out, err = first.communicate(timeout=60)
    assert second.rc == 0
    assert first.returncode == 1, out + err
    assert "network is gone" in out
    assert "error starting vm: error at 'creating and starting': exit status 1" in err


def test_a_stop_of_another_profile_takes_it_away_too(rig: Rig) -> None:
    rig.started("two", "--runtime", "none")
    first = rig.popen("colima", "start", "one", "--runtime", "none", **SLOW)
    with unpacking(rig, "one", first):
        assert rig.colima("stop", "two").rc == 0
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "network is gone" in out


def test_one_after_the_other_both_run(rig: Rig) -> None:
    rig.started("one", "--runtime", "none")
    rig.started("two", "--runtime", "none")
    assert {row["status"] for row in rig.rows().values()} == {"Running"}


def test_a_start_beside_a_running_profile_leaves_its_network_alone(rig: Rig) -> None:
    rig.started("one", "--runtime", "none")
    second = rig.popen("colima", "start", "two", "--runtime", "none", **SLOW)
    with unpacking(rig, "two", second):
        rig.started("three", "--runtime", "none")
    second.communicate(timeout=60)
    assert second.returncode == 0


def test_two_first_downloads_of_one_image_spoil_each_other(standin: Rig) -> None:
    cold = {"REHEARSAL_IMAGE_CACHED": "0", "REHEARSAL_BOOT_SECONDS": "5"}
    first = standin.popen("colima", "start", "one", "--runtime", "none", **cold)
    with held(first, lambda: list(standin.cache.glob("*.downloading"))):
        second = standin.colima("start", "two", "--runtime", "none", **cold)
    _, err = first.communicate(timeout=60)
    assert 1 in (first.returncode, second.rc)
    assert "SHA512 checksum mismatch" in err + second.err


def test_one_download_is_enough_for_all(standin: Rig) -> None:
    cold = {"REHEARSAL_IMAGE_CACHED": "0"}
    standin.started("one", "--runtime", "none", **cold)
    standin.started("two", "--runtime", "none", **cold)
