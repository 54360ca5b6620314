"""A kept plan is an op that did nothing: a `dry_run`, which gates of later ops can ask for. Source: ops 5."""

from datetime import timedelta
from typing import Final

from agentctl.domain.ops.record import NewOp, OpActor
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.model import Plan
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.journal import OpRejectedError
from agentctl.engine.ledger import Head
from agentctl.engine.snapshots import snapshot
from agentctl.instants import parse_instant

FRESH: Final = timedelta(hours=1)
"""A plan of the same inputs that was kept less long ago stands for this one."""
LOOKED_AT_MAX: Final = 20


async def record_dry_run(
    cluster: Cluster, caller: Caller, plan: Plan, inputs: PlanInputs, head: Head | None
) -> None:
    """Records that *plan* was kept, unless it does nothing or that was recorded a moment ago.

    It begins and ends with one snapshot, so that it can be seen to have moved nothing.
    """
    if not plan.changes:
        return
    horizon = cluster.world.now() - FRESH
    for op in await cluster.journal.list(LOOKED_AT_MAX):
        same = op.operation == "dry_run" and op.inputs_digest == plan.digest
        if same and op.status == "success" and parse_instant(op.started_at) > horizon:
            return
    new = NewOp(
        actor=OpActor(nid=caller.nid, identity=caller.identity, source=caller.source),
        on_behalf_of=caller.on_behalf_of,
        intent=f"plan {plan.target}",
        workspace=cluster.name or cluster.folder.path.name,
        operation="dry_run",
        action="plan",
        targets=tuple(change.resource for change in plan.changes),
        inputs_digest=plan.digest,
    )
    seen = snapshot(head, inputs.live.values())
    op = await cluster.journal.begin(new, pre=seen)
    epoch = head.envelope.epoch if head is not None else 0
    try:
        await cluster.journal.move(op.id, "running", epoch=epoch)
        await cluster.journal.move(op.id, "success", epoch=epoch, post=seen)
    except OpRejectedError:
        return  # It stood still until another command settled it. The plan is kept all the same.
