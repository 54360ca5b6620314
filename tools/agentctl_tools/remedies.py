"""Remedies that a call can carry out, by the code of the diagnostic they are for."""

from collections.abc import Iterable
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl_tools.operation import Next

CALLS_MAX: Final = 3

_CALLS: Final[dict[str, Next]] = {
    code: Next(tool=tool, arguments=arguments, why=why)
    for codes, tool, arguments, why in (
        (
            ("plan_stale", "plan_not_found", "approval_stale", "approval_not_required"),
            "plan",
            {},
            "Make a fresh plan; name your draft in `in` if the change is there.",
        ),
        (("state_lock_held", "lease_lost", "graph_busy"), "status", {}, "See who is at work."),
        (("query_not_found",), "queries", {}, "See which queries there are."),
        (
            ("param_missing", "param_unknown", "param_invalid"),
            "queries",
            {},
            "See the query's parameters.",
        ),
        (("graph_not_found", "approval_not_found"), "status", {}, "See what there is."),
        (("op_not_found",), "ops", {}, "See the newest ops."),
        (
            ("path_not_config", "draft_edit_conflict"),
            "config_read",
            {},
            "See the files; name your draft in `in` if you have one.",
        ),
    )
    for code in codes
}


def remedy_calls(found: Iterable[Diagnostic]) -> tuple[Next, ...]:
    """Returns the calls that mend the errors among *found*, each once."""
    calls = {d.code: _CALLS[d.code] for d in found if d.severity == "error" and d.code in _CALLS}
    unique: dict[str, Next] = {call.tool: call for call in calls.values()}
    return tuple(unique.values())[:CALLS_MAX]
