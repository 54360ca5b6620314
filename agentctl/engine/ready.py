"""Makes the ledger ready for a command that will write: the first thing under the cluster's lease.

A fence where the last holder died; drafts whose homecoming was interrupted; ops whose process died;
consumed approvals whose mark was not written, and proposals that they opened. Then the recorded composites are proved.
"""

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.engine.absent import state_missing as state_missing  # noqa: PLC0414  # others know it from here
from agentctl.engine.advance import composite_diagnostics
from agentctl.engine.cluster import Cluster
from agentctl.engine.collecting import collect_now_and_then
from agentctl.engine.disposals import disposal_key, spent, standing
from agentctl.engine.homecoming import settle
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.engine.ledger import Head
from agentctl.engine.left_writes import settle_ops
from agentctl.engine.proposals import merge_key, standing_merges
from agentctl.engine.recorded_freezes import record_freezes


async def settled_head(cluster: Cluster, lease: Lease, told: Bag) -> Head | None:
    """Returns the ledger's head once nothing of an earlier command is left open beside it.

    None where the command must stop; *told* has the error.

    Raises:
        FrozenError: the cluster is frozen.
        LeaseLostError: a later holder has written.
    """
    head = await cluster.ledger.head()
    if head is None:
        told.add(state_missing())
        return None
    cluster.ledger.require_writable(head)
    if lease.fence_needed:
        head = await cluster.ledger.fence(lease)
        assert head is not None, "a ledger does not go away"
        cluster.leases.fenced(lease)
    head = await record_freezes(cluster, lease, head)
    repaired = await cluster.ledger.repair_copy(head)
    told.add(*(() if repaired is None else (repaired,)))
    await cluster.freezes.require_thawed(CLUSTER, head.envelope.freezes)
    told.add(*await settle(cluster.folder, cluster.store))
    told.add(*await cluster.audit.end_diagnostics(head))
    told.add(*composite_diagnostics(head.envelope.state))
    if has_errors(told):
        return None
    await settle_ops(cluster, lease)
    await repair_consumptions(cluster, head)
    await repair_proposals(cluster, head)
    await collect_now_and_then(cluster, head)
    return head


async def repair_consumptions(cluster: Cluster, head: Head) -> None:
    """Writes the marks of consumed approvals that a crash kept from being written."""
    used = head.envelope.state.approval_records
    if not used:
        return
    records = await cluster.approvals.records()
    marked = {c.approval_id for c in records.consumptions}
    for approval_id, use in used.items():
        if approval_id not in marked:
            await cluster.approvals.consume(
                approval_id, op=use.consumed_by_operation, ledger_seq=head.seq
            )


async def repair_proposals(cluster: Cluster, head: Head) -> None:
    """Removes the proposals that were carried out, where a crash kept them from being removed.

    A proposal's consent is bound to its digest, and the ledger says which consents were used.
    """
    keys = {disposal.digest: disposal_key(disposal) for disposal in await standing(cluster.store)}
    keys |= {merge.digest: merge_key(merge) for merge in await standing_merges(cluster)}
    done = await spent(cluster, head.envelope.state) if keys else frozenset()
    for digest, key in keys.items():
        if digest in done:
            await cluster.store.delete(key)
