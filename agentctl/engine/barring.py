"""Keeps those who were to make a step from making it after all, before it is said not to have happened.

A process that stood still between its sidecar and its commit would else do, once it goes on, what
the sweep had withdrawn: a graph detached that the ledger has as live, its approval unspent. So the
lease of the graph is taken over, and its next number by a fence. Source: control-plane 3.2, 3.5.
"""

from collections.abc import Iterable, Mapping

from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import FrozenError
from agentctl.engine.leases import Lease, LeaseLostError, StateLockHeldError
from agentctl.engine.moving import GRAPH_WAIT_S, branch_lease, fence_live
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.port import GraphError, Stamp
from agentctl.ids import split_branch


async def bar_writers(
    cluster: Cluster, caller: Caller, sidecars: Iterable[Sidecar]
) -> Mapping[str, str]:
    """Bars the former holders of the branches that *sidecars* name.

    Returns, by the name that a sidecar has for it, why somebody may still write to it, where that could not be done.
    """
    held: dict[str, str] = {}
    last = {sidecar.graph_id: sidecar for sidecar in sidecars}
    for graph_id, sidecar in sorted(last.items()):
        graph, branch = split_branch(graph_id)
        root = await cluster.graphs.root_of(graph)
        try:
            async with cluster.leases.hold(
                branch_lease(root, branch),
                principal=caller.id,
                operation="recover",
                wait_s=GRAPH_WAIT_S,
            ) as lease:
                if lease.fence_needed:
                    stamp = _stamp(cluster, caller, sidecar, lease)
                    await fence_live(cluster, graph_id, lease, stamp)
        except (StateLockHeldError, FrozenError) as failure:
            held[graph_id] = failure.diagnostic.message
        except (GraphError, LeaseLostError) as failure:
            held[graph_id] = str(failure)
    return held


def _stamp(cluster: Cluster, caller: Caller, sidecar: Sidecar, lease: Lease) -> Stamp:
    return Stamp(
        op=sidecar.op,
        actor=caller.id,
        on_behalf_of=caller.on_behalf_of,
        intent=f"settle an interrupted {sidecar.kind}",
        epoch=lease.epoch,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )
