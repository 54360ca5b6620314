"""The list of what waits for a human, as rows of safe text."""

import msgspec

from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.approval.typed_name import name_to_type
from agentctl.domain.plan.model import EffectClass
from agentctl.instants import parse_instant
from agentctl.views.decision import safe

HEADINGS = ("decide", "resource", "class", "asked by", "expires")
WIDTHS = (7, 25, 15, 14, 7)
"""Columns of the list; with a gap on both sides of each they fit on 80."""
WORST_FIRST: tuple[EffectClass, ...] = ("irreversible", "authority", "narrowing", "reversible")


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One open request; `request_id` is the row's identity wherever it stands in the list."""

    request_id: str
    cells: tuple[str, ...]


def waiting_rows(requests: tuple[ApprovalRequest, ...], now: str) -> tuple[WaitingRow, ...]:
    """Returns the rows: irreversible ones first, then by expiry."""
    ranked = sorted(
        requests,
        key=lambda r: ("irreversible" not in r.statement.classes, r.expires_at, r.request_id),
    )
    return tuple(_row(request, now) for request in ranked)


def _row(request: ApprovalRequest, now: str) -> WaitingRow:
    left = parse_instant(request.expires_at) - parse_instant(now)
    hours = int(left.total_seconds() // 3600)
    return WaitingRow(
        request_id=request.request_id,
        cells=(
            request.statement.operation,
            safe(request.statement.resource, WIDTHS[1]),
            _class(request.statement.classes),
            safe(request.requester, WIDTHS[3]),
            f"{hours} h" if hours >= 1 else f"{max(int(left.total_seconds() // 60), 0)} min",
        ),
    )


def resource_name(request: ApprovalRequest) -> str:
    """Returns what a person types to approve: the resource's own name."""
    return name_to_type(request.statement.resource)


def _class(classes: tuple[EffectClass, ...]) -> str:
    """Returns the worst class, and how many more there are."""
    worst, *more = sorted(classes, key=WORST_FIRST.index)
    return f"{worst} +{len(more)}" if more else worst
