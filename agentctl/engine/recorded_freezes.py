"""Brings the ledger's envelope up to the freezes that hold, under the cluster's lease.

Whoever takes the lease to write does this first, so that a freeze or a thaw whose own command could
not have the lease is recorded by the next one.
"""

from typing import Literal

from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Head


async def record_freezes(
    cluster: Cluster, lease: Lease, head: Head, *, op: str | None = None
) -> Head:
    """Returns the head of a ledger that records what is frozen now; *op* is whose doing it is.

    Raises:
        LeaseLostError: a later holder has written.
        StateMovedError: somebody else has.
    """
    envelope = head.envelope
    holding = await cluster.freezes.in_force(envelope.freezes)
    if holding != envelope.freezes:
        before = {freeze.id for freeze in envelope.freezes}
        more = any(freeze.id not in before for freeze in holding)
        kind: Literal["freeze", "thaw"] = "freeze" if more else "thaw"
        head = await cluster.ledger.commit(
            base=head,
            kind=kind,
            op=op or envelope.op,
            lease=lease,
            cluster_id=envelope.cluster_id,
            state=envelope.state,
            audit=await cluster.audit.head(),
            principals=(await cluster.principals.registry()).head,
            source=envelope.source,
            freezes=holding,
        )
    await cluster.freezes.remove_thawed()
    return head
