# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stand-in of colima must reproduce, and which tests of this suite hold it to that. Every test named here exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CHECKLIST = {
    "settings are saved before they are tried": [
        "test_an_unknown_runtime_is_refused_only_after_it_was_saved",
        "test_an_unknown_downloader_is_refused_after_the_save",
        "test_a_name_that_lima_cannot_take_is_refused_after_the_save",
    ],
    "a start of what runs exits with 0 and changes nothing": [
        "test_a_start_of_a_running_profile_succeeds_changes_nothing_and_has_already_saved",
    ],
    "configured and applied settings are two files": [
        "test_without_saving_the_run_uses_the_flags_and_the_file_keeps_its_own",
        "test_the_state_file_also_holds_the_implicit_dns_host",
    ],
    "list as JSON leaves out zeros and keeps its orders": [
        "test_the_list_leaves_out_what_is_zero_and_keeps_the_order",
        "test_the_list_is_in_the_order_of_the_instances",
    ],
    "colima talks on stderr and its children on stdout": ["test_messages_go_to_stderr_and_the_children_talk_on_stdout"],
    "logfmt quotes all but single words": [
        "test_messages_go_to_stderr_and_the_children_talk_on_stdout",
        "test_the_story_goes_as_recorded",
    ],
    "fixed settings are discarded with a warning": ["test_changing_what_is_fixed_warns_and_is_discarded"],
    "a disk does not shrink, is said to, and grows through limactl": [
        "test_a_smaller_disk_is_refused_with_a_warning_and_then_claimed",
        "test_growing_back_from_a_lie_fails_with_a_warning_and_is_claimed",
        "test_a_larger_disk_grows_through_limactl",
    ],
    "the store follows the data disk": [
        "test_a_first_start_marks_the_disk_formatted_and_its_runtime",
        "test_a_lost_store_wipes_the_disk_of_a_long_name",
        "test_a_disk_of_a_start_that_never_finished_survives_delete_with_data",
        "test_a_start_without_a_runtime_takes_a_kept_disk_away_from_its_own",
    ],
    "delete takes the end of its input for a no": [
        "test_delete_without_an_answer_deletes_nothing_and_succeeds",
        "test_a_delete_without_an_answer_leaves_a_running_profile_alone",
        "test_with_data_a_second_question_is_asked",
    ],
    "a forced stop of nothing fails": ["test_a_forced_stop_without_an_instance_fails_and_says_why_on_stdout"],
    "a start may end half": [
        "test_a_half_finished_start_runs_without_being_usable_until_stop_and_start",
        "test_killing_colima_in_the_middle_leaves_a_machine_that_runs_and_is_not_usable",
    ],
    "the docker context goes at a stop, and its address is not repaired": [
        "test_the_context_is_made_used_and_gone_after_a_stop",
        "test_a_wrong_endpoint_of_an_existing_context_is_not_repaired",
    ],
    "the kubeconfig is skipped where the address is the same": ["test_a_damaged_entry_is_not_repaired_by_stop_and_start"],
    "deleting a stopped profile leaves its kubeconfig entry": ["test_deleting_a_stopped_profile_leaves_its_entries"],
    "restart applies the file as it is": [
        "test_restart_applies_the_file_without_any_protection",
        "test_restart_with_a_lost_file_stops_the_machine_and_then_fails",
    ],
    "a file that is malformed, wrongly typed, without a runtime or short": [
        "test_a_malformed_file_is_replaced_by_defaults_with_a_warning",
        "test_a_wrongly_typed_value_becomes_zero_and_the_rest_is_kept",
        "test_a_file_without_a_runtime_is_replaced_by_defaults_silently",
        "test_absent_keys_become_zero_not_the_documented_default",
        "test_values_are_read_as_go_reads_them_and_our_module_reads_the_same",
    ],
    "Linux does not know the flags of a Mac": ["test_a_flag_that_linux_does_not_have_is_unknown_and_its_key_is_reset"],
    "rows that are Broken or have no status": [
        "test_with_a_killed_host_agent_only_a_forced_stop_helps",
        "test_a_description_that_cannot_be_read_leaves_a_row_with_only_a_name",
    ],
    "a failed download leaves the file and an empty disk": ["test_an_offline_first_start_leaves_the_file_and_an_empty_disk"],
    "incus asks before it takes a pool over": ["test_an_incus_disk_is_wiped_where_the_old_colima_gets_no_answer"],
    "the kubernetes commands do not edit the file": ["test_the_kubernetes_commands_leave_the_settings_alone"],
    "nerdctl install": ["test_nerdctl_install_writes_a_script_once"],
    "COLIMA_HOME counts only if it exists": ["test_colima_home_counts_only_if_it_exists"],
}


@pytest.mark.parametrize("row", CHECKLIST)
def test_each_row_of_the_checklist_has_its_tests(row: str) -> None:
    found = {
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert CHECKLIST[row]
    assert set(CHECKLIST[row]) <= found
