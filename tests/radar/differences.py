# SPDX-License-Identifier: GPL-3.0-or-later
"""In what older releases differ from the contract, which is that of colima 0.10 on Lima 2, and what our code does about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.radar.results import Result, version_of


@dataclass(frozen=True)
class Difference:
    """What a release before a version does otherwise, and the tests that show it."""

    before: str
    what: str
    ours: str
    tests: tuple[str, ...]
    program: str = "colima"

    def shows_in(self, result: Result) -> bool:
        """Whether a release is old enough for it."""
        version = result.colima if self.program == "colima" else result.lima
        return version_of(version) < version_of(self.before)

    def explains(self, test: str) -> bool:
        """Whether a failed test shows it."""
        return test.partition("[")[0] in self.tests


# The newest first: what a user of a recent release meets.
DIFFERENCES = (
    Difference(
        "0.10.2",
        "reads no `containerd/config.toml` and no `buildkitd.toml` of the user's",
        "builds into the cluster (`kubernetes.build`) are refused; the files of a profile are left alone",
        (
            "test_nerdctl_runs_in_the_guest_of_a_containerd_profile",
            "test_files_of_the_profile_go_before_those_that_all_profiles_share",
        ),
    ),
    Difference(
        "0.10.2",
        "downloads qcow2 images, with another order of steps and other words",
        "the reason that colima gives is shown; progress follows whichever lines come",
        (
            "test_the_progress_lines_come_in_order",
            "test_disk_images_are_checked",
            "test_a_name_that_lima_cannot_take_is_refused_after_the_save",
        ),
    ),
    Difference(
        "0.10.2",
        "does not know all settings: `force_disk_image` (0.10.2), `model_runner` (0.10.1), `network.gateway_address` (0.10.0), "
        "`kubernetes.port` (0.9.1), `root_disk`, `port_forwarder`, `network.mode` (0.9.0), `binfmt` (0.8.2)",
        "a setting that this colima would drop is refused, with the version that it needs",
        (
            "test_every_key_is_written",
            "test_values_are_read_as_go_reads_them_and_our_module_reads_the_same",
            "test_a_flag_that_linux_does_not_have_is_unknown_and_its_key_is_reset",
        ),
    ),
    Difference(
        "0.10.2",
        "does not know all flags: `--downloader` (0.10.2), `--gateway-address` (0.10.0), `--k3s-listen-port` (0.9.1), `--data`, "
        "`--port-forwarder` (0.9.0), `--cpus` (0.8.2)",
        "settings go through `colima.yaml`, never through flags; `--data` only where colima knows it",
        (
            "test_an_unknown_downloader_is_refused_after_the_save",
            "test_the_port_stays_what_it_was_at_first",
            "test_a_flag_that_cannot_be_read_is_a_usage_error_and_saves_nothing",
            "test_what_validation_refuses_is_not_saved",
            "test_a_forced_delete_without_an_instance_succeeds",
            "test_deleting_a_running_machine_waits_until_its_inside_is_gone",
            "test_a_start_of_a_running_profile_succeeds_changes_nothing_and_has_already_saved",
            "test_without_saving_the_run_uses_the_flags_and_the_file_keeps_its_own",
        ),
    ),
    Difference(
        "0.10.1",
        "keeps fewer notes about a data disk",
        "only the notes on its format and its runtime are used, which all have",
        (
            "test_a_first_start_marks_the_disk_formatted_and_its_runtime",
            "test_a_profile_without_a_runtime_has_no_data_disk",
        ),
    ),
    Difference(
        "0.10.0",
        "mounts the home directory where `mounts` is absent or null, before 0.9.0 `/tmp/INSTANCE` too",
        "`mounts: null` (none at all) is refused; an empty list means the home directory in all",
        (
            "test_absent_keys_become_zero_not_the_documented_default",
            "test_mounts_distinguish_empty_from_absent",
            "test_a_template_is_taken_only_where_there_is_no_usable_file",
        ),
    ),
    Difference(
        "0.10.0",
        "has no scripts for the moments `after-boot` and `ready`",
        "refused, with the version that they need",
        ("test_a_failing_ready_script_only_warns",),
    ),
    Difference(
        "0.9.0",
        "does not show what an engine says while it starts",
        "nothing rests on it: the engine is asked",
        ("test_the_engine_is_started_with_its_places_and_stopped_before_the_machine",),
    ),
    Difference(
        "0.9.0",
        "has no data disk: images and volumes are in the VM, and go with it",
        "deleting and recreating is refused unless the loss is confirmed; a VM of a newer colima, whose data is on a disk, is "
        "not started",
        (
            "test_a_smaller_disk_is_refused_with_a_warning_and_then_claimed",
            "test_a_larger_disk_grows_through_limactl",
            "test_growing_back_from_a_lie_fails_with_a_warning_and_is_claimed",
            "test_a_delete_without_an_answer_leaves_a_running_profile_alone",
            "test_yes_deletes_and_asks_once_if_the_disk_is_kept",
            "test_with_data_a_second_question_is_asked",
            "test_delete_keeps_the_disk_and_the_next_start_finds_its_data",
            "test_a_kept_disk_takes_no_other_runtime",
            "test_a_start_without_a_runtime_takes_a_kept_disk_away_from_its_own",
            "test_delete_with_data_removes_disk_and_store_even_without_an_instance",
            "test_a_lost_store_wipes_the_disk_of_a_long_name",
            "test_a_lost_store_does_not_wipe_the_disk_of_a_short_name",
            "test_a_disk_of_a_start_that_never_finished_survives_delete_with_data",
            "test_a_stale_lock_prevents_deleting_the_disk_until_it_is_unlocked",
            "test_the_root_disk_of_a_profile_without_a_runtime_grows_on_its_second_start",
            "test_an_offline_first_start_leaves_the_file_and_an_empty_disk",
            "test_what_an_interrupted_creation_of_the_disk_leaves_fails_every_start",
            "test_with_both_killed_it_is_stopped_and_starts_again",
            "test_killing_colima_in_the_middle_leaves_a_machine_that_runs_and_is_not_usable",
            "test_a_disk_size_that_lima_cannot_read_is_refused_late",
        ),
    ),
    Difference(
        "0.8.4",
        "can't start Kubernetes where `KUBECONFIG` names several files",
        "the start fails with kubectl's reason",
        ("test_the_first_element_of_kubeconfig_is_the_file_written",),
    ),
    Difference(
        "0.8.3",
        "does not forward containerd's socket of a docker profile, and has no `docker_socket` in its status",
        "the path of docker's socket is known; that of containerd's is shown, and nothing uses it",
        (
            "test_a_running_profile_has_its_sockets_and_a_stopped_one_has_not",
            "test_the_status_is_json_on_stdout_with_keys_in_order",
        ),
    ),
    Difference(
        "0.8.2",
        "lists all profiles, whatever name is given, and says some things in other words",
        "all are listed and picked from; no answer is looked into for words",
        (
            "test_commands_without_an_instance_answer_as_the_contract_says",
            "test_the_profile_variable_filters_list",
            "test_delete_without_an_answer_deletes_nothing_and_succeeds",
        ),
    ),
    Difference(
        "2.0.0",
        "puts names into other quotes, and fails otherwise for an instance that is not there",
        "all instances are listed and picked from, and no quote is looked for",
        (
            "test_a_disk_is_created_listed_grown_and_deleted",
            "test_what_is_not_there_is_named",
            "test_a_disk_does_not_shrink",
            "test_a_locked_disk_is_not_deleted",
            "test_what_an_interrupted_creation_leaves_is_no_disk_and_in_the_way_of_one",
            "test_an_instance_that_is_not_there_is_a_failure_of_list",
            "test_a_forced_delete_without_an_instance_succeeds",
        ),
        program="Lima",
    ),
)


def unexplained(result: Result) -> list[str]:
    """Return the failures of a release that no difference explains; in the life of a profile nothing may differ."""
    known = [difference for difference in DIFFERENCES if difference.shows_in(result)]
    return [*result.life.failed, *(test for test in result.contract.failed if not _any(known, test))]


def _any(differences: Iterable[Difference], test: str) -> bool:
    return any(difference.explains(test) for difference in differences)
