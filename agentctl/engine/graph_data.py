"""The data of a recorded graph, by the id that the ledger gives it, where the engine has more than rows.

`NamedGraphs` is the small protocol of the control plane. Here is the way from it to `GraphData`,
which only an installed engine implements, and what every command about a graph asks first.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.absent import state_missing
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import Head
from agentctl.graph.data_port import GraphData
from agentctl.graph.port import GraphError
from agentctl.graph.refusals import engine_missing
from agentctl.ids import graph_address


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's data, and the root that it keeps when it is renamed."""

    data: GraphData
    root: str


async def place_of(cluster: Cluster, graph: str) -> Place:
    """Returns where the data of a recorded graph is.

    Raises:
        GraphError: `cluster_state_missing`, `graph_not_found`, `graph_extra_missing`.
    """
    await recorded(cluster, graph)
    port = cluster.graphs.port
    if not hasattr(port, "verify"):
        raise engine_missing(graph)
    return Place(data=cast("GraphData", port), root=await cluster.graphs.root_of(graph))


async def recorded(cluster: Cluster, graph: str) -> Head:
    """Returns the newest ledger object, whose revision has the graph.

    Raises:
        GraphError: `cluster_state_missing`, `graph_not_found`.
    """
    head = await cluster.ledger.head()
    if head is None:
        raise GraphError(state_missing())
    address = graph_address(graph)
    if address not in recorded_digests(head.envelope.state):
        why = f"the applied revision has no graph {graph}"
        raise GraphError(error("graph_not_found", address, why, remedy="agentctl graph list"))
    return head


@asynccontextmanager
async def named(graph: str, root: str) -> AsyncIterator[None]:
    """Tells what the engine says of a root as of the graph that has it."""
    try:
        yield
    except GraphError as failure:
        told = failure.diagnostic
        if root == graph or told.path != graph_address(root):
            raise
        told = msgspec.structs.replace(told, path=graph_address(graph))
        raise type(failure)(told) from failure
