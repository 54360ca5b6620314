"""The data plane of a cluster's graphs, where the engine of graphs that was wired has one.

`GraphPort` is all that the control plane needs; branches to write to, points to read at and plans to
be told are of `GraphData`, which the graphs in memory of the tests are without.
"""

from typing import NamedTuple, cast

from agentctl.diagnostics.diagnostic import error
from agentctl.engine.cluster import Cluster
from agentctl.graph.data_port import GraphData
from agentctl.graph.layout import MAIN
from agentctl.graph.port import CommitInfo, GraphError
from agentctl.ids import graph_address

__all__ = ["DataOf", "branch_address", "branch_commits", "graph_data", "has_data", "split_branch"]


class DataOf(NamedTuple):
    """The data plane, and the root that a graph has in it."""

    data: GraphData
    root: str


def has_data(cluster: Cluster) -> bool:
    """Returns whether the graphs of *cluster* have a data plane."""
    return hasattr(cluster.graphs.port, "mutate")


async def graph_data(cluster: Cluster, graph: str) -> DataOf:
    """Returns the data plane and the root of *graph*.

    Raises:
        GraphError: `not_supported_yet`; these graphs have none.
    """
    if not has_data(cluster):
        why = "the engine of these graphs reads and writes the newest of `main` only"
        raise GraphError(error("not_supported_yet", graph_address(graph), why))
    return DataOf(cast("GraphData", cluster.graphs.port), await cluster.graphs.root_of(graph))


def branch_address(graph: str, branch: str) -> str:
    """Returns how an op and a policy name one branch: ``graph.<id>`` is `main`."""
    return graph_address(graph) if branch == MAIN else f"{graph_address(graph)}@{branch}"


def split_branch(address: str) -> tuple[str, str]:
    """Returns the graph's id and the branch of what `branch_address` gave."""
    graph, _, branch = address.removeprefix("graph.").partition("@")
    return graph, branch or MAIN


async def branch_commits(
    cluster: Cluster, graph: str, branch: str, *, limit: int
) -> tuple[CommitInfo, ...]:
    """Returns the newest commits of a branch, newest first.

    Raises:
        GraphError: there is no such branch, or it cannot be read.
    """
    if branch == MAIN:
        return await cluster.graphs.history(graph, limit=limit)
    data, root = await graph_data(cluster, graph)
    return await data.commits(root, branch=branch, limit=limit)
