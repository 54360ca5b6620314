"""`import`: makes the ledger's first revision from what is live."""

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.engine import refresh as engine
from agentctl.engine.ignoring import leave_out_of_git
from agentctl.engine.results import RefreshResult
from agentctl_tools.envelopes import answer
from agentctl_tools.fields import Intent
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.waiting import WaitS


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `import` takes."""

    intent: Intent
    wait_s: WaitS = 0.0


async def _handle(call: Call) -> Envelope:
    result = await engine.import_(
        call.cluster, call.caller, call.arguments.intent, wait_s=call.arguments.wait_s
    )
    if not result.ok:
        return answer(result, "Nothing was imported.")
    left_out = (await leave_out_of_git(call.cluster)).diagnostics()
    told = sort_diagnostics((*result.diagnostics, *left_out))
    result = msgspec.structs.replace(result, diagnostics=told)
    return answer(result, f"The ledger is at revision {result.state_observations.state_revision}.")


OPERATION = Operation(
    name="import",
    operation_class="write",
    action="cluster_import",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Makes the ledger's first revision from the graphs that are there.",
    resource=lambda _: "cluster",
    result=RefreshResult,
    mcp_tool="import",
    toolset="operator",
)
