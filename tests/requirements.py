"""What this project promises about safety, by id, and the tests that hold each promise.

T01 to T33 are the threats that ``docs/security.md`` speaks of, P1 to P6 its promises, G01 to G12 the guard's rules.
``docs/requirements.md`` is written from here by ``script/requirements-doc``.
"""

from __future__ import annotations

from typing import NamedTuple


class Requirement(NamedTuple):
    """One promise: what it is about, what keeps it, the figure that shows it, and the tests (path::function)."""

    id: str
    about: str
    kept_by: str
    figure: str
    tests: tuple[str, ...]


_E2E = "tests/e2e"
_CORE = "tests/unit/core"
_FLOW = "tests/unit/workflow"
_DISK = "tests/unit/adapters"
_UNIT = "tests/unit"
_DOCKER = "tests/docker"

ATTACKS = f"{_E2E}/test_attacks.py::"
BYPASS = f"{_E2E}/test_approval_bypass.py::"
HOSTILE = f"{_E2E}/test_hostile_input.py::test_every_parameter_of_every_tool_takes_every_hostile_value"
LINES = f"{_E2E}/test_hostile_input.py::test_lines_that_are_no_proper_message_neither_end_the_server_nor_show_anything"
PLANTED = f"{_E2E}/test_planted_text.py::test_planted_text_comes_back_tame_from_every_tool_and_moves_nothing"
STDIO = f"{_E2E}/test_guard_over_stdio.py::"
POLICY = f"{_E2E}/test_policy.py::"
APPLIER = f"{_FLOW}/test_applier.py::"
HARD = f"{_FLOW}/test_hard_cases.py::"
STORES = f"{_DISK}/test_private_stores.py::"
FILES = f"{_DISK}/test_files.py::"
CONTRACT = "tests/unit/tools/test_contract.py::"
CLIENTS = (
    f"{_E2E}/test_clients.py::test_on_every_client_only_the_typed_name_approves_and_all_else_says_how_a_person_can"
)
REPLACED = f"{_FLOW}/test_approver_trust.py::test_a_replaced_key_approves_nothing_and_its_earlier_answers_are_refused"
WALK = f"{BYPASS}test_a_model_that_calls_everything_in_every_order_changes_nothing"
BY_HAND = f"{BYPASS}test_an_approval_written_by_hand_is_none"
FLIPPED = f"{BYPASS}test_each_field_of_a_stored_plan_and_of_its_approval_flipped_is_refused"
ANSWERS = f"{BYPASS}test_an_answer_and_its_state_hold_for_one_plan_one_time_and_one_server"
KILLED = f"{_FLOW}/test_kill.py::test_an_apply_killed_at_every_touch_of_the_disk_is_recovered_whole"
HARD_TIMES = f"{_DOCKER}/test_hard_times.py::"
KILLS = f"{_DOCKER}/test_kill_apply.py::"
KILLED_REAL = f"{KILLS}test_an_apply_killed_at_some_random_moments_and_points_recovers_to_before_or_after"
NO_JOURNAL = f"{APPLIER}test_without_a_journal_nothing_changes"
EDIT = f"{APPLIER}test_an_edit_by_hand_during_the_apply_is_never_overwritten"

