"""Whether recorded consent opens a gate now. Source: control-plane 3.4, its table.

`reviews` says how each request stands by itself; `standing` says what that means for the gate of a
fresh plan. Both are pure: records, registry and time come in, and signatures are checked by the
callable that is handed in. The applied rules say how many of whom must approve: they come in too,
and a request that was asked under other rules opens nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from agentctl.domain.approval.deciders import Seat, break_glass_fault, counted, seat_of, seats
from agentctl.domain.approval.decision import check_artifact, request_fault
from agentctl.domain.approval.records import ApprovalRecords, ApprovalRequest, DecisionArtifact
from agentctl.domain.approval.tolerance import Moved, compare_effect, compare_key
from agentctl.domain.plan.approval_rules import (
    LIFE_S,
    AppliedRule,
    Requirements,
    requirements,
    rules_digest,
)
from agentctl.domain.plan.inputs import StandingState
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.principals import Registry, Verify
from agentctl.instants import format_instant, parse_instant

REQUEST_LIFE: Final = timedelta(seconds=LIFE_S)
ASK_AGAIN_AFTER: Final = timedelta(hours=24)
"""How long a denied gate key cannot be asked again, unless its effect passed the tolerance."""
OPEN_PER_PRINCIPAL_MAX: Final = 5
OPEN_PER_CLUSTER_MAX: Final = 20

RequestState = Literal[
    "waiting", "approved", "denied", "changes_requested", "stale", "expired", "consumed"
]


class Judges(msgspec.Struct, frozen=True, kw_only=True):
    """What the records of consent are judged by."""

    registry: Registry
    now: datetime
    verify: Verify
    rules: tuple[AppliedRule, ...] = ()
    """The applied ones."""

    @property
    def rules_digest(self) -> str:
        """What a statement says of them."""
        return rules_digest(self.rules)


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """How one request stands by itself."""

    request: ApprovalRequest
    state: RequestState
    """`stale`: a key that approved it was revoked or replaced, its requester was revoked, or the
    approval rules are others."""
    artifact: DecisionArtifact | None = None
    """The decision that made it so; of several the last that was needed."""
    approvals: tuple[DecisionArtifact, ...] = ()
    """Good approvals that count under the rules, one an approver, by time."""
    asked: Requirements = Requirements()
    """What the applied rules ask."""
    seats: tuple[Seat, ...] = ()
    """By whose groups each of `approvals` counts, where that many count side by side."""
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
    approvals: tuple[DecisionArtifact, ...] = ()
    """All that count, where it is approved; they are used up together."""
    why: Moved | None = None
    """The first thing that moved beyond what the decision covers: its field, old and new."""
    moved: tuple[Moved, ...] = ()
    """All that moved: within tolerance where it stands, beyond it where it is stale."""


NOTHING_ASKED: Final = Standing()


def reviews(
    records: ApprovalRecords,
    registry: Registry,
    now: datetime,
    verify: Verify,
    rules: Sequence[AppliedRule] = (),
) -> tuple[Review, ...]:
    """Returns how each request stands, oldest first.

    A request that cannot be decided at all (of another cluster, or edited) is left out. So is one
    with the statement of another: of these only the one that was decided counts, else the oldest.
    And so is one that was filed while an older request of the same gate key was open: two writers
    who ask at once agree on the older.
    """
    judges = Judges(registry=registry, now=now, verify=verify, rules=tuple(rules))
    told = sorted(records.requests, key=lambda r: r.request_id)
    by_nonce: dict[str, Review] = {}
    for request in told:
        if request_fault(request, registry, judges.rules) is not None:
            continue
        review = _review(request, records, judges)
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


def _review(request: ApprovalRequest, records: ApprovalRecords, judges: Judges) -> Review:
    good: list[DecisionArtifact] = []
    retired: list[DecisionArtifact] = []
    refused: list[str] = []
    mine = [a for a in records.artifacts if a.request_id == request.request_id]
    for artifact in sorted(mine, key=lambda a: (a.decided_at, a.approval_id)):
        checked = check_artifact(artifact, request, judges.registry, judges.verify)
        if checked.verdict == "refused":
            refused.append(f"{artifact.approval_id}: {checked.why}")
        else:
            (good if checked.verdict == "holds" else retired).append(artifact)
    statement = request.statement
    asked = requirements(judges.rules, resource=statement.resource, classes=statement.classes)
    review = _refusals(request, [*good, *retired])
    if review is None:
        review = _by_approvals(request, good, retired, judges, asked)
        refused += review.refused
    if any(a.approval_id in records.used for a in mine):
        review = msgspec.structs.replace(review, state="consumed")
    else:
        review = _aged(review, judges)
    return msgspec.structs.replace(review, asked=asked, refused=tuple(refused))


def _refusals(request: ApprovalRequest, told: list[DecisionArtifact]) -> Review | None:
    """Returns how refusals end the request. One counts whatever became of its key."""
    for artifact in told:
        if artifact.decision == "deny":
            return Review(request=request, state="denied", artifact=artifact)
    for artifact in told:
        if artifact.decision == "request_changes":
            return Review(request=request, state="changes_requested", artifact=artifact)
    return None


def _by_approvals(
    request: ApprovalRequest,
    good: list[DecisionArtifact],
    retired: list[DecisionArtifact],
    judges: Judges,
    asked: Requirements,
) -> Review:
    """Returns the review as if time and rules stood still."""
    options: list[tuple[DecisionArtifact, tuple[Seat, ...]]] = []
    unfit: list[str] = []
    for artifact in good:
        choices = _choices(artifact, request, judges, asked)
        if isinstance(choices, str):
            unfit.append(f"{artifact.approval_id}: {choices}")
        else:
            options.append((artifact, choices))
    emergency = [(a, c) for a, c in options if a.break_glass is not msgspec.UNSET]
    first_of = {a.approver: (a, choices) for a, choices in reversed(options)}
    chosen = emergency[:1] or list(first_of.values())[::-1]
    needed = 1 if emergency else asked.count
    side_by_side = counted(chosen)
    counting = {seat.approver for seat in side_by_side}
    approvals = tuple(a for a, _ in chosen if a.approver in counting)
    review = Review(
        request=request,
        state="waiting",
        approvals=approvals,
        seats=side_by_side,
        refused=tuple(unfit),
    )
    if len(approvals) < needed:
        if not retired:
            return review
        gone = Moved(field="key", old=retired[-1].key, new="revoked or replaced")
        return msgspec.structs.replace(review, state="stale", artifact=retired[-1], why=gone)
    revoked = _revoked_asker(request, judges.registry)
    return msgspec.structs.replace(
        review,
        state="approved" if revoked is None else "stale",
        artifact=approvals[needed - 1],
        why=revoked,
    )


def _choices(
    artifact: DecisionArtifact, request: ApprovalRequest, judges: Judges, asked: Requirements
) -> tuple[Seat, ...] | str:
    """Returns by whose groups an approval may count, or why it does not."""
    approver = judges.registry.human(artifact.approver)
    assert approver is not None, "it was checked against the chain"
    if artifact.break_glass is not msgspec.UNSET:
        fault = break_glass_fault(approver, artifact.reason, asked)
        alone = seat_of(approver, approver, judges.registry, break_glass=True)
        return (alone,) if fault is None else fault
    times = (parse_instant(artifact.decided_at), judges.now)
    return seats(approver, request.statement, asked, judges.registry, times)


def _aged(review: Review, judges: Judges) -> Review:
    """Returns the review under the rules and at the time that are now."""
    request = review.request
    if review.state not in ("waiting", "approved"):
        return review
    if judges.now > parse_instant(request.expires_at):
        now = format_instant(judges.now)
        ended = Moved(field="expires_at", old=request.expires_at, new=now)
        return msgspec.structs.replace(review, state="expired", why=ended)
    if request.statement.rules != judges.rules_digest:
        changed = Moved(field="rules", old=request.statement.rules, new=judges.rules_digest)
        return msgspec.structs.replace(review, state="stale", why=changed)
    return review


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
        approvals=review.approvals,
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
            (review.state == "approved" or _by_other_rules(review))
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


def _by_other_rules(review: Review) -> bool:
    return review.state == "stale" and review.why is not None and review.why.field == "rules"
