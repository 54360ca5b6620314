"""What people are told of consent: facts and a command to run, no button. Source: access-and-faces 3.5.

A notice holds nothing that the asker wrote, and nothing secret: who reads it elsewhere runs the
command and looks at the page itself.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from agentctl.domain.approval.machine import Review
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact
from agentctl.instants import format_instant, parse_instant

Event = Literal["requested", "half_time", "expiring", "decided", "frozen", "break_glass", "test"]
EXPIRING: Final = timedelta(hours=1)
"""How long before its end a request is about to expire; a tenth of its life where that is less."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to tell; its JSON is what a command gets on stdin and a webhook as its body."""

    format: Literal[1] = msgspec.field(default=1, name="format")
    event: Event
    at: str
    cluster: str
    """Its name."""
    cluster_id: str
    resource: str
    run: str
    """The command that shows all of it."""
    operation: str | None = None
    classes: tuple[str, ...] = ()
    request_id: str | None = None
    gate_digest: str | None = None
    asked_by: str | None = None
    on_behalf_of: str | None = None
    expires_at: str | None = None
    decision: str | None = None
    by: str | None = None


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Of which cluster a notice is, and from which folder its command is run."""

    cluster: str
    cluster_id: str
    folder: str
    """Quoted for a shell."""
    now: datetime


def of_request(event: Event, request: ApprovalRequest, where: Where) -> Notice:
    """Returns what to tell about a request."""
    statement = request.statement
    return Notice(
        event=event,
        at=format_instant(where.now),
        cluster=where.cluster,
        cluster_id=where.cluster_id,
        resource=statement.resource,
        run=f"agentctl approvals show {request.request_id} --config {where.folder}",
        operation=statement.operation,
        classes=statement.classes,
        request_id=request.request_id,
        gate_digest=request.gate_digest,
        asked_by=request.requester,
        on_behalf_of=request.on_behalf_of,
        expires_at=request.expires_at,
    )


def of_decision(request: ApprovalRequest, artifact: DecisionArtifact, where: Where) -> Notice:
    """Returns what to tell about a decision; one made alone is an event of its own."""
    alone = artifact.break_glass is not msgspec.UNSET
    notice = of_request("break_glass" if alone else "decided", request, where)
    run = f"agentctl approvals review --config {where.folder}" if alone else notice.run
    return msgspec.structs.replace(
        notice, decision=artifact.decision, by=artifact.approver, run=run
    )


def due(reviews: Iterable[Review], where: Where) -> tuple[Notice, ...]:
    """Returns what time alone makes worth telling: half of a life is over, or it is about to end."""
    found: list[Notice] = []
    for review in reviews:
        if review.state != "waiting":
            continue
        request = review.request
        begun, end = parse_instant(request.created_at), parse_instant(request.expires_at)
        life, left = end - begun, end - where.now
        if left <= min(EXPIRING, life / 10):
            found.append(of_request("expiring", request, where))
        elif left <= life / 2:
            found.append(of_request("half_time", request, where))
    return tuple(found)
