"""Emergency decisions: which are there, and how a second human closes the review of one.

Write order: the audit record, then the review, create-only. Source: access-and-faces 3.5.
"""

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.approval.codec import encode, review_key
from agentctl.domain.approval.emergencies import Emergency, review_bytes, review_fault
from agentctl.domain.approval.emergencies import emergencies as emergencies_in
from agentctl.domain.approval.records import (
    CONSENT_NAMESPACE,
    REVIEW,
    ClosedReview,
    Finding,
    ReviewStatement,
)
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent_snapshot import Snapshot
from agentctl.engine.principals import Signer
from agentctl.engine.world import mint_nonce
from agentctl.instants import format_instant


async def emergencies(cluster: Cluster) -> tuple[Emergency, ...]:
    """Returns every emergency decision, oldest first, with its review where it is closed."""
    snapshot = await cluster.approvals.snapshot()
    return emergencies_in(snapshot.records, snapshot.registry, cluster.verify)


async def open_reviews(cluster: Cluster) -> tuple[Diagnostic, ...]:
    """Returns a warning for each emergency decision that no second human has looked at."""
    return open_in(cluster, await cluster.approvals.snapshot())


def open_in(cluster: Cluster, snapshot: Snapshot) -> tuple[Diagnostic, ...]:
    """Returns the same, of what was read already."""
    told = emergencies_in(snapshot.records, snapshot.registry, cluster.verify)
    return tuple(_open(one) for one in told if one.review is None)


async def close_review(
    cluster: Cluster,
    caller: Caller,
    approval_id: str,
    *,
    finding: Finding,
    reason: str,
    signer: Signer | None,
) -> ReviewStatement | tuple[Diagnostic, ...]:
    """Records what the calling human found of an emergency decision that was not theirs.

    Raises:
        AuditUnavailableError: the audit record could not be written; nothing was closed.
    """
    snapshot = await cluster.approvals.snapshot()
    told = emergencies_in(snapshot.records, snapshot.registry, cluster.verify)
    one = next((e for e in told if e.artifact.approval_id == approval_id), None)
    if one is None:
        why = "there is no emergency decision of that id"
        return (error("approval_not_found", approval_id, why, remedy="agentctl approvals review"),)
    if one.review is not None:
        why = f"{one.review.reviewer} closed that review already"
        return (error("approval_closed", one.artifact.resource, why),)
    human = snapshot.registry.human(caller.id)
    if human is None or signer is None or signer.key != human.key:
        why = "a review is closed by an enrolled human with their key"
        return (error("human_key_missing", caller.id, why, remedy="agentctl identity show"),)
    statement = ReviewStatement(
        statement=REVIEW,
        cluster_id=snapshot.registry.cluster_id,
        approval_id=approval_id,
        gate_digest=one.artifact.gate_digest,
        finding=finding,
        reason=reason,
        reviewer=human.id,
        reviewed_at=format_instant(snapshot.now),
        nonce=mint_nonce(cluster.world),
    )
    key, signature = signer.sign(review_bytes(statement), CONSENT_NAMESPACE)
    closed = ClosedReview(statement=statement, key=key, signature=signature)
    fault = review_fault(closed, one.artifact, snapshot.registry, cluster.verify)
    if fault is not None:
        return (error("approver_unfit", one.artifact.resource, f"it closes no review: {fault}"),)
    await cluster.audit.append(
        actor=AuditActor(
            nid=caller.nid, identity=caller.identity, kind=caller.kind, source=caller.source
        ),
        on_behalf_of=None,
        action="approval_reviewed",
        resource=one.artifact.resource,
        decision="allow",
        policies=(),
        request_digest=one.artifact.gate_digest,
        digests={"gate": one.artifact.gate_digest},
    )
    await cluster.store.create(review_key(approval_id), encode(closed))
    return statement


def _open(one: Emergency) -> Diagnostic:
    artifact = one.artifact
    state = "and it was used" if one.used else "and it was not used yet"
    return warning(
        "break_glass_open",
        artifact.resource,
        f"{artifact.approver} decided alone about {artifact.resource} in an emergency, {state}",
        detail="A second human must look at it and close the review.",
        remedy=f"agentctl approvals review {artifact.approval_id} --reason TEXT",
    )
