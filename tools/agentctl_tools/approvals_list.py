"""`approvals`: the requests for a human's decision, and how each stands."""

from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.engine.consent_snapshot import Snapshot
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `approvals` takes."""

    show: Literal["open", "all"] = "open"


class RequestList(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first."""

    requests: tuple[ApprovalRequest, ...]


async def _handle(call: Call) -> Envelope:
    shown = await call.cluster.approvals.shown()
    listed = open_requests(shown) if call.arguments.show == "open" else shown.records.requests
    return done(
        f"{count(len(listed), 'request')}.",
        data=RequestList(requests=listed),
        diagnostics=record_faults(shown),
    )


def open_requests(shown: Snapshot) -> tuple[ApprovalRequest, ...]:
    """Returns the requests that a human can decide now, oldest first."""
    return tuple(r.request for r in shown.reviews if r.state == "waiting")


def record_faults(shown: Snapshot) -> tuple[Diagnostic, ...]:
    """Returns a warning for each record of consent that counts for nothing."""
    faults = shown.records.diagnostics
    return tuple(msgspec.structs.replace(fault, severity="warning") for fault in faults)


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
