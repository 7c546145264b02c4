# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong when two colimas run at once: this is why everything that changes a profile has to be serialised."""

from __future__ import annotations

import time

from .conftest import Rig

SLOW = {"REHEARSAL_BOOT_SECONDS": "4"}


def booting(rig: Rig, profile: str) -> None:
    """Wait until a profile's machine is being unpacked: it exists and is not Running yet."""
    deadline = time.monotonic() + 20
    while not (rig.instance(profile) / "disk").exists() and not (rig.instance(profile) / "lima.yaml").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_first_start_takes_the_network_away_from_the_first(rig: Rig) -> None:
    first = rig.popen("colima", "start", "one", "--runtime", "none", **SLOW)
    booting(rig, "one")
    second = rig.colima("start", "two", "--runtime", "none")
    out, err = first.communicate(timeout=60)
    assert second.rc == 0
    assert first.returncode == 1, out + err
    assert "network is gone" in out
    assert "error starting vm: error at 'creating and starting': exit status 1" in err


def test_a_stop_of_another_profile_takes_it_away_too(rig: Rig) -> None:
    rig.started("two", "--runtime", "none")
    # The stop has to end before the boot does, on a busy machine too.
    first = rig.popen("colima", "start", "one", "--runtime", "none", REHEARSAL_BOOT_SECONDS="12")
    booting(rig, "one")
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
    booting(rig, "two")
    rig.started("three", "--runtime", "none")
    second.communicate(timeout=60)
    assert second.returncode == 0


def test_two_first_downloads_of_one_image_spoil_each_other(standin: Rig) -> None:
    cold = {"REHEARSAL_IMAGE_CACHED": "0", "REHEARSAL_BOOT_SECONDS": "5"}
    both = [standin.popen("colima", "start", name, "--runtime", "none", **cold) for name in ("one", "two")]
    done = [(process.communicate(timeout=60), process.returncode) for process in both]
    assert 1 in [code for _, code in done]
    assert any("SHA512 checksum mismatch" in err for (_, err), _ in done)


def test_one_download_is_enough_for_all(standin: Rig) -> None:
    cold = {"REHEARSAL_IMAGE_CACHED": "0"}
    standin.started("one", "--runtime", "none", **cold)
    standin.started("two", "--runtime", "none", **cold)
