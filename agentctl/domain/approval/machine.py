"""Whether recorded consent opens a gate now. Source: control-plane 3.4, its table.

`reviews` says how each request stands by itself; `standing` says what that means for the gate of a
fresh plan. Both are pure: records, registry and time come in, and signatures are checked by the
callable that is handed in.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from agentctl.domain.approval.decision import check_artifact, request_fault
from agentctl.domain.approval.records import ApprovalRecords, ApprovalRequest, DecisionArtifact
from agentctl.domain.approval.tolerance import Moved, compare_effect, compare_key
from agentctl.domain.plan.inputs import StandingState
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.principals import Registry, Verify
from agentctl.instants import format_instant, parse_instant

REQUEST_LIFE: Final = timedelta(hours=24)
ASK_AGAIN_AFTER: Final = timedelta(hours=24)
"""How long a denied gate key cannot be asked again, unless its effect passed the tolerance."""
OPEN_PER_PRINCIPAL_MAX: Final = 5
OPEN_PER_CLUSTER_MAX: Final = 20

RequestState = Literal[
    "waiting", "approved", "denied", "changes_requested", "stale", "expired", "consumed"
]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """How one request stands by itself."""

    request: ApprovalRequest
    state: RequestState
    """`stale`: a key that approved it was revoked or replaced, or its requester was revoked."""
    artifact: DecisionArtifact | None = None
    """The decision that made it so; of several the last that was needed."""
    approvals: tuple[DecisionArtifact, ...] = ()
    """Good approvals, one an approver, by time."""
    why: Moved | None = None
    """Of a stale one: what moved."""
    refused: tuple[str, ...] = ()
    """Why artifacts that claim to decide it count for nothing."""

    @property
    def ended_at(self) -> datetime:
        """When it stopped being open; in the future for one that is."""
        end = self.request.expires_at
        if self.artifact is not None:
            end = min(end, self.artifact.decided_at)
        return parse_instant(end)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How recorded consent stands for the gate of a fresh plan."""

    state: StandingState = "none"
    request: ApprovalRequest | None = None
    artifact: DecisionArtifact | None = None
    why: Moved | None = None
    """The first thing that moved beyond what the decision covers: its field, old and new."""
    moved: tuple[Moved, ...] = ()
    """All that moved: within tolerance where it stands, beyond it where it is stale."""


NOTHING_ASKED: Final = Standing()


def reviews(
    records: ApprovalRecords, registry: Registry, now: datetime, verify: Verify
) -> tuple[Review, ...]:
    """Returns how each request stands, oldest first.

    A request that cannot be decided at all (of another cluster, or edited) is left out. So is one
    with the statement of another: of these only the one that was decided counts, else the oldest.
    And so is one that was filed while an older request of the same gate key was open: two writers
    who ask at once agree on the older.
    """
    told = sorted(records.requests, key=lambda r: r.request_id)
    by_nonce: dict[str, Review] = {}
    for request in told:
        if request_fault(request, registry) is not None:
            continue
        review = _review(request, records, registry, now, verify)
        first = by_nonce.get(request.statement.nonce)
        if first is None or (first.artifact is None and review.artifact is not None):
            by_nonce[request.statement.nonce] = review
    found: list[Review] = []
    for review in sorted(by_nonce.values(), key=lambda r: r.request.request_id):
        if not (review.artifact is None and is_shadowed(review.request, found)):
            found.append(review)
    return tuple(found)


def is_shadowed(request: ApprovalRequest, older: Iterable[Review]) -> bool:
    """Returns whether *request* was filed while one of *older* with its gate key was open."""
    return shadowing(request, older) is not None


def shadowing(request: ApprovalRequest, older: Iterable[Review]) -> Review | None:
    """Returns the older review that was open when *request* was filed."""
    created = parse_instant(request.created_at)
    return next(
        (
            review
            for review in older
            if review.request.gate_key == request.gate_key
            and review.request.request_id < request.request_id
            and created <= review.ended_at
        ),
        None,
    )


def standing(
    gate: Gate,
    records: ApprovalRecords,
    registry: Registry,
    now: datetime,
    verify: Verify,
) -> Standing:
    """Returns whether the records of consent open *gate* now, and if not, why."""
    return standing_of(gate, reviews(records, registry, now, verify), now)


def standing_of(gate: Gate, reviewed: Iterable[Review], now: datetime) -> Standing:
    """Returns how *gate* stands, of requests that were reviewed already."""
    reviewed = tuple(reviewed)
    same = [r for r in reviewed if r.request.gate_key == gate.key]
    denied = denial_in_force(gate, reviewed, now)
    # A refusal, and the use of an approval, end every approval of that gate from before.
    ends = [r.ended_at for r in same if r.state in {"denied", "consumed"}]
    approved = [
        _approved(gate, r)
        for r in same
        if r.state == "approved" and all(r.ended_at > end for end in ends)
    ]
    for stands in reversed(approved):
        if stands.state == "approved":
            return stands
    waiting = next((r for r in same if r.state == "waiting"), None)
    if waiting is not None:
        return _waiting(gate, waiting)
    if denied is not None:
        return Standing(state="denied", request=denied.request, artifact=denied.artifact)
    stale = [s for s in approved if s.state == "stale"] + [_left(r) for r in same]
    last = next((s for s in reversed(stale) if s.state != "none"), None)
    return last or _other_key(gate, reviewed)


