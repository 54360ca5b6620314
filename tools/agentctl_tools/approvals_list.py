"""`approvals`: the requests for a human's decision, and how each stands."""

from typing import Literal

import msgspec

from agentctl.domain.approval.records import ApprovalRequest
from agentctl.engine.cluster import Cluster
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `approvals` takes."""

    show: Literal["open", "all"] = "open"


class RequestList(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first."""

    requests: tuple[ApprovalRequest, ...]


async def _handle(call: Call) -> Envelope:
    if call.arguments.show == "open":
        listed = await open_requests(call.cluster)
    else:
        listed = tuple((await call.cluster.approvals.records()).requests)
    return done(f"{count(len(listed), 'request')}.", data=RequestList(requests=listed))


async def open_requests(cluster: Cluster) -> tuple[ApprovalRequest, ...]:
    """Returns the requests that a human can decide now, oldest first."""
    return tuple(await cluster.approvals.open_requests())


OPERATION = Operation(
    name="approvals",
    operation_class="read",
    action="approval_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. The requests that wait for a human.",
    resource=lambda _: "cluster",
    result=RequestList,
    idempotent=True,
)
