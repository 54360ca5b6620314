"""`emergencies` and `approval_review`: decisions that somebody made alone, and what a second human found."""

from typing import Annotated

import msgspec

from agentctl.domain.approval.emergencies import Emergency
from agentctl.domain.approval.records import Finding, ReviewStatement
from agentctl.engine import emergencies as engine
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope, Operation


class NoArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It takes no arguments."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `approval_review` takes."""

    approval_id: Annotated[str, msgspec.Meta(max_length=100)]
    finding: Finding
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class EmergencyList(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first."""

    emergencies: tuple[Emergency, ...]


async def _list(call: Call) -> Envelope:
    found = await engine.emergencies(call.cluster)
    waiting = sum(one.review is None for one in found)
    told = f"{count(len(found), 'emergency decision')}, {waiting} to be reviewed."
    return done(told, data=EmergencyList(emergencies=found))


async def _close(call: Call) -> Envelope:
    given = call.arguments
    closed = await engine.close_review(
        call.cluster,
        call.caller,
        given.approval_id,
        finding=given.finding,
        reason=given.reason,
        signer=call.signer,
    )
    if not isinstance(closed, ReviewStatement):
        return failed(closed, summary="No review was closed.")
    return done(f"Closed: {closed.finding}.", data=closed)


LIST = Operation(
    name="emergencies",
    operation_class="read",
    action="approval_read",
    arguments=NoArguments,
    handler=_list,
    describe="Look. Decisions that somebody made alone, and their reviews.",
    resource=lambda _: "cluster",
    result=EmergencyList,
    idempotent=True,
)
CLOSE = Operation(
    name="approval_review",
    operation_class="human_only",
    action="approval_decide",
    arguments=Arguments,
    handler=_close,
    describe="Real. Closes the review of a decision that somebody else made alone.",
    resource=lambda given: f"approval:{given.approval_id}",
    result=ReviewStatement,
)