THREATS = (
    Requirement("T01", "Instructions planted in logs, labels and image texts",
        "Text from outside is cleaned of what nobody sees, marked as untrusted, bounded; writes need a person anyway.",
        "One text through every tool, both eras: 0 raw characters; 50 texts beside calls to write tools: 0 changes.",
        (PLANTED, f"{_CORE}/test_redact.py::test_cleaning_takes_out_what_a_reader_cannot_see",
         f"{_E2E}/test_plan_app_in_chromium.py::test_lines_that_look_like_heads_of_files_stay_lines")),
    Requirement("T02", "A model approves its own plan",
        "No tool takes or returns anything that stands for a yes; a client that cannot ask gets a no.",
        "300 calls in any order, in both protocol eras: 0 applies; clients that cannot ask, or answer by themselves: "
        "100 % refused, with the way on.",
        (WALK, CLIENTS, f"{STDIO}test_anything_but_the_typed_name_is_no_yes",
         "tests/unit/tools/test_plan_app.py::test_no_tool_is_the_pages_to_call",
         f"{ATTACKS}test_no_argument_of_a_tool_stands_for_a_persons_yes",
         f"{CONTRACT}test_apply_plan_takes_nothing_that_could_stand_for_a_yes")),
    Requirement("T03", "A plan is used twice",
        "A plan is consumed on disk, exclusively, before its first step.",
        "50 at once and 1,000 after: exactly one yes.",
        (f"{STORES}test_fifty_consumers_at_once_and_a_thousand_after_get_one_yes",
         f"{_FLOW}/test_failpoints.py::test_of_fifty_processes_and_a_thousand_replays_one_applies",
         f"{ATTACKS}test_one_plan_applied_by_many_processes_at_once_runs_once", ANSWERS)),
    Requirement("T04", "An approval of one plan used on another",
        "An approval is bound to the digest over all of the plan, and signed by the key on record, or in the journal.",
        "Every field of a stored plan and of its approval flipped, also with the digest made anew, and the approver's "
        "key replaced: 100 % refused.",
        (FLIPPED, ANSWERS, BY_HAND, REPLACED,
         f"{_CORE}/test_plan_codec.py::test_every_single_field_that_is_flipped_is_refused",
         f"{APPLIER}test_an_approval_for_one_plan_is_worth_nothing_for_another")),
    Requirement("T05", "The lab changes between plan and apply",
        "The fingerprint is read again under the lock; the stored bytes are applied.",
        "Each observed file and container moved: 100 % stale.",
        (f"{APPLIER}test_every_observed_part_that_moves_makes_the_plan_stale",
         f"{_FLOW}/test_planner.py::test_every_file_that_compose_reads_for_the_stack_makes_the_plan_stale",
         f"{_DOCKER}/test_apply.py::test_what_moves_between_plan_and_apply_makes_it_stale_and_a_tag_that_moves_does_not",
         f"{BYPASS}test_a_plan_that_turned_stale_or_old_is_not_applied_on_its_approval")),
    Requirement("T06", "Two agents at once",
        "One lock a lab, that dies with its process.",
        "8 clients: 0 lost updates, 0 applies twice.",
        (f"{ATTACKS}test_eight_clients_at_once_lose_no_update_and_apply_no_plan_twice",
         f"{_DOCKER}/test_many_clients.py::test_clients_plan_and_apply_at_once_and_no_update_is_lost",
         f"{_DOCKER}/test_many_clients.py::test_eight_clients_with_fifty_rounds_each_lose_no_update",
         f"{APPLIER}test_while_another_holds_the_lock_nothing_begins", f"{STORES}test_the_lock_dies_with_its_process")),
    Requirement("T07", "A name that is a path",
        "Names have a pattern; paths are walked part by part from the lab's root.",
        "10,000 generated names through every way in: 0 outside of the root.",
        (f"{FILES}test_ten_thousand_names_lead_nowhere_outside", f"{FILES}test_no_generated_name_writes_outside",
         HOSTILE)),
    Requirement("T08", "Links that lead out",
        "Folders are opened one by one without following links.",
        "1,000 writes while the folder is swapped for a link: 0 escapes.",
        (f"{FILES}test_a_folder_swapped_for_a_link_while_writing_leads_nowhere",
         f"{FILES}test_symbolic_links_are_refused_at_every_depth", HOSTILE,
         f"{ATTACKS}test_links_and_odd_stacks_are_neither_followed_nor_fatal")),
    Requirement("T09", "Secrets in what is said",
        "Known values in every form, and what looks like a secret, are masked at the exit.",
        "200 secrets of many shapes through every tool, log, error and the journal: 0 bytes.",
        (f"{_E2E}/test_secret_hunt.py::test_no_byte_of_any_secret_leaves",
         f"{_DOCKER}/test_secrets_in_logs.py::test_what_a_container_prints_is_masked_in_every_encoding",
         f"{_FLOW}/test_secrets_at_rest.py::test_from_plan_to_roll_back_no_canary_is_kept_outside_env_files",
         f"{STDIO}test_no_secret_of_an_env_file_comes_back_from_any_tool",
         f"{_CORE}/test_redact.py::test_a_known_value_never_stays_whatever_is_around_it",
         f"{APPLIER}test_no_secret_is_in_the_journal_the_status_the_diff_or_any_git_object")),
    Requirement("T10", "Secrets in compose files and git",
        "Files refer to names; values stay in .env, which git never holds.",
        "Every git object searched: 0 secrets; a kill while Compose looks at planned texts leaves none on disk.",
        (f"{_DISK}/test_compose_scratch.py::test_a_kill_leaves_no_text_and_the_next_look_takes_away_what_is_left",
         f"{_E2E}/test_cli.py::test_secrets_and_private_files_are_in_no_git_object",
         f"{_DISK}/test_outgoing.py::test_a_new_secret_is_refused_with_file_and_line_and_not_its_value",
         f"{_DISK}/test_outgoing.py::test_a_persons_own_secret_is_left_out_and_told_and_the_apply_goes_on",
         f"{_DOCKER}/test_catalog_deployed.py::test_no_secret_is_in_git_or_readable_by_others",
         f"{_FLOW}/test_planner.py::test_a_secret_in_a_file_that_goes_to_git_is_refused")),
    Requirement("T11", "YAML that explodes",
        "Size, depth and the nodes that aliases stand for are counted before anything is built.",
        "A 332-byte bomb: refused within 50 ms and 50 MB.",
        (f"{_CORE}/test_yaml12.py::test_an_alias_bomb_is_refused_in_50_ms_and_50_mb",
         f"{_CORE}/test_yaml_limits.py::test_a_bomb_is_refused_on_its_count_and_builds_nothing",
         f"{_DOCKER}/test_engine_word.py::test_the_bounded_reader_keeps_a_bomb_from_compose")),
    Requirement("T12", "Templates in untrusted text",
        "Compose files are built as data; no text is a template.",
        "20 payloads: 0 evaluated; no call in the source that evaluates text.",
        (f"{_CORE}/test_injection.py::test_no_template_in_a_definition_is_evaluated",
         f"{_CORE}/test_injection.py::test_nothing_here_evaluates_text")),
    Requirement("T13", "Values that break out of .env",
        "Control characters and reserved names are refused; values are quoted.",
        "5,000 random values: Compose itself reads each as it was set.",
        (f"{_DOCKER}/test_env_file_compose.py::test_compose_reads_5000_random_values_exactly_as_they_were_set",
         f"{_CORE}/test_env_file.py::test_control_characters_are_refused_and_the_value_is_not_repeated",
         f"{_CORE}/test_env_file.py::test_names_that_steer_compose_or_are_none_are_refused")),
    Requirement("T14", "Labels that bring a router along",
        "Names and host names have a pattern; backticks in a model's values are refused.",
        "A corpus of breaking values: 0 new routers.",
        (f"{_CORE}/test_injection.py::test_no_name_or_address_brings_a_router_along",
         f"{ATTACKS}test_a_person_sees_the_values_that_a_model_chose_and_no_line_that_it_made_up")),
    Requirement("T15", "Arguments that become commands",
        "Programs get lists of arguments, never a shell; names are checked before.",
        "A corpus of shell signs and options to every tool, with canaries on the PATH: 0 programs run.",
        (HOSTILE, f"{_DISK}/test_process.py::test_no_shell_reads_the_arguments",
         f"{_DOCKER}/test_compose_cli.py::test_words_that_are_no_names_reach_no_program")),
    Requirement("T16", "Compose files that hand over the host",
        "Rules over what the files come to.",
        "CIS section 5: one failing file a check, all found; what no rule looks at is named with a reason.",
        (f"{_CORE}/checks/test_cis_section_5.py::test_what_the_benchmark_fails_has_its_finding",
         f"{_CORE}/checks/test_cis_section_5.py::test_every_check_of_the_section_is_found_or_left_out_with_a_reason")),
    Requirement("T17", "Compose files that read the host",
        "A model's plan that brings in include, extends, env_file or build from outside is refused.",
        "A file for each key: 100 % refused; what a person has is a warning.",
        (f"{_FLOW}/test_outside_files.py::test_a_models_plan_that_brings_one_in_is_refused",
         f"{_FLOW}/test_outside_files.py::test_a_variable_does_not_hide_it",
         f"{_FLOW}/test_outside_files.py::test_a_person_is_warned_and_what_is_there_already_stays_a_warning")),
    Requirement("T18", "A poisoned catalog",
        "Images are pinned, unknown fields refused, and the definition's digest is in the plan. Another's catalog "
        "comes by a plan, at one commit, and what is added from it is called untrusted.",
        "Any character changed: no definition, or another plan digest (comments aside).",
        (f"{_FLOW}/test_own_catalogs.py::"
         "test_a_catalog_of_another_is_taken_at_a_commit_shown_as_untrusted_and_taken_out_again",
         f"{_CORE}/test_injection.py::test_any_byte_of_a_definition_that_is_read_changes_the_plan",
         f"{_CORE}/test_injection.py::test_another_image_is_another_plan",
         f"{_DISK}/test_catalog_files.py::test_nothing_shipped_is_a_draft_or_unpinned")),
    Requirement("T19", "A tool that changes its contract",
        "Each tool's schema and words are reviewed as a snapshot.",
        "Any change fails.", (f"{CONTRACT}test_each_tool_is_as_reviewed",)),
    Requirement("T20", "HTTP that is open, or rebound",
        "Standard input by default; HTTP asks for a token, checks Host and Origin, and binds to loopback.",
        "Foreign Host 421, foreign Origin 403, no token 401, on every route.",
        (f"{_E2E}/test_http_limits.py::test_foreign_names_and_pages_are_sent_away_on_every_route",
         f"{_E2E}/test_http_tokens.py::test_no_route_answers_without_a_token",
         f"{_E2E}/test_http_tokens.py::test_each_token_sees_and_calls_what_it_may",
         f"{_E2E}/test_http_server.py::test_a_page_in_a_browser_cannot_reach_it",
         f"{_E2E}/test_http_server.py::test_without_the_token_nothing_is_answered",
         f"{_E2E}/test_http_server.py::test_an_open_address_needs_a_token")),
    Requirement("T21", "Killed in the middle of an apply",
        "A journal written ahead, what files were before, recovery at the next start.",
        "Killed at every touch of the disk, before and after every step, and at 200 random moments: 0 half-written "
        "files, 100 % recovered.",
        (KILLED, KILLED_REAL,
         f"{_DOCKER}/test_kill_apply.py::test_an_apply_killed_before_and_after_every_step_recovers_to_before_or_after",
         f"{_DOCKER}/test_kill_apply.py::test_an_apply_killed_at_200_random_moments_recovers_to_before_or_after",
         f"{_FLOW}/test_kill.py::test_a_file_rewritten_while_being_killed_is_old_or_new")),
    Requirement("T22", "Compose killed in the middle of up",
        "Half-renamed containers are swept, then up; else down, never with volumes. Docker is then looked at until it "
        "has ended what it was asked.",
        "200 kills: 100 % healed, volumes intact; who was being stopped runs, or is paused, as before.",
        (f"{_DOCKER}/test_stop_in_flight.py::"
         "test_a_service_that_was_being_stopped_when_everything_was_killed_is_as_before_after_the_recovery",
         f"{_DOCKER}/test_stop_in_flight.py::"
         "test_a_service_that_was_being_stopped_when_another_failed_runs_after_the_roll_back",
         f"{_DOCKER}/test_stop_in_flight.py::"
         "test_a_create_that_docker_ends_after_the_sweep_is_swept_when_its_name_is_asked_for",
         f"{_FLOW}/test_recovery.py::test_a_container_that_docker_was_stopping_when_the_apply_died_runs_in_the_end",
         f"{_DOCKER}/test_compose_cli.py::test_killed_in_the_middle_of_up_ten_times_it_heals_each_time",
         f"{_DOCKER}/test_kill_apply.py::test_an_apply_killed_at_200_random_moments_recovers_to_before_or_after")),
    Requirement("T23", "A full disk",
        "Files are written beside and renamed; room to put them back is set aside first.",
        "Full at any write: 0 lost originals.",
        (f"{ATTACKS}test_a_full_disk_loses_nothing_and_says_so",
         f"{_FLOW}/test_failpoints.py::test_a_disk_that_fills_at_any_step_loses_no_original",
         f"{_DOCKER}/test_faults.py::test_a_disk_of_two_megabytes_that_runs_full_at_any_point_leaves_before_or_after",
         f"{HARD}test_a_disk_that_takes_no_status_keeps_no_roll_back_from_its_end")),
    Requirement("T24", "Docker restarts in the middle of an apply",
        "What is not known is looked at again.", "20 restarts: 100 % right in the end.",
        (f"{_DOCKER}/test_engine_restarts.py::test_an_engine_stopped_for_five_seconds_at_each_step_leaves_before_or_after",
         f"{_DOCKER}/test_engine_restarts.py::test_an_engine_away_for_longer_leaves_the_outcome_unknown_until_it_is_back",
         f"{_DOCKER}/test_hard_times.py::test_docker_gone_in_the_middle_and_back_again_leaves_the_lab_as_before",
         f"{APPLIER}test_a_docker_that_goes_away_meanwhile_and_returns_leaves_the_lab_as_before")),
    Requirement("T25", "An image that cannot be pulled",
        "Everything is pulled before anything stops.", "0 s of downtime.",
        (f"{_DOCKER}/test_faults.py::test_a_failed_pull_costs_no_request_and_a_taken_port_brings_the_old_version_back",
         f"{_DOCKER}/test_apply.py::test_an_image_that_cannot_be_pulled_leaves_the_running_container_alone",
         f"{APPLIER}test_a_failed_pull_stops_nothing")),
    Requirement("T26", "A crash loop after an update",
        "Restarts and health are watched: 30 s without a health check; who fell after 10 s of running has fallen, and "
        "is told so before Docker has started it again.",
        "50 loops of periods from 0.2 to 28 s: told within 35 s of the new version; the old serves within 60 s.",
        (f"{_DOCKER}/test_apply.py::test_a_crash_looping_update_is_rolled_back_and_the_old_version_serves",
         f"{_DOCKER}/test_faults.py::test_a_crash_loop_is_told_in_time_and_the_old_version_serves_again",
         f"{_DOCKER}/test_faults.py::test_fifty_crash_loops_are_told_in_time_and_the_old_version_serves_again",
         f"{_FLOW}/test_verifier.py::test_a_crash_loop_of_any_period_within_the_window_is_told_within_35_seconds",
         f"{_FLOW}/test_verifier.py::test_a_fall_is_told_before_the_engine_has_started_the_container_again",
         f"{_FLOW}/test_verifier.py::test_a_crash_loop_is_told_within_seconds")),
    Requirement("T27", "A roll-back that fails",
        "It is told as failed, once, and waits for a person; no plan is made for its stacks until then.",
        "One attempt, a clear state.",
        (f"{_DOCKER}/test_faults.py::test_a_roll_back_that_fails_is_tried_once_and_a_person_can_end_it",
         f"{APPLIER}test_a_roll_back_that_fails_is_told_once_and_not_repeated",
         f"{APPLIER}test_a_failed_roll_back_is_tried_again_when_a_person_asks",
         f"{_FLOW}/test_kept_routes.py::"
         "test_nothing_is_built_on_a_failed_roll_back_until_it_is_put_right_or_a_person_says_so")),
    Requirement("T28", "An update that changes data for good",
        "A plan with another image for a service that keeps data says to back it up first, and each roll-back plan "
        "that volumes and folders stay as they are.",
        "Said in every such plan; a restore brings back every row.",
        (f"{_FLOW}/test_planner.py::test_a_plan_that_changes_an_image_says_what_becomes_of_its_data",
         f"{_DOCKER}/test_backups.py::test_a_destroyed_service_comes_back_with_every_row",
         f"{_DOCKER}/test_backups.py::test_deleted_files_come_back_alone",
         f"{STDIO}test_an_apply_is_in_the_history_and_taken_back_by_a_plan_of_its_own",)),
    Requirement("T29", "A clock that jumps",
        "Time only ever shortens a plan's life.", "Jumps of an hour and a year, both ways: 0 accepted too late.",
        (f"{APPLIER}test_a_jump_of_the_clock_never_lengthens_a_plan",
         f"{_FLOW}/test_failpoints.py::test_a_jump_of_the_clock_at_any_step_ends_no_apply_and_lengthens_no_plan")),
    Requirement("T30", "Edits by hand",
        "They are conflicts that a person sees; never overwritten, never committed.", "100 hand edits: 0 lost.",
        (EDIT, f"{_FLOW}/test_drift.py::test_a_hundred_hand_edits_are_all_kept",
         f"{_DISK}/test_git_history.py::test_only_the_given_paths_are_committed_and_the_rest_stays_as_it_is",
         f"{_CORE}/operations/test_rollback.py::test_a_later_edit_by_hand_is_a_conflict_for_a_person_to_judge")),
    Requirement("T31", "A lock that git left",
        "It is removed only under the lab's own lock.", "100 kills: every next commit goes through.",
        (f"{_DISK}/test_git_history.py::test_a_stale_lock_is_cleared_only_under_the_labs_own_lock",
         f"{_DISK}/test_git_history.py::test_after_every_one_of_a_hundred_killed_commits_the_next_one_works",
         f"{_DISK}/test_git_history.py::test_a_lock_that_is_younger_than_ours_belongs_to_somebody")),
    Requirement("T32", "No record can be kept",
        "The journal comes first.", "An unwritable journal: 100 % refused.",
        (NO_JOURNAL, f"{_FLOW}/test_audit_failure.py::test_what_cannot_be_recorded_is_not_done",
         f"{STORES}test_a_journal_that_cannot_be_written_says_so",
         f"{STORES}test_the_chain_holds_and_any_change_to_a_line_shows")),
    Requirement("T33", "Floods",
        "Answers are bounded, plans that wait are limited, programs are ended with their children.",
        "A 1 GB log: under 100 MB and 2 s; answers up to 100 KB.",
        (HOSTILE, f"{_DOCKER}/test_secrets_in_logs.py::test_a_flood_costs_little_memory_and_time",
         f"{_E2E}/test_http_limits.py::test_requests_are_counted_by_token", f"{POLICY}test_a_flood_of_plans_is_stopped",
         f"{_DOCKER}/test_queries.py::test_a_log_of_one_gigabyte_is_read_within_two_seconds_and_100_mb",
         f"{_DOCKER}/test_queries.py::test_a_long_log_is_read_in_bounded_time_and_memory",
         f"{_UNIT}/queries/test_log_tail.py::test_a_flood_of_long_lines_costs_little_memory_and_a_second",
         f"{_DISK}/test_process.py::test_time_running_out_ends_grandchildren_too")),
)  # fmt: skip

