"""`submit_decision`: hands in a decision that a human signed elsewhere. It is verified like any other."""

from typing import Annotated

import msgspec

from agentctl.domain.approval.notices import of_decision
from agentctl.domain.approval.records import DecisionArtifact
from agentctl.engine import decisions
from agentctl.engine.results import ApproveResult
from agentctl_tools.decide import approve_result
from agentctl_tools.envelopes import answer, failed
from agentctl_tools.fields import IdempotencyKey, Intent
from agentctl_tools.notices import telling, where_of
from agentctl_tools.once import conflict_of
from agentctl_tools.operation import Call, Envelope, Operation

ARTIFACT_MAX = 20_000


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `submit_decision` takes."""

    decision: Annotated[
        str,
        msgspec.Meta(description="A decision that a human signed, whole.", max_length=ARTIFACT_MAX),
    ]
    intent: Intent
    idempotency_key: IdempotencyKey = None


async def _handle(call: Call) -> Envelope:
    conflict = await conflict_of(call, "submit_decision")
    if conflict is not None:
        return failed((conflict,))
    given = call.arguments
    recorded = await decisions.submit(
        call.cluster, call.caller, given.decision.encode(), given.intent
    )
    if not isinstance(recorded, DecisionArtifact):
        return failed(recorded, summary="The decision does not hold.")
    envelope = answer(approve_result(call.cluster, recorded), f"Recorded: {recorded.decision}.")
    request = await call.cluster.approvals.find(recorded.request_id)
    if request is None:
        return envelope
    notice = of_decision(request, recorded, await where_of(call.cluster))
    return await telling(call.cluster, envelope, notice)


OPERATION = Operation(
    name="submit_decision",
    operation_class="write",
    action="approval_submit",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Hands in a decision that an enrolled human signed.",
    resource=lambda _: "cluster",
    result=ApproveResult,
    mcp_tool="approve",
    idempotent=True,
)
