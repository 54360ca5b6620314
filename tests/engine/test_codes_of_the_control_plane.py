"""The table of control-plane 1.8, as far as it is of ledger, plan, apply and recovery: each code has its test.

The tests that bear the names are beside this one, by rows: `…_ledger`, `…_apply`, `…_recovery`.
"""

import ast
from pathlib import Path

import pytest

from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.explanations import EXPLANATIONS

ROWS = {
    "ledger": """
        state_missing state_already_exists state_read_error invalid_state_json
        unsupported_state_version conflicting_graph_manifest_observation state_write_error
        state_cas_mismatch
    """,
    "lock": """
        state_lock_disabled state_lock_held state_lock_error state_lock_missing
        state_lock_read_error state_lock_id_mismatch invalid_state_lock
        unsupported_state_lock_version
    """,
    "plan": "schema_preview_unavailable approval_stale",
    "apply": """
        external_blob_policy_digest_mismatch apply_approval_invariant_violation
        graph_create_failed schema_apply_failed graph_delete_failed
        graph_delete_export_in_progress graph_create_skipped schema_apply_skipped
        graph_delete_skipped resource_content_changed resource_payload_write_error
        recovery_sidecar_cleanup_failed apply_unsupported_change apply_dependency_blocked
        injected_failpoint
    """,
    "approvals": """
        approval_not_required approval_write_error approval_read_error invalid_approval_artifact
        unsupported_approval_version
    """,
    "recovery": """
        cluster_recovery_pending cluster_recovery_rolled_forward graph_create_incomplete
        graph_delete_incomplete recovery_sidecar_read_error invalid_recovery_sidecar
        unsupported_recovery_sidecar_version recovery_sidecar_write_error
    """,
    "status and refresh": """
        catalog_payload_missing catalog_payload_mismatch catalog_payload_read_error
        graph_observation_error
    """,
}
_EXACTER = "why the storage failed is told more exactly, by the storage_* codes"
DEPARTURES = {
    "state_read_error": _EXACTER,
    "state_write_error": _EXACTER,
    "approval_write_error": _EXACTER,
    "apply_approval_invariant_violation": "consent is looked up again at the effect itself, so no"
    " change can be carried out whose approval was lost on the way",
    "graph_delete_export_in_progress": "there are no exports that a deletion could meet yet",
    "injected_failpoint": "there are no test builds: faults are injected from outside, by stores"
    " and graph engines that fail",
}
"""Codes of those rows that agentctl does not have, each with why."""
GRAVER_OR_MILDER = {
    "state_cas_mismatch": "state.json is a copy of the ledger and believed by nobody: a warning"
    " where it is seen, a note where it is written anew",
    "conflicting_graph_manifest_observation": "it can stand in that copy only: a warning",
}
"""Codes that the table has as errors and agentctl tells otherwise, each with why."""

HERE = Path(__file__)
CODES_OF_THE_TABLE = [code for row in ROWS.values() for code in row.split()]


def named_tests() -> set[str]:
    """The names behind `test_` of the tests beside this one."""
    names: set[str] = set()
    for path in HERE.parent.glob(f"{HERE.stem}_*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        names |= {
            node.name.removeprefix("test_")
            for node in module.body
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
            and node.name.startswith("test_")
        }
    return names


def test_each_code_of_the_table_has_a_test_of_its_name_or_a_reason_why_not() -> None:
    named = named_tests() & set(CODES_OF_THE_TABLE)

    assert len(CODES_OF_THE_TABLE) == len(set(CODES_OF_THE_TABLE))
    assert named == set(CODES_OF_THE_TABLE) - set(DEPARTURES)


@pytest.mark.parametrize("code", DEPARTURES)
def test_a_code_that_is_left_out_is_nowhere_else_either(code: str) -> None:
    assert code in CODES_OF_THE_TABLE
    assert code not in CODES
    assert len(DEPARTURES[code].split()) > 5


@pytest.mark.parametrize("code", sorted(set(CODES_OF_THE_TABLE) - set(DEPARTURES)))
def test_a_code_of_the_table_is_registered_and_explained(code: str) -> None:
    assert code in CODES
    assert code in EXPLANATIONS


def test_a_code_of_another_severity_is_one_of_the_table() -> None:
    assert set(GRAVER_OR_MILDER) <= set(CODES_OF_THE_TABLE) - set(DEPARTURES)
