"""The data plane through the control plane: loads, stored queries, and a look at the graphs.

A query runs as it was applied: its payload comes from the catalog, hashed again, and is checked
afresh against the schema that the live graph has now. A load holds the lease of the graph's `main`
and is an Op. Detached graphs are in `agentctl.engine.detached`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Literal

import msgspec

from agentctl.domain.ledger.observations import GraphPresence, LiveGraph
from agentctl.domain.ledger.state import State, Tombstone
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.detached import GraphMoved, graph_purge, graph_restore
from agentctl.engine.gather import known_graphs, observe_graph, observe_graphs
from agentctl.engine.loading import not_loaded
from agentctl.engine.reading import Look, QueryOutcome, read_stored
from agentctl.engine.stored import StoredQuery, stored_queries
from agentctl.engine.writing import BranchWrite, write_branch
from agentctl.graph.chunks import each_chunk
from agentctl.graph.port import CommitInfo, LoadReport, Stamp
from agentctl.ids import Address, graph_address, is_resource_id
from agentctl.languages.query.descriptor import Descriptor, param_kinds, result_columns

__all__ = [
    "GraphDetails",
    "GraphMoved",
    "GraphSummary",
    "QueryEntry",
    "QueryOutcome",
    "graph_list",
    "graph_purge",
    "graph_restore",
    "graph_show",
    "list_queries",
    "load",
    "run_query",
]

Mode = Literal["append", "merge", "overwrite"]
Lines = AsyncIterator[bytes] | Iterable[bytes]


class QueryEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored query as a catalog shows it."""

    address: Address
    description: str | None = None
    instruction: str | None = None
    mutation: bool = False
    """Whether it changes the graph."""
    params: tuple[Descriptor, ...] = ()
    columns: tuple[Descriptor, ...] = ()
    trouble: str | None = None
    """Why it cannot run now."""


class GraphSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One graph of the storage root."""

    id: str
    presence: GraphPresence
    recorded: bool
    """Whether the ledger has it."""
    commit: str | None
    rows: int
    purge_after: str | None
    """Of a detached one: until when it can be restored."""


class GraphDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One graph, closer."""

    summary: GraphSummary
    uri: str
    incarnation: str | None
    schema_digest: str | None
    rows: Mapping[str, int]
    """By type name."""
    bytes: int
    last_write: str | None
    error: str | None
    commits: tuple[CommitInfo, ...]
    """Newest first."""


async def load(  # noqa: PLR0913  # what a load is
    cluster: Cluster,
    caller: Caller,
    graph: str,
    lines: Lines,
    mode: Mode,
    intent: str,
    *,
    wait_s: float = 0,
    op_id: str | None = None,
) -> tuple[LoadReport, Op | None]:
    """Loads NDJSON lines into a recorded graph by one commit, or nothing at all.

    The op has *op_id* where that was minted before, else a fresh one.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the graph, for longer than *wait_s* seconds.
    """

    async def act(stamp: Stamp) -> LoadReport:
        watched = _watched(cluster, graph, lines)
        return await cluster.graphs.load(graph, watched, mode=mode, stamp=stamp)

    write = BranchWrite(
        action="load",
        graph=graph,
        intent=intent,
        replaces=mode == "overwrite",
        wait_s=wait_s,
        op_id=op_id,
    )
    done = await write_branch(cluster, caller, write, act, refused=not_loaded)
    nothing = LoadReport(commit=None, rows={}, diagnostics=done.diagnostics)
    return nothing if done.value is None else done.value, done.op


async def run_query(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001  # one shape for all commands
    address: str,
    params: Mapping[str, object],
    limit: int | None = None,
) -> QueryOutcome:
    """Returns the rows of a stored query of the applied revision."""
    return await read_stored(cluster, address, params, Look(limit=limit))


async def list_queries(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001  # one shape for all commands
    permitted: frozenset[str] | None = None,
) -> tuple[QueryEntry, ...]:
    """Returns the stored queries of the applied revision, by address; of *permitted*, where given."""
    return tuple(_entry(found) for found in await stored_queries(cluster, permitted))


async def graph_list(cluster: Cluster, caller: Caller) -> tuple[GraphSummary, ...]:  # noqa: ARG001
    """Returns every graph that the ledger knows or the storage root holds, by id."""
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else State()
    ids = known_graphs(None, state) | set(await cluster.graphs.roots())
    live = await observe_graphs(cluster, ids)
    return tuple(_summary(state, seen) for seen in live.values())


async def graph_show(cluster: Cluster, caller: Caller, graph: str) -> GraphDetails | None:  # noqa: ARG001
    """Returns one graph with its newest commits; None where neither ledger nor storage has it."""
    if not is_resource_id(graph):
        return None
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else State()
    live = await observe_graph(cluster, graph)
    summary = _summary(state, live)
    if live.presence == "absent" and not summary.recorded:
        return None
    readable = live.presence in {"live", "detached", "purged"}
    return GraphDetails(
        summary=summary,
        uri=live.uri,
        incarnation=live.incarnation,
        schema_digest=live.source_digest,
        rows=live.rows,
        bytes=live.bytes,
        last_write=live.last_write,
        error=live.error,
        commits=await cluster.graphs.history(graph) if readable else (),
    )


async def _watched(cluster: Cluster, graph: str, lines: Lines) -> AsyncIterator[bytes]:
    """Gives the lines, and looks behind the last one whether the graph may still be written to.

    Raises:
        FrozenError: it was frozen while the lines came in.
    """
    async for chunk in each_chunk(lines):
        for line in chunk:
            yield line
    await cluster.freezes.require_thawed(graph_address(graph))


def _entry(found: StoredQuery) -> QueryEntry:
    query = found.query
    if query is None:
        told = found.diagnostics[0].message if found.diagnostics else None
        return QueryEntry(address=found.address, trouble=told)
    return QueryEntry(
        address=found.address,
        description=query.description,
        instruction=query.instruction,
        mutation=query.mutates,
        params=param_kinds(query),
        columns=result_columns(query),
    )


def _summary(state: State, live: LiveGraph) -> GraphSummary:
    address = graph_address(live.graph_id)
    observation = state.observations.get(address)
    tombstone = observation if isinstance(observation, Tombstone) else None
    waits = tombstone is not None and tombstone.purged_at is None
    return GraphSummary(
        id=live.graph_id,
        presence=live.presence,
        recorded=address in recorded_digests(state),
        commit=None if live.commit is None else f"main:{live.commit}",
        rows=sum(live.rows.values()),
        purge_after=tombstone.purge_after if tombstone is not None and waits else None,
    )
