"""The data of a graph by the id that the ledger gives it: its root, its branches, and how they are named.

`NamedGraphs` is the small protocol of the control plane, which the graphs in memory of the tests have
too. Here is the way from it to `GraphData`, the data plane of an installed engine: branches to write
to, points to read at, plans to be told.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.absent import state_missing
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import Head
from agentctl.graph.data_port import GraphData
from agentctl.graph.layout import MAIN
from agentctl.graph.port import CommitInfo, GraphError
from agentctl.ids import graph_address


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's data, and the root that it keeps when it is renamed."""

    data: GraphData
    root: str


def has_data(cluster: Cluster) -> bool:
    """Returns whether the graphs of *cluster* have a data plane."""
    return hasattr(cluster.graphs.port, "mutate")


async def place_of(cluster: Cluster, graph: str) -> Place:
    """Returns where the data of a graph is, recorded or not.

    Raises:
        GraphError: `not_supported_yet`; these graphs have no data plane.
    """
    if not has_data(cluster):
        why = "the engine of these graphs reads and writes the newest of `main` only"
        raise GraphError(error("not_supported_yet", graph_address(graph), why))
    data = cast("GraphData", cluster.graphs.port)
    return Place(data=data, root=await cluster.graphs.root_of(graph))


async def recorded_place(cluster: Cluster, graph: str) -> Place:
    """Returns where the data of a recorded graph is.

    Raises:
        GraphError: as `recorded` and `place_of`.
    """
    await recorded(cluster, graph)
    return await place_of(cluster, graph)


async def recorded(cluster: Cluster, graph: str) -> Head:
    """Returns the newest ledger object, whose revision has the graph.

    Raises:
        GraphError: `state_missing`, `graph_not_found`.
    """
    head = await cluster.ledger.head()
    if head is None:
        raise GraphError(state_missing())
    address = graph_address(graph)
    if address not in recorded_digests(head.envelope.state):
        why = f"the applied revision has no graph {graph}"
        raise GraphError(error("graph_not_found", address, why, remedy="agentctl graph list"))
    return head


async def branch_commits(
    cluster: Cluster, graph: str, branch: str, *, limit: int
) -> tuple[CommitInfo, ...]:
    """Returns the newest commits of a branch, newest first.

    Raises:
        GraphError: there is no such branch, or it cannot be read.
    """
    if branch == MAIN:
        return await cluster.graphs.history(graph, limit=limit)
    place = await place_of(cluster, graph)
    return await place.data.commits(place.root, branch=branch, limit=limit)


@contextmanager
def named(graph: str, root: str) -> Iterator[None]:
    """Tells what the engine says of a root as of the graph that has it."""
    try:
        yield
    except GraphError as failure:
        told = failure.diagnostic
        if root == graph or told.path != graph_address(root):
            raise
        told = msgspec.structs.replace(told, path=graph_address(graph))
        raise type(failure)(told) from failure
