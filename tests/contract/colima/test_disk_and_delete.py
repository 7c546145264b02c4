# SPDX-License-Identifier: GPL-3.0-or-later
"""The data disk: its true size and wrong reports of it, what keeps it and what wipes it."""

from __future__ import annotations

import pytest

from .conftest import Rig, spoken


@pytest.fixture
def lab(rig: Rig) -> Rig:
    """A containerd profile with data on its disk."""
    rig.started("lab", "--runtime", "containerd", "--mount", "none", "--disk", "10")
    (rig.contents("lab") / "precious").write_text("data")
    return rig


def kept(rig: Rig) -> bool:
    """Whether the data is still there."""
    return (rig.contents("lab") / "precious").exists()


def test_a_first_start_marks_the_disk_formatted_and_its_runtime(lab: Rig) -> None:
    assert lab.store("lab") == {"disk_formatted": True, "disk_runtime": "containerd", "ramalama_provisioned": False}
    assert lab.true_size("lab") == 10


def test_a_smaller_disk_is_refused_with_a_warning_and_then_claimed(lab: Rig) -> None:
    lab.colima("stop", "lab")
    result = lab.started("lab", "--disk", "5")
    assert result.warnings == ["disk size cannot be reduced, ignoring..."]
    assert (lab.config("lab")["disk"], lab.state("lab")["disk"], lab.rows()["lab"]["disk"]) == (5, 5, 5 << 30)
    assert lab.true_size("lab") == 10
    assert kept(lab)


def test_a_larger_disk_grows_through_limactl(lab: Rig) -> None:
    lab.colima("stop", "lab")
    result = lab.started("lab", "--disk", "12")
    assert "resizing disk to 12GiB..." in result.messages
    assert (lab.true_size("lab"), lab.rows()["lab"]["disk"]) == (12, 12 << 30)
    assert kept(lab)


def test_growing_back_from_a_lie_fails_with_a_warning_and_is_claimed(lab: Rig) -> None:
    lab.colima("stop", "lab")
    lab.started("lab", "--disk", "5")
    lab.colima("stop", "lab")
    result = lab.started("lab", "--disk", "8")
    assert result.warnings[0].startswith("unable to resize disk: error resizing disk: exit status 1, output: ")
    assert (lab.state("lab")["disk"], lab.true_size("lab")) == (8, 10)


def test_before_0_9_all_data_is_in_the_vm_and_dies_with_it(standin: Rig) -> None:
    old = {"REHEARSAL_COLIMA_VERSION": "0.8.4"}
    standin.started("lab", "--mount", "none", "--disk", "10", **old)
    assert not standin.contents("lab").exists()
    assert not (standin.base / "_store" / "colima-lab.json").exists()
    assert standin.rows()["lab"]["disk"] == 10 << 30
    assert "unknown flag: --data" in standin.colima("delete", "lab", "--force", "--data", **old).fatal
    assert standin.colima("delete", "lab", "--force", **old).rc == 0
    assert not (standin.lima / "colima-lab").exists()


def test_before_0_8_1_a_status_is_told_in_words_only(standin: Rig) -> None:
    for version, rc in (("0.8.0", 1), ("0.8.1", 0)):
        old = {"REHEARSAL_COLIMA_VERSION": version}
        standin.started("lab", "--mount", "none", **old)
        asked = standin.colima("status", "lab", "--json", **old)
        assert (asked.rc, asked.fatal) == (rc, "unknown flag: --json" if rc else ""), asked
        assert standin.colima("status", "lab", **old).rc == 0


def test_a_delete_without_an_answer_leaves_a_running_profile_alone(lab: Rig) -> None:
    result = lab.colima("delete", "lab")
    assert (result.rc, result.err) == (0, "")
    assert result.out == "are you sure you want to delete colima [profile=lab] and all settings? [y/N] \x1b[0m"
    assert lab.rows()["lab"]["status"] == "Running"


def test_yes_deletes_and_asks_once_if_the_disk_is_kept(lab: Rig) -> None:
    result = lab.colima("delete", "lab", stdin="y\n")
    assert result.rc == 0
    assert result.out.count("[y/N]") == 1
    assert "lab" not in lab.rows()
    assert kept(lab)


