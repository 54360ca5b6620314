"""What a caller over MCP may have called in its name: tools of its server, with the arguments they take.

The MCP server holds its own calls to it. Whatever makes other calls for such a caller, a run of a
playbook for one, asks here.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl_tools.operation import Operation

HIDDEN: Final[Mapping[str, frozenset[str]]] = {
    "plan": frozenset({"keep"}),
    "apply": frozenset({"plan_file", "wait_s"}),
    "refresh": frozenset({"wait_s"}),
    "import": frozenset({"wait_s"}),
    "mutate": frozenset({"wait_s"}),
    "sandbox_merge": frozenset({"wait_s"}),
    "query": frozenset({"deadline_s", "memory_bytes"}),
    "run_query": frozenset({"deadline_s", "memory_bytes"}),
    "force_unlock": frozenset({"confirmation"}),
    "reconcile": frozenset({"once", "interval_s", "ref"}),
}
"""Arguments that only the command line has, by tool."""
_ASK: Final = "The list of tools has what can be called here."


def unoffered(
    caller: Caller, operation: Operation, arguments: Mapping[str, Any]
) -> Diagnostic | None:
    """Returns why a caller over MCP could not make a call as a tool; None for other callers.

    An argument that only the command line has may say what holds without it: what was done in a
    sandbox is written down with its defaults.
    """
    if caller.via != "mcp":
        return None
    name = operation.name
    if operation.mcp_tool is None:
        return error("unknown_operation", name, f"`{name}` is no tool", remedy=_ASK)
    if operation.toolset is not None and operation.toolset not in caller.toolsets:
        why = f"`{name}` is of the toolset `{operation.toolset}`, which this server does not offer"
        return error("unknown_operation", name, why, remedy=_ASK)
    hidden = HIDDEN.get(operation.mcp_tool, frozenset()) & set(arguments)
    own = {f.encode_name: f.default for f in msgspec.structs.fields(operation.arguments)}
    said = sorted(field for field in hidden if arguments[field] != own.get(field))
    if not said:
        return None
    why = f"`{name}` has no argument `{said[0]}`"
    remedy = "Leave it out; it is the operator's own."
    return error("invalid_arguments", f"$.{said[0]}", why, remedy=remedy)
