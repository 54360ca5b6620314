"""What a process's end says. Source: control-plane 3.6."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic


class ExitCode(IntEnum):
    """Each has one meaning."""

    DONE = 0
    """Done, nothing to do, or all that is allowed was done."""
    ERRORS = 1
    """Diagnostics with errors."""
    USAGE = 2
    """The command line was not understood."""
    DENIED = 3
    """Not permitted, or not authenticated."""
    RACE = 4
    """Somebody else was faster; the same command may do it again."""
    UNAVAILABLE = 5
    """Storage or network."""
    WAITING = 6
    """A decision is awaited, and convergence was required."""
    PLANNED = 10
    """`plan --exit-code` only: there is something to do."""
    BUG = 70
    """Ours."""
    INTERRUPTED = 130
    """Ctrl-C ended it: a watch, or an apply between two steps."""


_BY_CODE: Final[dict[str, ExitCode]] = (
    dict.fromkeys(("internal_error",), ExitCode.BUG)
    | dict.fromkeys(
        (
            "storage_unavailable",
            "storage_probe_failed",
            "storage_credentials_expired",
            "storage_credentials_missing",
            "storage_denied",
            "storage_bucket_missing",
            "storage_clock_skewed",
            "storage_throttled",
            "storage_full",
            "storage_refused",
            "audit_unavailable",
            "issuer_unavailable",
            "server_unreachable",
            "server_answer_unreadable",
            "agent_model_unavailable",
            "agent_tools_lost",
            "sandbox_store_unavailable",
        ),
        ExitCode.UNAVAILABLE,
    )
    | dict.fromkeys(
        (
            "state_lock_held",
            "lease_lost",
            "read_set_conflict",
            "plan_stale",
            "draft_base_moved",
            "approval_stale",
            "idempotency_conflict",
            "graph_busy",
            "sandbox_record_conflict",
        ),
        ExitCode.RACE,
    )
    | dict.fromkeys(
        (
            "denied",
            "human_only",
            "frozen",
            "sandbox_store_read_only",
            "policy_evaluation_error",
            "storage_root_moved",
            "unauthenticated",
            "token_invalid",
            "token_expired",
            "token_revoked",
            "token_refused",
            "scope_missing",
            "server_mismatch",
            "evidence_mismatch",
            "path_not_config",
            "path_outside_folder",
            "agent_model_key_missing",
        ),
        ExitCode.DENIED,
    )
    | dict.fromkeys(("invalid_arguments", "unknown_operation"), ExitCode.USAGE)
)
_PRECEDENCE: Final = (
    ExitCode.BUG,
    ExitCode.UNAVAILABLE,
    ExitCode.RACE,
    ExitCode.DENIED,
    ExitCode.WAITING,
    ExitCode.USAGE,
    ExitCode.ERRORS,
)


def exit_code(*, ok: bool, diagnostics: Iterable[Diagnostic], waiting: bool = False) -> ExitCode:
    """Returns the code of a command's end; where several apply, the one that comes first.

    Args:
        ok: the result's own verdict.
        diagnostics: those of the result; only errors count.
        waiting: convergence was required and a decision is awaited.
    """
    found = {_BY_CODE.get(d.code, ExitCode.ERRORS) for d in diagnostics if d.severity == "error"}
    if not ok and not found:
        found.add(ExitCode.ERRORS)
    if waiting:
        found.add(ExitCode.WAITING)
    return next((code for code in _PRECEDENCE if code in found), ExitCode.DONE)
