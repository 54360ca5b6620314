"""`approval_wait`: returns when a request is decided, or at the timeout."""

from typing import Annotated

import msgspec

from agentctl_tools.envelopes import done, refused
from agentctl_tools.operation import Call, Envelope, Next, Operation

TIMEOUT_S_MAX = 50


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `approval_wait` takes."""

    id: Annotated[str, msgspec.Meta(description="The request.", max_length=100)]
    timeout_s: Annotated[float, msgspec.Meta(ge=0, le=TIMEOUT_S_MAX)] = 30.0


class Waited(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the request stands."""

    request_id: str
    resource: str
    standing: str
    approver: str | None = None
    reason: str | None = None
    """The human's words, where they gave any."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    waited = await call.cluster.approvals.wait(given.id, given.timeout_s)
    if waited is None:
        return refused("approval_not_found", given.id, "there is no request of that id")
    request = waited.request
    artifact = waited.artifact
    data = Waited(
        request_id=request.request_id,
        resource=request.statement.resource,
        standing=waited.state,
        approver=artifact.approver if artifact is not None else None,
        reason=artifact.reason if artifact is not None else None,
    )
    match waited.state:
        case "approved":
            calls = (Next(tool="plan", arguments={}, why="Then apply it: a human approved."),)
            return done("Approved.", data=data, next_calls=calls)
        case "waiting":
            again = Next(
                tool="approval_wait", arguments={"id": given.id}, why="Nobody has decided yet."
            )
            return done("Nobody has decided yet.", data=data, next_calls=(again,))
        case "denied":
            return done("Denied. Do without, or ask your human what they want.", data=data)
        case other:
            calls = (Next(tool="plan", arguments={}, why="See what stands now."),)
            return done(f"The request is {other}.", data=data, next_calls=calls)


OPERATION = Operation(
    name="approval_wait",
    operation_class="read",
    action="approval_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Returns when a human decided the request, or at the timeout.",
    resource=lambda given: f"approval:{given.id}",
    result=Waited,
    mcp_tool="approval_wait",
    idempotent=True,
)