PROMISES = (
    Requirement("P1", "No write without a person's approval of exactly that plan", "The applier, on every apply.",
        "0 unapproved changes in every way round it.", (WALK, FLIPPED, ANSWERS, BY_HAND)),
    Requirement("P2", "No file half-written", "Written beside, flushed, renamed.",
        "0 at any kill.", (KILLED, f"{_FLOW}/test_kill.py::test_a_file_rewritten_while_being_killed_is_old_or_new")),
    Requirement("P3", "After any crash, one command tells and restores the truth", "`homelab-mcp recover`.",
        "Before or after, never between; a second recovery does nothing.",
        (f"{ATTACKS}test_a_worker_killed_at_any_moment_is_put_right_by_the_next_call", KILLED_REAL)),
    Requirement("P4", "A failed update leaves the old version serving", "Verified, or rolled back.",
        "Old image and configuration run again.",
        (f"{_DOCKER}/test_apply.py::test_a_crash_looping_update_is_rolled_back_and_the_old_version_serves",
         f"{_DOCKER}/test_hard_times.py::test_a_service_that_does_not_hold_leaves_the_lab_as_before")),
    Requirement("P5", "Secrets never in output, git or logs", "One redactor; .env is never committed.",
        "0 bytes.", (f"{STDIO}test_no_secret_of_an_env_file_comes_back_from_any_tool",
                     f"{_E2E}/test_secret_on_page.py::test_a_2026_client_opens_the_page_within_the_call",
                     f"{_E2E}/test_cli.py::test_secrets_and_private_files_are_in_no_git_object")),
    Requirement("P6", "Hand edits never lost", "A fingerprint before, a look again during the apply.",
        "0 lost.", (EDIT, f"{STDIO}test_a_file_changed_meanwhile_makes_the_plan_stale",
                    f"{HARD}test_a_person_who_edits_while_a_container_is_being_removed_loses_nothing")),
)  # fmt: skip

