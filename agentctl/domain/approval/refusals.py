"""Why somebody may not ask, or not decide so: diagnostics of the approvals, in one place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.deciders import break_glass_fault, seats, unidentified
from agentctl.domain.approval.machine import (
    OPEN_PER_CLUSTER_MAX,
    OPEN_PER_PRINCIPAL_MAX,
    Review,
)
from agentctl.domain.approval.records import ApprovalRequest, Verdict
from agentctl.domain.plan.approval_rules import Requirements
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import Principal, Registry
from agentctl.instants import format_instant

REASON_CHARACTERS_MAX: Final = 2000


def denied_recently(gate: Gate, denied: Review) -> Diagnostic:
    """Says that a human refused the same change a short while ago."""
    return error(
        "approval_denied_recently",
        gate.resource,
        f"the {gate.operation} of {gate.resource} was denied at {format_instant(denied.ended_at)}",
        remedy="Do without it, or talk to the human who denied it.",
    )


def too_many(gate: Gate, principal: str, waiting: Sequence[ApprovalRequest]) -> Diagnostic | None:
    """Says that humans have enough to decide already; None while they have not."""
    mine = sum(r.requester == principal for r in waiting)
    if mine < OPEN_PER_PRINCIPAL_MAX and len(waiting) < OPEN_PER_CLUSTER_MAX:
        return None
    return error(
        "approval_limit",
        gate.resource,
        f"{mine} requests of {principal!a} and {len(waiting)} of the cluster are open; at most "
        f"{OPEN_PER_PRINCIPAL_MAX} and {OPEN_PER_CLUSTER_MAX} may be",
        remedy="Wait until a human has decided some: agentctl approvals",
    )


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that somebody is about to make."""

    verdict: Verdict
    approver: str
    reason: str | None
    break_glass: bool = False


def unaskable(
    caller: Caller, gate: Gate, asked: Requirements, registry: Registry
) -> Diagnostic | None:
    """Returns why no request of *caller* could ever be approved, or None."""
    if not asked.separate:
        return None
    statement = gate.statement(
        requester=caller.id, on_behalf_of=caller.on_behalf_of, expires_at="", nonce=""
    )
    if not unidentified(statement, registry):
        return None
    return error(
        "approver_unfit",
        gate.resource,
        f"{', '.join(asked.rules)} wants requester and approver to be different people, and nobody "
        f"can tell which person {caller.id!a} is",
        remedy="Ask as an enrolled human, or as an agent of one: agentctl identity list",
    )


def unfit(
    review: Review, approver: Principal, wanted: Wanted, registry: Registry, now: datetime
) -> Diagnostic | None:
    """Returns why an approval of *approver* would not count under the applied rules, or None."""
    if wanted.verdict != "approve":
        return None
    why: str | None = None
    if wanted.break_glass:
        why = break_glass_fault(approver, wanted.reason, review.asked)
    else:
        found = seats(approver, review.request.statement, review.asked, registry, (now,))
        why = found if isinstance(found, str) else _second_self(approver, review, registry)
    if why is None:
        return None
    return error(
        "approver_unfit",
        review.request.statement.resource,
        f"an approval by {approver.id} does not count: {why}",
        remedy="agentctl approvals show " + review.request.request_id,
    )


def _second_self(approver: Principal, review: Review, registry: Registry) -> str | None:
    """Returns why somebody who is the same person as one who has approved adds nothing."""
    person = registry.person(approver.id)
    other = next((s.approver for s in review.seats if registry.person(s.approver) == person), None)
    if other is None or other == approver.id:
        return None
    return (
        f"{other} has approved it already, and the two count as one person until another human"
        " has vouched for them"
    )


def undecidable(review: Review | None, request_id: str, wanted: Wanted) -> Diagnostic | None:
    """Returns why the request cannot be decided so now, whoever decides, or None.

    A human may still deny what was approved and not used yet.
    """
    if review is None:
        return not_found(request_id)
    reason, verdict = wanted.reason, wanted.verdict
    if reason is not None and len(reason) > REASON_CHARACTERS_MAX:
        why = f"a reason has at most {REASON_CHARACTERS_MAX} characters"
        return error("invalid_arguments", "$.reason", why)
    if review.state == "approved" and verdict == "deny":
        return None
    if review.state != "waiting":
        return error(
            "approval_closed",
            review.request.statement.resource,
            f"request {review.request.request_id} is {review.state.replace('_', ' ')}",
            remedy="agentctl approvals",
        )
    again = any(a.approver == wanted.approver for a in review.approvals)
    if again and verdict == "approve" and not wanted.break_glass:
        why = f"{wanted.approver} has approved it already"
        return error("approval_closed", review.request.statement.resource, why)
    return None


def not_found(request_id: str) -> Diagnostic:
    """Says that no request of that id is known."""
    return error(
        "approval_not_found",
        "approvals",
        f"there is no request {request_id!a} in this cluster",
        remedy="agentctl approvals",
    )


def not_enrolled(caller: Caller) -> Diagnostic:
    """Says that the caller is nobody whose decision counts."""
    return error(
        "human_key_missing",
        caller.id,
        f"{caller.id!a} is no enrolled human of this cluster",
        remedy="agentctl init",
    )


def wrong_key(approver: Principal) -> Diagnostic:
    """Says that the key at hand is not the enrolled one."""
    return error(
        "signature_invalid",
        approver.id,
        f"the key at hand is not the one that {approver.id} is enrolled with",
        remedy="agentctl identity show",
    )