def denial_in_force(gate: Gate, reviewed: Iterable[Review], now: datetime) -> Review | None:
    """Returns the newest denial that keeps *gate* from being asked again, or None."""
    denials = [r for r in reviewed if r.request.gate_key == gate.key and r.state == "denied"]
    newest = max(denials, key=lambda r: r.ended_at, default=None)
    if newest is None or now >= newest.ended_at + ASK_AGAIN_AFTER:
        return None
    return None if compare_effect(newest.request.statement, gate).beyond else newest


def _review(
    request: ApprovalRequest,
    records: ApprovalRecords,
    registry: Registry,
    now: datetime,
    verify: Verify,
) -> Review:
    good: list[DecisionArtifact] = []
    retired: list[DecisionArtifact] = []
    refused: list[str] = []
    mine = [a for a in records.artifacts if a.request_id == request.request_id]
    for artifact in sorted(mine, key=lambda a: (a.decided_at, a.approval_id)):
        checked = check_artifact(artifact, request, registry, verify)
        if checked.verdict == "refused":
            refused.append(f"{artifact.approval_id}: {checked.why}")
        else:
            (good if checked.verdict == "holds" else retired).append(artifact)
    review = _by_decisions(request, good, retired, registry)
    if any(a.approval_id in records.used for a in mine):
        review = msgspec.structs.replace(review, state="consumed")
    elif review.state in ("waiting", "approved") and now > parse_instant(request.expires_at):
        review = msgspec.structs.replace(
            review,
            state="expired",
            why=Moved(field="expires_at", old=request.expires_at, new=format_instant(now)),
        )
    return msgspec.structs.replace(review, refused=tuple(refused))


def _by_decisions(
    request: ApprovalRequest,
    good: list[DecisionArtifact],
    retired: list[DecisionArtifact],
    registry: Registry,
) -> Review:
    """Returns the review as if time stood still. A refusal counts whatever became of its key."""
    for artifact in (*good, *retired):
        if artifact.decision == "deny":
            return Review(request=request, state="denied", artifact=artifact)
    for artifact in (*good, *retired):
        if artifact.decision == "request_changes":
            return Review(request=request, state="changes_requested", artifact=artifact)
    approvals = tuple({a.approver: a for a in reversed(good)}.values())[::-1]
    if len(approvals) < request.needs.count:
        if retired:
            return Review(
                request=request,
                state="stale",
                artifact=retired[-1],
                why=Moved(field="key", old=retired[-1].key, new="revoked or replaced"),
            )
        return Review(request=request, state="waiting", approvals=approvals)
    deciding = approvals[request.needs.count - 1]
    gone = _revoked_asker(request, registry)
    return Review(
        request=request,
        state="approved" if gone is None else "stale",
        artifact=deciding,
        approvals=approvals,
        why=gone,
    )


def _revoked_asker(request: ApprovalRequest, registry: Registry) -> Moved | None:
    for field in ("requester", "on_behalf_of"):
        name = getattr(request.statement, field)
        asker = registry.principals.get(name) if name is not None else None
        if asker is not None and asker.revoked:
            return Moved(field=field, old=asker.id, new="revoked")
    return None


def _approved(gate: Gate, review: Review) -> Standing:
    compared = compare_effect(review.request.statement, gate)
    beyond = compared.beyond
    return Standing(
        state="stale" if beyond else "approved",
        request=review.request,
        artifact=review.artifact,
        why=beyond[0] if beyond else None,
        moved=beyond or compared.within,
    )


def _waiting(gate: Gate, review: Review) -> Standing:
    compared = compare_effect(review.request.statement, gate)
    return Standing(
        state="waiting",
        request=review.request,
        why=compared.beyond[0] if compared.beyond else None,
        moved=compared.beyond or compared.within,
    )


def _left(review: Review) -> Standing:
    """Returns the standing of a request that neither stands, waits nor was denied."""
    if review.state not in ("stale", "expired"):
        return NOTHING_ASKED
    return Standing(
        state="stale" if review.state == "stale" else "expired",
        request=review.request,
        artifact=review.artifact,
        why=review.why,
        moved=(review.why,) if review.why else (),
    )


def _other_key(gate: Gate, reviewed: Iterable[Review]) -> Standing:
    """Returns the newest approval of the same change of which a field of the gate key moved."""
    for review in reversed(tuple(reviewed)):
        statement = review.request.statement
        if (
            review.state == "approved"
            and review.request.gate_key != gate.key
            and statement.resource == gate.resource
            and statement.operation == gate.operation
        ):
            moved = compare_key(statement, gate)
            return Standing(
                state="stale",
                request=review.request,
                artifact=review.artifact,
                why=moved[0],
                moved=moved,
            )
    return NOTHING_ASKED