def test_with_data_a_second_question_is_asked(lab: Rig) -> None:
    result = lab.colima("delete", "lab", "--data", stdin="y\nn\n")
    assert "this will delete ALL container data. Are you sure you want to continue? [y/N] " in result.out
    assert lab.rows()["lab"]["status"] == "Running"


def test_delete_keeps_the_disk_and_the_next_start_finds_its_data(lab: Rig) -> None:
    result = lab.colima("delete", "lab", "--force")
    assert result.messages == ["deleting colima [profile=lab]", "deleting ...", "done"]
    assert not (lab.base / "lab").exists()
    assert not lab.instance("lab").exists()
    assert lab.store("lab")["disk_formatted"]
    lab.started("lab", "--runtime", "containerd", "--disk", "6")
    assert kept(lab)
    assert (lab.rows()["lab"]["disk"], lab.true_size("lab")) == (6 << 30, 10)


def test_a_kept_disk_takes_no_other_runtime(lab: Rig) -> None:
    lab.colima("delete", "lab", "--force")
    result = lab.colima("start", "lab", "--runtime", "docker")
    reason = "runtime disk provisioned for containerd runtime. "
    reason += "Delete container data with 'colima delete --data' before using another runtime"
    assert (result.rc, result.fatal) == (1, f"error starting vm: error at 'creating and starting': {reason}")
    assert lab.rows() == {}
    assert lab.config("lab")["runtime"] == "docker"


def test_a_start_without_a_runtime_takes_a_kept_disk_away_from_its_own(lab: Rig) -> None:
    lab.colima("delete", "lab", "--force")
    lab.started("lab", "--runtime", "none")
    assert (lab.store("lab")["disk_formatted"], lab.store("lab")["disk_runtime"]) == (True, "none")
    lab.colima("delete", "lab", "--force")
    again = lab.colima("start", "lab", "--runtime", "containerd")
    assert again.rc == 1
    assert "runtime disk provisioned for none runtime." in again.fatal
    assert kept(lab)


def test_delete_with_data_removes_disk_and_store_even_without_an_instance(lab: Rig) -> None:
    lab.colima("delete", "lab", "--force")
    result = lab.colima("delete", "lab", "--force", "--data")
    assert result.messages == ["deleting colima [profile=lab]", "deleting container data", "done"]
    assert spoken(result.out)[0][1] == "Ignoring non-existent instance `colima-lab`"
    assert lab.limactl("disk", "list", "--json", "colima-lab").out == ""
    assert not (lab.base / "_store" / "colima-lab.json").exists()


def test_a_lost_store_wipes_the_disk_of_a_long_name(rig: Rig) -> None:
    rig.started("longer", "--runtime", "containerd", "--mount", "none")
    (rig.contents("longer") / "precious").write_text("data")
    rig.colima("stop", "longer")
    (rig.base / "_store" / "colima-longer.json").unlink()
    rig.started("longer")
    assert not (rig.contents("longer") / "precious").exists()


def test_a_lost_store_does_not_wipe_the_disk_of_a_short_name(lab: Rig) -> None:
    # Lima finds its own label again: 'lima-colima-lab' fits into the 16 bytes of an ext4 label.
    lab.colima("stop", "lab")
    (lab.base / "_store" / "colima-lab.json").unlink()
    lab.started("lab")
    assert kept(lab)


def test_a_disk_of_a_start_that_never_finished_survives_delete_with_data(lab: Rig) -> None:
    lab.colima("stop", "lab")
    (lab.base / "_store" / "colima-lab.json").unlink()
    result = lab.colima("delete", "lab", "--force", "--data")
    assert result.messages == ["deleting colima [profile=lab]", "done"]
    assert kept(lab)


def test_a_stale_lock_prevents_deleting_the_disk_until_it_is_unlocked(lab: Rig) -> None:
    lab.colima("delete", "lab", "--force")
    (lab.lima / "_disks" / "colima-lab" / "in_use_by").symlink_to(lab.instance("lab"))
    result = lab.colima("delete", "lab", "--force", "--data")
    assert result.rc == 1
    assert result.fatal.startswith("error deleting container data: error deleting lima disk: exit status 1, output: ")
    assert "in use by instance" in result.fatal
    assert kept(lab)
    assert "Unlocked disk `colima-lab`" in lab.limactl("disk", "unlock", "colima-lab").err
    assert lab.colima("delete", "lab", "--force", "--data").rc == 0
    assert not kept(lab)