RULES = (
    Requirement("G01", "A tool that would change something returns a plan", "Only apply_plan is no reader.",
        "Every tool but one changes nothing.",
        (f"{CONTRACT}test_only_apply_plan_says_that_it_changes_anything", HOSTILE)),
    Requirement("G02", "A plan says all that a person must know", "One record, sealed with a digest.",
        "Every field comes back and counts.", (f"{_CORE}/test_plan_codec.py::test_a_plan_comes_back_equal", FLIPPED)),
    Requirement("G03", "apply_plan refuses with a way on", "A code and a hint on each refusal.",
        "Unknown, expired, used, not approved, declined, stale: each told.",
        (f"{_FLOW}/test_judging.py::test_what_another_stack_took_since_makes_a_plan_stale",
         f"{APPLIER}test_a_plan_is_refused_when_unknown_not_approved_used_expired_or_declined",
         f"{STDIO}test_wrong_calls_get_an_error_with_a_way_out")),
    Requirement("G04", "Approval comes from a person, by what the policy asks", "Dialog with a typed name, or a PIN.",
        "High risk never by dialog; what opens a port, takes a log-in away or touches the core is high by whichever "
        "operation. No plan or tool writes policy, approver or records.",
        (f"{_CORE}/test_exposure.py::test_a_port_that_others_reach_anew_is_told",
         f"{_CORE}/test_exposure.py::test_a_host_that_asks_for_less_is_told",
         f"{_CORE}/test_exposure.py::test_what_touches_the_core_is_told",
         f"{_FLOW}/test_planner.py::test_a_roll_back_that_takes_the_log_in_away_is_of_high_risk",
         f"{STDIO}test_high_risk_is_never_asked_in_the_dialog", f"{STDIO}test_a_wrong_pin_approves_nothing",
         f"{BYPASS}test_hostile_dialogs_and_hostile_ids_apply_nothing",
         f"{BYPASS}test_no_tool_reaches_the_policy_the_approver_or_the_records",
         f"{_FLOW}/test_outside_files.py::test_no_plan_writes_what_the_guard_rests_on")),
    Requirement("G05", "The boundary's end is said",
        "Private files are the owner's alone; docs/security.md says the rest.",
        "No file of ours readable by others.",
        (f"{ATTACKS}test_what_this_project_keeps_is_readable_by_its_owner_alone",)),
    Requirement("G06", "An apply is a transaction", "Journal, snapshot, write, commit, containers, verify.",
        "Rolled back to the last byte.",
        (f"{APPLIER}test_an_approved_plan_is_applied_verified_committed_and_journalled",
         f"{APPLIER}test_a_service_that_does_not_hold_is_rolled_back_to_the_last_byte")),
    Requirement("G07", "One apply at a time", "A lock; the second plan turns stale.", "0 lost updates.",
        (f"{APPLIER}test_of_two_plans_on_one_file_the_second_turns_stale",
         f"{ATTACKS}test_eight_clients_at_once_lose_no_update_and_apply_no_plan_twice")),
    Requirement("G08", "An apply outlives its caller", "A process of its own, followed by its status.",
        "The server killed: the apply ends all the same.",
        (f"{ATTACKS}test_the_server_killed_during_an_apply_does_not_end_it",
         f"{_DOCKER}/test_hard_times.py::test_a_plan_whose_worker_was_killed_says_so_and_apply_plan_puts_it_right")),
    Requirement("G09", "What containers say is data", "Cleaned, masked, marked.", "0 raw characters.",
        (PLANTED, f"{_DOCKER}/test_queries.py::test_logs_are_masked_cleaned_and_counted",
         f"{_CORE}/diagnosis/test_signatures.py::test_a_real_line_of_it_is_told_as_the_likeliest_cause",
         f"{_FLOW}/test_verifier.py::test_a_crash_loop_is_told_within_seconds")),
    Requirement("G10", "The journal is a chain without secrets", "A hash of the line before in each line.",
        "Any change shows.", (f"{STORES}test_the_chain_holds_and_any_change_to_a_line_shows",
        f"{APPLIER}test_no_secret_is_in_the_journal_the_status_the_diff_or_any_git_object")),
    Requirement("G11", "Nothing that arrives ends the server", "Every error is ours, bounded, and says what to do.",
        "Every hostile value and 18 malformed messages: 0 tracebacks.", (HOSTILE, LINES)),
    Requirement("G12", "A renewal that fails leaves the old certificate served",
        "Traefik's store is kept before and put back; done is what is seen served.",
        "A death at every step: a trusted certificate each time.",
        ("tests/unit/workflow/test_cert_steps.py::test_a_death_at_any_point_leaves_a_certificate_that_is_served",
         f"{_DOCKER}/test_renew_certs.py::test_a_ca_that_refuses_leaves_the_old_certificate_served")),
)  # fmt: skip

ALL = (*THREATS, *PROMISES, *RULES)

PENDING: dict[str, str] = {}
"""Rows that have a test, whose figure is not reached by one yet: what is missing."""
