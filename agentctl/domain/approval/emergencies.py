"""Emergency decisions, and whether a second human has closed the review. Source: access-and-faces 3.5.

A review changes nothing that happened: it says that somebody else than who decided alone looked at
it, and what they found. It is signed, and open until then.
"""

from collections.abc import Iterable

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.domain.approval.decision import check_artifact
from agentctl.domain.approval.records import (
    CONSENT_NAMESPACE,
    REVIEW,
    ApprovalRecords,
    ClosedReview,
    DecisionArtifact,
    ReviewStatement,
)
from agentctl.domain.policy.principals import Registry, Verify


class Emergency(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that somebody made alone."""

    artifact: DecisionArtifact
    used: bool
    """Whether an apply has used it."""
    review: ReviewStatement | None = None
    """As a second human closed it; None while it is open."""


def emergencies(
    records: ApprovalRecords, registry: Registry, verify: Verify
) -> tuple[Emergency, ...]:
    """Returns every emergency decision that holds or held, oldest first."""
    requests = {r.request_id: r for r in records.requests}
    found: list[Emergency] = []
    for artifact in sorted(records.artifacts, key=lambda a: a.approval_id):
        request = requests.get(artifact.request_id)
        if artifact.break_glass is msgspec.UNSET or request is None:
            continue
        if check_artifact(artifact, request, registry, verify).verdict == "refused":
            continue
        found.append(
            Emergency(
                artifact=artifact,
                used=artifact.approval_id in records.used,
                review=_closed(artifact, records.closed, registry, verify),
            )
        )
    return tuple(found)


def review_bytes(statement: ReviewStatement) -> bytes:
    """Returns the exact bytes that a reviewer signs."""
    return canonical_bytes(statement)


def review_fault(
    closed: ClosedReview, artifact: DecisionArtifact, registry: Registry, verify: Verify
) -> str | None:
    """Returns why a review does not close *artifact*'s, or None."""
    statement = closed.statement
    reviewer = registry.principals.get(statement.reviewer)
    known = reviewer is not None and reviewer.kind == "human" and reviewer.confirmed
    reviewing = registry.person(statement.reviewer)
    has_key = reviewer is not None and (
        (reviewer.key == closed.key and not reviewer.revoked)
        or registry.former_keys.get(closed.key) == reviewer.id
    )
    checks = (
        (statement.statement == REVIEW, "it is another statement"),
        (statement.cluster_id == registry.cluster_id, "it is of another cluster"),
        (statement.approval_id == artifact.approval_id, "it is of another decision"),
        (statement.gate_digest == artifact.gate_digest, "it is about another statement"),
        (
            reviewing != registry.person(artifact.approver),
            "nobody reviews their own decision, nor does a second self",
        ),
        (bool(statement.reason.strip()), "it has no reason"),
        (known, "its reviewer is no enrolled human"),
        (has_key, "its key is not its reviewer's"),
    )
    why = next((why for holds, why in checks if not holds), None)
    if why is not None:
        return why
    signer = verify(closed.signature, review_bytes(statement), CONSENT_NAMESPACE)
    return None if signer == closed.key else "the signature does not hold over the statement"


def _closed(
    artifact: DecisionArtifact, closed: Iterable[ClosedReview], registry: Registry, verify: Verify
) -> ReviewStatement | None:
    return next(
        (
            one.statement
            for one in closed
            if one.statement.approval_id == artifact.approval_id
            and review_fault(one, artifact, registry, verify) is None
        ),
        None,
    )