def test_before_lima_2_1_a_stale_lock_of_the_same_machine_refuses_the_start(standin: Rig) -> None:
    old = {"REHEARSAL_LIMA_VERSION": "2.0.3", "REHEARSAL_SYSTEM": "Darwin", "REHEARSAL_ARCH": "aarch64"}
    standin.started("lab", "--runtime", "containerd", **old)
    standin.colima("stop", "lab", **old)
    lima = standin.home / ".colima" / "_lima"
    (lima / "_disks" / "colima-lab" / "in_use_by").symlink_to(lima / "colima-lab")
    result = standin.colima("start", "lab", **old)
    assert (result.rc, result.fatal) == (1, "error starting vm: error at 'starting': exit status 1")
    assert 'failed to run attach disk "colima-lab", in use by instance "colima-lab"' in result.out.replace('\\"', '"')


def test_a_profile_without_a_runtime_has_no_data_disk(rig: Rig) -> None:
    rig.started("lab", "--runtime", "none")
    assert rig.limactl("disk", "list", "--json", "colima-lab").out == ""
    assert rig.rows()["lab"]["runtime"] == "none"
    assert rig.store("lab") == {"disk_formatted": False, "disk_runtime": "", "ramalama_provisioned": False}


def test_the_root_disk_of_a_profile_without_a_runtime_grows_on_its_second_start(rig: Rig) -> None:
    rig.started("lab", "--runtime", "none", "--disk", "30")
    assert '"disk":21474836480' in rig.limactl("list", "--json", "colima-lab").out
    rig.colima("stop", "lab")
    rig.started("lab")
    assert '"disk":32212254720' in rig.limactl("list", "--json", "colima-lab").out


def test_an_offline_first_start_leaves_the_file_and_an_empty_disk(rig: Rig) -> None:
    if rig.cache.exists():
        for file in rig.cache.iterdir():
            file.unlink()
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "REHEARSAL_FAIL": "offline"}
    result = rig.colima("start", "lab", **nowhere)
    assert result.rc == 1
    expected = "error starting vm: error at 'creating and starting': error getting qcow image: error during image download: "
    assert result.fatal.startswith(expected), result
    assert rig.rows() == {}
    assert rig.config("lab")["runtime"] == "docker"
    assert rig.true_size("lab") == 100
    assert not rig.contents("lab").exists() or not any(rig.contents("lab").iterdir())


def test_what_an_interrupted_creation_of_the_disk_leaves_fails_every_start(rig: Rig) -> None:
    (rig.lima / "_disks" / "colima-lab").mkdir(parents=True)
    result = rig.colima("start", "lab")
    assert result.rc == 1
    assert "error creating runtime disk: error creating lima disk: exit status 1, output: " in result.fatal
    assert "disk `colima-lab` already exists" in result.fatal


def test_disk_images_are_checked(rig: Rig) -> None:
    missing = rig.colima("start", "lab", "--disk-image", "/nonexistent.raw")
    assert "invalid disk image: stat /nonexistent.raw: no such file or directory" in missing.fatal
    image = rig.home / "image.raw"
    image.write_text("image")
    wrong = rig.colima("start", "lab", "--disk-image", str(image))
    assert "hash failure: SHA512 checksum mismatch for 'image.raw'" in wrong.fatal, wrong
    forced = rig.started("lab", "--disk-image", str(image), "--force-disk-image")
    assert forced.warnings == ["unable to validate disk image, but continuing as requested..."]


def test_the_wrong_way_to_spell_default_deletes_the_settings_of_the_default_profile(rig: Rig) -> None:
    (rig.base / "default").mkdir(parents=True)
    (rig.base / "default" / "mine").touch()
    assert rig.colima("delete", "--force", "colima-default").rc == 0
    assert not (rig.base / "default").exists()


def test_limactl_disk_list_of_an_unknown_name_is_a_warning_and_succeeds(bare: Rig) -> None:
    bare.colima("list")
    result = bare.limactl("disk", "list", "--json", "nosuch")
    assert (result.rc, result.out) == (0, "")
    assert "No disk matching nosuch found." in result.err
