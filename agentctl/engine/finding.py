"""Declared graphs whose data lie in a root of another name, which the ledger does not tell. Source: ADR 13.

A ledger that is lost, or was told to forget a graph, takes the graph's name along. The root has a
record of it. `import` and `refresh` adopt such a graph under its name; a plan tells of it, and a step
makes no empty graph of that name beside it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, note
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.roots import recorded_roots, root_of, with_roots
from agentctl.domain.ledger.state import State
from agentctl.engine.cluster import Cluster
from agentctl.graph.naming import name_of, write_name
from agentctl.graph.port import GraphError
from agentctl.ids import graph_address


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Graphs by their names on record."""

    state: State
    """With the graphs that were found, and nothing of them but their root."""
    cluster: Cluster
    """Whose graphs are read by the names of `state`."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def found_by_name(cluster: Cluster, desired: DesiredCluster, state: State) -> Found:
    """Returns *state* with the declared graphs that lie in a root of another name; writes nothing.

    A root of its own name goes before, and where two roots have a graph's name none is taken.
    """
    told: list[Diagnostic] = []
    named = await roots_named(cluster, (g.id for g in desired.graphs), state, told=told)
    roots = {graph_id: found[0] for graph_id, found in named.items() if len(found) == 1}
    if not roots:
        return Found(state=state, cluster=cluster, diagnostics=tuple(told))
    for graph_id, root in roots.items():
        told.append(
            note(
                "graph_root_renamed",
                graph_address(graph_id),
                f"graph {graph_id} lies in the root {cluster.graphs.port.uri(root)}, which has it on"
                " record that the graph was renamed",
                detail="It is recorded under its newest name; its data stay where they are.",
            )
        )
    state = with_roots(state, roots)
    graphs = cluster.graphs.assuming(state)
    return Found(
        state=state,
        cluster=msgspec.structs.replace(cluster, graphs=graphs),
        diagnostics=tuple(told),
    )


async def roots_named(
    cluster: Cluster,
    graph_ids: Iterable[str],
    state: State,
    *,
    told: list[Diagnostic] | None = None,
) -> Mapping[str, tuple[str, ...]]:
    """Returns the live roots of another name that say they are one of *graph_ids*, by that id.

    Only of graphs that *state* does not record, and that have no root of their own name; only roots
    that no recorded graph has. What cannot be read is added to *told*, or raised.

    Raises:
        GraphError: the names of a root cannot be read, and nobody wants to be told.
    """
    resources = state.applied_revision.resources
    wanted = {g for g in graph_ids if graph_address(g) not in resources}
    if not wanted:
        return {}
    port, taken = cluster.graphs.port, recorded_roots(state)
    found: dict[str, tuple[str, ...]] = {}
    for root in await port.roots():
        if root in taken:
            continue
        try:
            name = await name_of(cluster.store, root)
        except GraphError as failure:
            if told is None:
                raise
            told.append(failure.diagnostic)
            continue
        if name in wanted and (await port.observe(root)).presence in {"live", "unreadable"}:
            found[name] = (*found.get(name, ()), root)
    return {g: roots for g, roots in sorted(found.items()) if g not in roots}


async def name_roots(
    cluster: Cluster, state: State, live: Mapping[str, LiveGraph], *, op: str, at: str
) -> tuple[Diagnostic, ...]:
    """Writes to the roots of recorded live graphs what they are called, where they say otherwise."""
    told: list[Diagnostic] = []
    for graph_id in sorted(live):
        known = graph_address(graph_id) in state.applied_revision.resources
        if live[graph_id].presence != "live" or not known:
            continue
        try:
            await write_name(cluster.store, root_of(state, graph_id), graph_id, op=op, at=at)
        except GraphError as failure:
            told.append(failure.diagnostic)
    return tuple(told)
