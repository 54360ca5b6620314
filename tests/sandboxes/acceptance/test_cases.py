"""The acceptance cases of sandboxes, each with the tests that show it, by provider. Source: sandboxes 5.

Each test is named here by its file and its name; this proves that it is there. That it passes is the
test's own to say.
"""

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import pytest

ROOT: Final = Path(__file__).parents[3]
CASES: Final = range(1, 29)
PROVIDERS: Final = ("graph", "process", "vm")
EVERY: Final = "every"
"""Of what is in no provider: the history, the publication, the gates, the audit log."""

DOOR = "tests/sandboxes/tools/test_sandbox_cases.py"
BOUNDS = "tests/sandboxes/tools/test_attacks_on_bounds.py"
RIGHTS = "tests/sandboxes/tools/test_attacks_on_rights.py"
BACK = "tests/sandboxes/tools/test_going_back_in_a_sandbox.py"
WORK = "tests/sandboxes/tools/test_working_in_a_sandbox.py"
SWEEP = "tests/sandboxes/inside/test_sweeping_sandboxes.py"
BASE = "tests/sandboxes/inside/test_the_base_is_as_it_was.py"
LIVES = "tests/sandboxes/commands/test_lives_of_commands.py"
MAKING = "tests/sandboxes/commands/test_making_and_placing.py"
RUN = "tests/sandboxes/process/test_commands.py"
MADE = "tests/sandboxes/process/test_lives.py"
KEPT = "tests/sandboxes/process/test_snapshots.py"
MACHINES = "tests/sandboxes/vm/test_making_machines.py"
CASES_OF_MACHINES = "tests/sandboxes/vm/test_cases_through_the_door.py"
GUESTS = "tests/sandboxes/vm/test_running_commands.py"
DISKS = "tests/sandboxes/vm/test_snapshots_of_machines.py"
SOURCES = "tests/sandboxes/vm/test_source_machines.py"
STORE = "tests/sandboxes/store/test_history_kept.py"
NAMES = "tests/sandboxes/store/test_sandboxes_kept.py"
OPENED = "tests/sandboxes/store/test_opening.py"
WHOLE = "tests/sandboxes/store/test_transactions.py"
TASKS = "tests/sandboxes/store/test_playbooks_kept.py"
HOSTS = "tests/sandboxes/store/test_hosts_kept.py"
PLACES = "tests/sandboxes/store/test_placement.py"
TOKENS = "tests/sandboxes/redaction/test_tokens.py"
SETS = "tests/sandboxes/publish/test_change_sets.py"
PUBLISHED = "tests/sandboxes/publish/test_publishing_a_sandbox.py"
FORGES = "tests/sandboxes/publishing/test_publishing_to_a_forge.py"
BOOKS = "tests/sandboxes/playbooks/test_playbooks_through_the_door.py"
LINES = "tests/sandboxes/readonly_commands/test_lines.py"
GATES = "tests/consent/test_standing_of_a_gate.py"
TERMINAL = "tests/tui/test_terminal.py"
CHAIN = "tests/ledger/test_audit_chain.py"
ANCHORS = "tests/ledger/test_audit_anchors.py"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One acceptance case."""

    says: str
    shown: Mapping[str, tuple[tuple[str, str], ...]]
    """File and name of the tests, by provider, or of ``every``."""
    without: Mapping[str, str] = {}
    """Why a provider has none."""
    not_here: str = ""
    """What of the case has no counterpart in agentctl."""


def of(path: str, *names: str) -> tuple[tuple[str, str], ...]:
    """Returns tests of one file."""
    return tuple((path, f"test_{name}") for name in names)


FILES_ONLY = "a folder of files, or a machine: published is a cluster's config, which graph has"
NO_HOST = "a graph sandbox takes no host: it is a branch in the storage root"
LOCAL = "commands run here in a namespace: there is no credential to a source"

TABLE: Final[Mapping[int, Case]] = {
    1: Case(
        says="the base's digest is unchanged after arbitrary writes",
        shown={
            "graph": of(BASE, "the_base_is_as_it_was_after_many_sandboxes_did_their_worst"),
            "process": of(KEPT, "the_source_is_never_changed"),
            "vm": of(DISKS, "the_whole_life_of_a_machine_leaves_its_golden_image_as_it_was"),
        },
    ),
    2: Case(
        says="a create that fails at a step leaves nothing and names it",
        shown={
            "graph": of(DOOR, "an_opening_that_fails_at_a_step_names_it_and_leaves_nothing")
            + of(SWEEP, "an_opening_that_dies_anywhere_leaves_nothing_after_the_sweep"),
            "process": of(MADE, "a_creation_that_fails_at_any_step_leaves_nothing_and_names_it"),
            "vm": of(MACHINES, "a_creation_that_fails_at_a_step_leaves_nothing_and_names_the_step"),
        },
    ),
    3: Case(
        says="a name that is taken is refused",
        shown={
            "graph": of(BOUNDS, "of_several_that_take_one_name_at_once_one_has_it"),
            "process": of(MAKING, "a_name_is_taken_once_and_free_again_when_its_sandbox_is_gone"),
            "vm": of(
                CASES_OF_MACHINES,
                "a_name_is_taken_once_and_free_again_when_its_machine_is_gone",
            ),
            EVERY: of(NAMES, "of_many_that_take_one_name_at_once_one_has_it"),
        },
    ),
    4: Case(
        says="its time counts from creation, may be overridden, and ends it",
        shown={
            "graph": of(SWEEP, "a_sandbox_ends_when_its_time_is_over_counted_from_its_opening")
            + of(BOUNDS, "a_sandbox_made_of_a_draft_lives_as_long_as_was_asked"),
            "process": of(LIVES, "time_counts_from_creation_and_each_sandbox_has_its_own"),
            "vm": of(
                CASES_OF_MACHINES,
                "a_machine_ends_when_its_own_time_is_over_counted_from_its_creation",
            ),
        },
    ),
    5: Case(
        says="one in ERROR goes when its time is over too",
        shown={
            "graph": of(DOOR, "a_sandbox_that_is_broken_goes_when_its_time_is_over_too"),
            "process": of(LIVES, "a_sandbox_in_error_goes_when_its_time_is_over_too"),
            "vm": of(
                CASES_OF_MACHINES,
                "a_machine_whose_agent_was_ended_is_in_error_and_goes_when_its_time_is_over",
            ),
        },
    ),
    6: Case(
        says="an end that fails is tried again and keeps no other from going",
        shown={
            "graph": of(SWEEP, "one_that_cannot_be_taken_away_keeps_no_other_waiting"),
            "process": of(
                LIVES, "a_destroy_that_fails_is_tried_again_and_keeps_no_other_from_going"
            ),
            "vm": of(MACHINES, "a_destruction_that_fails_is_repeated"),
        },
    ),
    7: Case(
        says="a command that fails is kept with its output, and is no exception",
        shown={
            "graph": of(DOOR, "a_call_that_fails_is_kept_with_what_it_said"),
            "process": of(
                LIVES,
                "a_command_that_fails_is_answered_with_its_exit_code_and_kept_with_its_output",
            ),
            "vm": of(GUESTS, "a_command_gives_its_output_and_its_exit_code_and_is_no_exception"),
        },
    ),
    8: Case(
        says="a command over its time is ended and kept as such",
        shown={
            "graph": of(BOUNDS, "a_call_that_takes_too_long_is_ended_and_told"),
            "process": of(LIVES, "a_command_over_its_time_is_killed_and_kept_as_timed_out"),
            "vm": of(GUESTS, "a_command_over_its_time_is_ended_with_all_that_it_started"),
        },
    ),
    9: Case(
        says="a secret is a token wherever it is kept or shown",
        shown={
            "graph": of(DOOR, "a_secret_in_a_call_is_kept_as_a_token"),
            "process": of(
                LIVES,
                "a_secret_is_a_token_wherever_it_is_seen_and_comes_back_for_the_program_alone",
            ),
            "vm": of(
                CASES_OF_MACHINES,
                "a_secret_of_a_guest_is_one_token_wherever_it_is_seen_and_itself_in_the_guest_alone",
            ),
            EVERY: of(TOKENS, "one_secret_has_one_token_everywhere_and_another_has_another"),
        },
    ),
    10: Case(
        says="a snapshot's name is used once in a sandbox and freely in another",
        shown={
            "graph": of(BACK, "names_of_snapshots_are_used_once_and_are_names"),
            "process": of(LIVES, "a_snapshot_name_is_used_once_in_a_sandbox_and_freely_in_another"),
            "vm": of(DISKS, "a_snapshot_is_named_once_in_a_machine_and_again_in_another"),
        },
    ),
    11: Case(
        says="each change in its list, sorted, the same each time, kept once, of one sandbox",
        shown={
            "graph": of(WORK, "a_schema_change_a_query_and_rows_are_tried_and_compared")
            + of(DOOR, "a_difference_is_made_once_and_is_of_one_sandbox_alone"),
            "process": of(
                LIVES, "a_difference_has_each_change_in_its_list_and_is_the_same_the_second_time"
            ),
            "vm": of(DISKS, "a_difference_has_each_change_in_its_list"),
        },
    ),
    12: Case(
        says="a difference of an unknown snapshot is not found",
        shown={
            "graph": of(DOOR, "a_difference_is_made_once_and_is_of_one_sandbox_alone"),
            "process": of(KEPT, "an_unknown_snapshot_and_one_of_another_sandbox_are_refused"),
            "vm": of(DISKS, "a_snapshot_that_is_not_there_is_neither_compared_nor_restored"),
        },
    ),
    13: Case(
        says="a second change set of a job is refused",
        shown={
            "graph": of(SETS, "a_second_change_set_of_a_job_is_refused_and_the_first_is_named"),
            EVERY: of(STORE, "a_second_change_set_for_a_job_is_refused"),
        },
        without={"process": FILES_ONLY, "vm": FILES_ONLY},
    ),
    14: Case(
        says="a change set replayed on a fresh clone gives the sandbox's digest",
        shown={
            "graph": of(
                SETS, "a_change_set_replayed_on_a_fresh_copy_gives_the_digests_of_the_sandbox"
            )
        },
        without={"process": FILES_ONLY, "vm": FILES_ONLY},
    ),
    15: Case(
        says="PENDING to MERGED; a crash makes no second commit; a refused push keeps its commit",
        shown={
            "graph": of(
                PUBLISHED,
                "a_publication_goes_from_pending_to_merged_and_a_plan_is_proposed",
                "a_crash_at_any_keeping_and_a_retry_make_one_commit_and_one_pull_request",
                "a_remote_that_refuses_is_told_its_commit_kept_and_a_retry_goes_on",
            ),
            EVERY: of(FORGES, "a_crash_at_any_keeping_ends_in_one_commit_and_one_pull_request"),
        },
        without={"process": FILES_ONLY, "vm": FILES_ONLY},
    ),
    16: Case(
        says="an update keeps what it leaves out",
        shown={EVERY: of(STORE, "fields_that_an_update_leaves_out_stay")},
    ),
    17: Case(
        says="an illegal move of a publication is refused",
        shown={EVERY: of(STORE, "a_merged_publication_stays_merged")},
    ),
    18: Case(
        says="a store that is only read changes nothing and migrates nothing",
        shown={
            EVERY: of(
                OPENED,
                "what_is_opened_for_reading_reads_everything_and_changes_nothing",
                "every_operation_is_known_as_one_that_reads_or_one_that_changes",
                "tables_are_not_made_without_leave",
            )
        },
    ),
    19: Case(
        says="a transaction that fails leaves no partial rows",
        shown={EVERY: of(WHOLE, "a_body_that_fails_leaves_no_partial_rows")},
    ),
    20: Case(
        says="an order that is an injection is refused",
        shown={EVERY: of(NAMES, "an_order_that_is_none_is_refused")},
    ),
    21: Case(
        says="a new order that is no permutation changes nothing",
        shown={
            "graph": of(BOOKS, "an_order_that_is_no_permutation_fails_as_a_whole"),
            EVERY: of(TASKS, "an_order_that_is_no_permutation_changes_nothing"),
        },
        without={
            "process": "a playbook's tasks are calls of tools, whatever sandbox they are made in",
            "vm": "a playbook's tasks are calls of tools, whatever sandbox they are made in",
        },
    ),
    22: Case(
        says="lines that do not only read are refused before transport",
        shown={
            "process": of(
                MAKING,
                "a_line_that_could_write_is_refused_before_anything_runs",
                "a_source_is_looked_at_without_a_copy_and_without_secrets",
            ),
            "vm": of(
                CASES_OF_MACHINES,
                "a_line_that_could_write_is_refused_before_it_comes_near_a_machine",
                "what_the_list_lets_through_changes_nothing_in_a_guest",
            ),
            EVERY: of(LINES, "an_attack_is_refused_and_told"),
        },
        without={"graph": "no line of a shell is run in it"},
    ),
    23: Case(
        says="without an answer nothing is approved",
        shown={
            EVERY: of(
                GATES,
                "a_gate_stands_after_an_approval_and_not_before",
                "waiting_ends_at_its_timeout_and_knows_no_unknown_request",
                "an_expired_request_is_not_decided",
            )
            + of(TERMINAL, "escape_leaves_it_undecided", "a_deny_takes_two_keys")
        },
        not_here="there are no session grants: an approval is of one gate of one graph, once",
    ),
    24: Case(
        says="two that wait are answered each by itself",
        shown={EVERY: of(GATES, "an_approval_of_one_graph_says_nothing_about_another")},
    ),
    25: Case(
        says="no place is told; many at once never take too much; a silent host is left out",
        shown={
            "process": of(
                MAKING,
                "a_host_without_room_refuses_and_says_what_it_lacks",
                "many_at_once_never_take_more_than_the_host_has",
            ),
            "vm": of(
                CASES_OF_MACHINES,
                "many_machines_at_once_never_take_more_than_the_host_has",
            ),
            EVERY: of(HOSTS, "many_at_once_never_take_more_than_there_is")
            + of(PLACES, "a_host_that_was_not_heard_of_lately_carries_nothing"),
        },
        without={"graph": NO_HOST},
    ),
    26: Case(
        says="an altered or cut audit log is found, and what it cannot hold is not done",
        shown={
            EVERY: of(
                CHAIN,
                "any_single_alteration_is_found",
                "a_record_that_cannot_be_written_refuses_the_action",
            )
            + of(ANCHORS, "a_file_takes_a_line_for_each_anchor_and_tells_of_a_cut_chain")
        },
    ),
    27: Case(
        says="a rotated authority marks a source as unprepared",
        shown={
            "process": of(
                MAKING, "a_source_machine_that_was_prepared_for_another_authority_is_refused"
            ),
            "vm": of(
                SOURCES,
                "a_rotated_authority_marks_a_source_as_unprepared_until_it_is_prepared_again",
            ),
        },
        without={"graph": "its base is the storage root, and no machine is prepared for it"},
    ),
    28: Case(
        says="what a sandbox has does not open its source",
        shown={
            "graph": of(DOOR, "what_a_sandbox_writes_lies_in_its_room_and_on_its_branches_alone"),
            "process": of(MAKING, "what_a_sandbox_does_reaches_neither_its_source_nor_another"),
            "vm": of(
                CASES_OF_MACHINES,
                "a_machine_holds_no_credential_and_its_golden_image_is_open_for_reading_only",
            ),
        },
    ),
}


def named_in(path: str) -> frozenset[str]:
    """Returns the names of the tests of a file; nothing of it is run."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        n.name for n in tree.body if isinstance(n, kinds) and n.name.startswith("test")
    )


@pytest.mark.parametrize("number", CASES)
def test_each_case_has_tests_that_are_there(number: int) -> None:
    case = TABLE[number]
    for named in case.shown.values():
        assert named
        for path, name in named:
            assert name in named_in(path), (number, path, name)


@pytest.mark.parametrize("number", CASES)
def test_each_case_is_shown_by_each_provider_or_says_why_not(number: int) -> None:
    case = TABLE[number]
    shown, without = set(case.shown) - {EVERY}, set(case.without)
    assert shown <= set(PROVIDERS)
    assert not shown & without
    assert shown | without in ({*PROVIDERS}, set()), number
    assert shown or EVERY in case.shown
    assert all(why.strip() for why in case.without.values())


def test_the_table_tells_every_case(record_property: Callable[[str, object], None]) -> None:
    assert sorted(TABLE) == list(CASES)
    lines = []
    for number, case in sorted(TABLE.items()):
        named = {where: len(tests) for where, tests in case.shown.items()}
        told = ", ".join(f"{where}: {count}" for where, count in sorted(named.items()))
        lines.append(
            f"{number}. {case.says} ({told}){'; ' + case.not_here if case.not_here else ''}"
        )
    record_property("evidence", "\n".join(lines))
