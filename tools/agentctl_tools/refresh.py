"""`refresh`: observes the live graphs and the catalog, and records what was seen."""

import msgspec

from agentctl.engine import refresh as engine
from agentctl.engine.results import RefreshResult
from agentctl_tools.envelopes import answer, count
from agentctl_tools.fields import Intent
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.waiting import WaitS


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `refresh` takes."""

    intent: Intent
    wait_s: WaitS = 0.0


async def _handle(call: Call) -> Envelope:
    result = await engine.refresh(
        call.cluster, call.caller, call.arguments.intent, wait_s=call.arguments.wait_s
    )
    drifted = sum(s.status == "drifted" for s in result.resource_statuses.values())
    if not result.ok:
        return answer(result, "The refresh did not finish.")
    seen = count(len(result.observations), "observation")
    return answer(result, f"Recorded {seen}; {drifted} drifted.")


OPERATION = Operation(
    name="refresh",
    operation_class="write",
    action="cluster_refresh",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Observes the live graphs and records what was seen.",
    resource=lambda _: "cluster",
    result=RefreshResult,
    mcp_tool="refresh",
    toolset="operator",
)
