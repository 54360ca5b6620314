"""A decision as an Op: begun when all is verified, ended when the artifact is there. Source: ops 5.

The artifact of the decision is the truth and the Op tells of it. So the write order is a promise:
the Op, running, with the artifact's id among its targets; the audit record; the artifact; the Op's
end. An Op that stays open in between is settled by the next command, by whether that artifact is
there. A decision that is there is never reported as failed because its Op could not be ended.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.records import DecisionArtifact, Verdict
from agentctl.domain.ops.record import NewOp, Op, OpActor
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.bracket import decision_target, snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.journal import OpRejectedError
from agentctl.engine.principals import Signer

BREAK_GLASS: Final = "break-glass"
"""What the intent of an emergency decision's Op begins with."""
Decided = DecisionArtifact | tuple[Diagnostic, ...]
Before = Callable[[DecisionArtifact], Awaitable[None]]


async def decide(  # noqa: PLR0913  # what a decision is made of
    cluster: Cluster,
    caller: Caller,
    request_id: str,
    *,
    verdict: Verdict,
    reason: str | None,
    signer: Signer,
    break_glass: bool = False,
) -> Decided:
    """Records the decision of the human who calls, and the Op that tells of it.

    With *break_glass* somebody of that role approves alone, and the Op says so.

    Raises:
        AuditUnavailableError: the audit record could not be written; nothing was decided.
    """

    async def work(before: Before) -> Decided:
        return await cluster.approvals.decide(
            caller,
            request_id,
            verdict=verdict,
            reason=reason,
            signer=signer,
            break_glass=break_glass,
            before=before,
        )

    return await _told(cluster, caller, "decide", reason, work)


async def submit(cluster: Cluster, caller: Caller, artifact: bytes, intent: str) -> Decided:
    """Records a decision that was signed elsewhere, and the Op that tells of it.

    Raises:
        AuditUnavailableError: the audit record could not be written; nothing was recorded.
    """

    async def work(before: Before) -> Decided:
        return await cluster.approvals.submit(artifact, caller=caller, before=before)

    return await _told(cluster, caller, "submit_decision", intent, work)


async def _told(
    cluster: Cluster,
    caller: Caller,
    action: Literal["decide", "submit_decision"],
    why: str | None,
    work: Callable[[Before], Awaitable[Decided]],
) -> Decided:
    begun: list[Op] = []

    async def before(artifact: DecisionArtifact) -> None:
        begun.append(await _begin(cluster, caller, action, why, artifact))

    decided = await work(before)
    for op in begun:
        try:
            post = snapshot(await cluster.ledger.head(), ())
            await cluster.journal.move(op.id, "success", epoch=0, post=post)
        except (OpRejectedError, BackendError):
            continue  # The decision is recorded; the next command ends its Op.
    return decided


async def _begin(
    cluster: Cluster, caller: Caller, action: str, why: str | None, artifact: DecisionArtifact
) -> Op:
    told = why if why is not None and why.strip() else None
    if artifact.break_glass is not msgspec.UNSET:
        told = f"{BREAK_GLASS}: {told}"
    new = NewOp(
        actor=OpActor(nid=caller.nid, identity=caller.identity, source=caller.source),
        on_behalf_of=caller.on_behalf_of,
        intent=told or f"{artifact.decision} {artifact.resource}",
        workspace=cluster.name or cluster.folder.path.name,
        component=artifact.resource,
        operation="update",
        action=action,
        targets=(decision_target(artifact.approval_id),),
    )
    op = await cluster.journal.begin(new, pre=snapshot(await cluster.ledger.head(), ()))
    return await cluster.journal.move(op.id, "running", epoch=0)
