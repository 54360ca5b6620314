"""What a process's end says. Source: control-plane 3.6."""

import pytest

from agentctl.diagnostics.diagnostic import error, warning
from agentctl.faces.cli.exit_codes import ExitCode, exit_code

BY_CODE = {
    ExitCode.DENIED: ("storage_root_moved", "path_not_config", "denied", "human_only"),
    ExitCode.RACE: (
        "state_lock_held",
        "lease_lost",
        "read_set_conflict",
        "plan_stale",
        "draft_base_moved",
        "approval_stale",
        "idempotency_conflict",
    ),
    ExitCode.UNAVAILABLE: ("storage_probe_failed", "audit_unavailable", "storage_unavailable"),
    ExitCode.BUG: ("internal_error",),
    ExitCode.ERRORS: ("invalid_cluster_yaml", "query_typecheck_error", "state_missing"),
}


@pytest.mark.parametrize(
    ("code", "expected"), [(code, end) for end, codes in BY_CODE.items() for code in codes]
)
def test_each_code_has_one_end(code: str, expected: ExitCode) -> None:
    assert exit_code(ok=False, diagnostics=[error(code, "x", "y")]) is expected


def test_where_several_apply_the_gravest_comes_first() -> None:
    order = [70, 5, 4, 3, 6, 1]
    found = [error(codes[0], "x", "y") for end, codes in BY_CODE.items() if end != ExitCode.ERRORS]
    found.append(error("invalid_cluster_yaml", "x", "y"))

    seen = []
    while found:
        seen.append(int(exit_code(ok=False, diagnostics=found, waiting=True)))
        left = [d for d in found if exit_code(ok=False, diagnostics=[d]) != seen[-1]]
        if left == found:
            break
        found = left

    assert seen == order[:-1]
    assert exit_code(ok=False, diagnostics=[error("state_missing", "x", "y")]) == order[-1]


def test_a_warning_or_a_blocked_rest_is_no_failure() -> None:
    blocked = warning("approval_required", "graph.x", "waits")

    assert exit_code(ok=True, diagnostics=[blocked]) is ExitCode.DONE
    assert exit_code(ok=True, diagnostics=[blocked], waiting=True) is ExitCode.WAITING


def test_a_result_that_is_not_ok_never_ends_well() -> None:
    assert exit_code(ok=False, diagnostics=[]) is ExitCode.ERRORS
